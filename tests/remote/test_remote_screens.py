"""Stores on another machine: a real sshd on this one, its logins cut, and mlrtui where only the snippet finds it."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SCAN
from remote_box import ENDLESS_SEARCH, FULL, Box, Terminal, box, install, machine, mlrtui, terminal, wait_until

from mlrtui.errors import BadInput
from mlrtui.remote.address import Address, local_or_remote
from mlrtui_db import lock

__all__ = ["box", "machine", "terminal"]  # fixtures

Made = Callable[..., Path]

ADDRESSES = {
    "h:x": Address("h", "x"),
    "me@h.org:~/a b.db": Address("me@h.org", "~/a b.db"),
    "me@[fe80::1%eth0]:/x": Address("me@fe80::1%eth0", "/x"),
    "h:a:b.db": Address("h", "a:b.db"),
    "ssh://me@h:2222/data/x.db": Address("me@h", "/data/x.db", 2222),
    "ssh://[::1]:22/~/x.db": Address("::1", "~/x.db", 22),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read_and_printed(text: str) -> None:
    assert local_or_remote(text) == ADDRESSES[text]
    assert local_or_remote(str(ADDRESSES[text])) == ADDRESSES[text]


@pytest.mark.parametrize("text", ["./a:b.db", "/data/a:b.db", "runs/h:x", "plain.db", "no host:x", ":x"])
def test_a_path_is_no_address(text: str) -> None:
    assert local_or_remote(text) == Path(text)


WRONG = {
    "-oProxyCommand=x:y": "plain",
    "-h:x": "cannot begin with '-'",
    "me@-h:x": "cannot begin with '-'",
    "-me@h:x": "cannot begin with '-'",
    "h:": "names no store",
    "ssh://h:22": "names no store",
    "ssh://h:99999/x": "port 99999",
    "ssh://a b/x": "not an address",
    "h:x\ny": "control characters",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_good_address_is_refused(text: str) -> None:
    if WRONG[text] == "plain":
        assert local_or_remote(text) == Path(text)
        return
    with pytest.raises(BadInput, match=WRONG[text]):
        local_or_remote(text)


def test_a_file_that_exists_wins(tmp_path: Path, made: Made, mlrtui: Callable[..., object]) -> None:
    made(SMALL_SCAN).rename(tmp_path / "a:b.db")
    for words in (["status", "a:b.db"], ["status", "--store", "./a:b.db"], ["watch", "a:b.db", "--once"]):
        assert mlrtui(*words).returncode == 0  # type: ignore[attr-defined]


def test_a_store_elsewhere_is_not_written(mlrtui: Callable[..., object]) -> None:
    for words in (["run"], ["resume"], ["prune", "x"]):
        done = mlrtui(*words, "--store", "me@box:runs/a.db")
        assert done.returncode == 2  # type: ignore[attr-defined]
        assert "me@box:runs/a.db: a store on another machine can be shown" in done.stderr  # type: ignore[attr-defined]


def test_several_machines_are_one_list_whose_rows_are_entered(
    box: Box, odd: Path, tmp_path: Path, terminal: Callable[..., Terminal]
) -> None:
    install(box.home / ".local/bin/mlrtui")
    here = tmp_path / "here.db"
    here.write_bytes(odd.read_bytes())
    places = (here, box.at(odd), "ssh://127.0.0.1:1/x.db")
    data = json.loads(mlrtui("browse", *places, "--json").stdout)
    assert [[sweep["name"] for sweep in store["sweeps"]] for store in data["stores"]] == [["small scan"]] * 2 + [[]]
    assert data["stores"][2]["trouble"].startswith("127.0.0.1 cannot be reached: ")
    shown = terminal("browse", *places, "--show", "filter=store != 'here.db'")
    shown.wait_text("1 of 2 sweeps")  # the machine has answered
    shown.wait_text("127.0.0.1 cannot be reached")
    shown.press(b" ")
    shown.wait_text("mlrtui pull")
    shown.press(b"\r")
    shown.wait_text("1 Live")  # the screen there
    shown.press(b"q")
    shown.wait_text("3 Browse")
    shown.press(b"q")
    assert shown.wait_end() == 0


@pytest.fixture
def odd(tmp_path: Path, made: Made) -> Path:
    """A finished store whose path a shell would take apart."""
    folder = tmp_path / 'it\'s a "folder" $HOME `id` \\n'
    folder.mkdir()
    return made(SMALL_SCAN).rename(folder / "a;b & c.db")


def test_the_first_screen_comes_and_q_leaves(box: Box, odd: Path, terminal: Callable[..., Terminal]) -> None:
    install(box.home / ".local/bin/mlrtui")
    shown = terminal("watch", box.at(odd))
    shown.wait_text("finished 'small scan'")
    assert "⣀" in shown.text()  # braille: the other side knows that this terminal is UTF-8
    assert re.search(rb"\x1b\[[0-9;]*38;2;", shown.sent)  # and that it has all colours
    shown.press(b"q")
    assert shown.wait_end() == 0
    assert b"\x1b[?1049l" in shown.sent


def test_facts_of_this_terminal_travel(box: Box, odd: Path, terminal: Callable[..., Terminal]) -> None:
    install(box.home / ".local/bin/mlrtui")
    shown = terminal("browse", box.at(odd), NO_COLOR="1", LC_ALL="C")
    shown.wait_text("small scan")
    shown.press(b"q")
    assert shown.wait_end() == 0
    assert shown.sent.isascii()
    assert not re.search(rb"\x1b\[[0-9;]*38;2;", shown.sent)


def test_printed_screens_and_data_need_no_terminal(box: Box, odd: Path) -> None:
    install(box.home / ".local/bin/mlrtui")
    once = mlrtui("watch", box.at(odd), "--once", "--sweep", "small scan")
    assert once.returncode == 0
    assert "small scan" in once.stdout
    data = mlrtui("browse", box.at(odd.parent), "--json")
    assert json.loads(data.stdout)
    status = mlrtui("status", "--json", MLRTUI_STORE=box.at(odd))
    assert [sweep["name"] for sweep in json.loads(status.stdout)["sweeps"]] == ["small scan"]
    assert status.stderr == ""
    wrong = mlrtui("watch", box.at(odd), "--once", "--sweep", "$(id)")
    assert wrong.returncode == 2
    assert "'$(id)'" in wrong.stderr
    nothing = mlrtui("status", box.at("/nowhere/x.db"))
    assert nothing.returncode == 3
    assert nothing.stderr == "mlrtui: the folder /nowhere does not exist: make it first, or choose another --store\n"


def test_home_folders_are_those_of_the_other_side(box: Box, made: Made) -> None:
    install(box.home / ".local/bin/mlrtui")
    made(SMALL_SCAN).rename(box.home / "a.db")
    for path in ("~/a.db", "~/./a.db"):
        done = mlrtui("status", box.at(path))
        assert done.stdout.startswith(f"{box.home}/"), done.stderr
    assert mlrtui("status", f"ssh://box:{box.port}/~/a.db").returncode == 0


def in_lock_file(box: Box, store: Path) -> None:
    record = {"command": '"python": "/x"', "python": sys.executable}
    store.with_name(store.name + ".lock").write_text(json.dumps(record))


def in_log(box: Box, store: Path) -> None:
    lines = [f"2026-01-02 03:04:05 mlrtui 0.1 runs with {python}\n" for python in ("/gone/python", sys.executable)]
    store.with_name(store.name + ".log").write_text("".join(lines))


def beside(box: Box, store: Path) -> None:
    install(store.parent / ".venv/bin/mlrtui")


def in_home(box: Box, store: Path) -> None:
    install(box.home / ".local/bin/mlrtui")


def by_profile(box: Box, store: Path) -> None:
    install(box.home / "odd place/mlrtui")
    (box.home / ".bash_profile").write_text('echo Welcome!\nPATH="$HOME/odd place:$PATH"\n')


PLACES = [in_lock_file, in_log, beside, in_home, by_profile]


@pytest.mark.parametrize("place", PLACES if FULL else [in_log, by_profile], ids=lambda one: one.__name__)
def test_mlrtui_is_found_where_it_lies(box: Box, odd: Path, place: Callable[[Box, Path], None]) -> None:
    nothing = mlrtui("status", box.at(odd))
    assert nothing.returncode == 2
    assert nothing.stderr == (
        "mlrtui: no mlrtui was found on box: install it there (`pip install mlrtui`), or say how it is run there, as "
        "in MLRTUI_REMOTE=~/venv/bin/mlrtui\n"
    )
    place(box, odd)
    done = mlrtui("status", box.at(odd))
    assert done.returncode == 0, done.stderr
    assert "small scan: done" in done.stdout
    assert "Welcome" not in done.stdout


def test_what_the_user_names_comes_first(box: Box, odd: Path) -> None:
    in_lock_file(box, odd)
    program = install(box.home / "my tools/mlrtui")
    program.write_text(program.read_text().replace("exec", 'echo "mine $1"; exec'))
    done = mlrtui("status", box.at(odd), MLRTUI_REMOTE='cd "$HOME" && "$HOME/my tools/mlrtui"')
    assert done.stdout.startswith("mine status\n")
    assert "small scan: done" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to another user")
def test_what_others_put_beside_a_store_is_not_run(box: Box, odd: Path) -> None:
    evil = install(odd.parent / ".venv/bin/mlrtui")
    in_lock_file(box, odd)
    in_log(box, odd)
    for path in (evil, odd.with_name(odd.name + ".lock"), odd.with_name(odd.name + ".log")):
        os.chown(path, 12345, 12345)
    assert "no mlrtui was found" in mlrtui("status", box.at(odd)).stderr


def test_a_line_that_is_cut_leaves_the_run_and_the_terminal(
    box: Box, tmp_path: Path, terminal: Callable[..., Terminal], no_driver_left: None
) -> None:
    (tmp_path / "sweep.toml").write_text(ENDLESS_SEARCH)
    store = tmp_path / "mlrtui.db"
    started = mlrtui("run", "sweep.toml", "--detach", "--devices", "fake", folder=tmp_path)
    assert started.returncode == 0, started.stderr
    holder = lock.holder(store)
    assert holder is not None
    assert holder.python == sys.executable
    shown = terminal("watch", box.at(store))  # found by the lock file of the driver
    shown.wait_text("long search")
    wait_until(box.sessions, "the login")
    for pid in box.sessions():
        os.kill(pid, signal.SIGKILL)
    assert shown.wait_end() == 255
    assert "mlrtui: the connection to box was lost; a run goes on there, and the same command shows it" in shown.text()
    after = shown.sent[shown.sent.rindex(b"\x1b[?1049l") :]
    assert b"\x1b[?25h" in after  # the cursor is back, and nothing is drawn over the sentence
    assert lock.holder(store) == holder
    assert "mlrtui 0" in (tmp_path / "mlrtui.db.log").read_text()
    mlrtui("stop", "--now", folder=tmp_path)


def test_a_machine_that_cannot_be_reached_is_said_in_one_line(box: Box, tmp_path: Path) -> None:
    refused = mlrtui("status", "ssh://127.0.0.1:1/x.db", MLRTUI_SSH=f"{os.environ['MLRTUI_SSH']} -o ConnectTimeout=5")
    unknown = mlrtui("status", "nowhere.invalid:x.db")
    stranger = mlrtui("status", f"nobody-here@{box.at('x.db')}")
    for done, host in ((refused, "127.0.0.1"), (unknown, "nowhere.invalid"), (stranger, "nobody-here@box")):
        assert done.returncode == 255
        *theirs, ours = done.stderr.splitlines()
        assert theirs
        assert ours == f"mlrtui: {host} cannot be reached: see what ssh printed, and try `ssh {host}`"
    for ssh, words in {"/no/ssh": "no such program", "ssh 'x": "not a command"}.items():
        done = mlrtui("status", box.at("x.db"), MLRTUI_SSH=ssh)
        assert done.returncode == 2
        assert done.stderr.startswith(f"mlrtui: MLRTUI_SSH = {ssh!r}: {words}")
    none = mlrtui("status", box.at("x.db"), MLRTUI_SSH="", PATH=str(tmp_path))
    assert none.returncode == 2
    assert none.stderr == "mlrtui: there is no program ssh: install it (OpenSSH's client)\n"
