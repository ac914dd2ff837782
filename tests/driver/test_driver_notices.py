"""The command of `--notify`: run for what happens, for silence, and for a driver that is killed. Real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrtui.driver.notices import Notices
from mlrtui.driver.terms import Terms
from mlrtui.errors import BadInput

LONG = 1000.0
COMMAND = 'echo "$MLRTUI_EVENT|$MLRTUI_SWEEP|$MLRTUI_TEXT|$MLRTUI_STORE" >> told'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wait_for(found: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)


def told(folder: Path) -> list[str]:
    path = folder / "told"
    return path.read_text().splitlines() if path.exists() else []


def opened(folder: Path, command: str | None = COMMAND, after: float = LONG) -> tuple[Notices, list[str]]:
    said: list[str] = []
    return Notices(command, folder / "a.db", after, said.append), said


def end(notices: Notices) -> None:
    notices.close()
    if notices._process is not None:
        assert notices._process.wait(60) == 0


def test_what_happens_is_told_in_order_and_an_end_is_no_news(folder: Path) -> None:
    notices, said = opened(folder)
    notices.turn(1)
    notices.tell("done", "my sweep", "'my sweep' is done")
    notices.tell("failed", 'it\'s "$(touch bad)"', "2 trainings failed")
    end(notices)
    store = folder / "a.db"
    assert told(folder) == [
        f"done|my sweep|'my sweep' is done|{store}",
        f'failed|it\'s "$(touch bad)"|2 trainings failed|{store}',
    ]
    assert not (folder / "bad").exists()
    assert said == []


def test_silence_is_told_once_until_something_is_stored_again(folder: Path) -> None:
    notices, _ = opened(folder, after=0.2)
    wait_for(lambda: len(told(folder)) == 1)
    notices.turn(1)
    wait_for(lambda: len(told(folder)) == 2)
    time.sleep(1.0)  # several silences long
    end(notices)
    assert [line.split("|")[0] for line in told(folder)] == ["stalled", "stalled"]
    assert told(folder)[0].split("|")[2].startswith("nothing was stored for")


def test_a_rev_that_stands_still_is_no_sign_of_life(folder: Path) -> None:
    notices, _ = opened(folder, after=2.0)
    begun = time.monotonic()
    while not told(folder):
        notices.turn(7)
        assert time.monotonic() - begun < 60
        time.sleep(0.02)
    end(notices)


def test_a_killed_driver_is_told(folder: Path) -> None:
    script = (
        "import os, signal; from pathlib import Path; from mlrtui.driver.notices import Notices\n"
        f"notices = Notices({COMMAND!r}, Path('a.db'), {LONG}, print); notices.turn(1)\n"
        "os.killpg(0, signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], check=False, process_group=0)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: told(folder))
    assert told(folder) == ["failed||the driver was killed: `mlrtui resume` goes on|a.db"]


def test_a_command_that_fails_is_in_the_log_and_stops_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notices, _ = opened(folder, "exit 3")
    notices.tell("done", "a", "b")
    end(notices)
    assert "the command of --notify ended with exit code 3" in capfd.readouterr().out


def test_signals_of_a_job_leave_it_alone_and_are_not_ignored_by_the_command(folder: Path) -> None:
    notices, _ = opened(folder, "trap 'echo got >> told; exit' TERM; echo ready >> told; kill -TERM $$; sleep 60")
    assert notices._process is not None
    notices.tell("done", "a", "b")
    wait_for(lambda: told(folder))
    os.kill(notices._process.pid, signal.SIGTERM)
    end(notices)
    assert told(folder) == ["ready", "got"]


def test_a_process_that_is_gone_is_said_once_and_stops_nothing(folder: Path) -> None:
    notices, said = opened(folder)
    assert notices._process is not None
    notices._process.kill()
    notices._process.wait()
    for _ in range(3):
        notices.tell("done", "a", "b")
    notices.close()
    assert said == ["--notify: its process is gone; nobody will be told any more"]


def test_a_process_that_takes_nothing_holds_nobody_up(folder: Path) -> None:
    notices, said = opened(folder)
    assert notices._process is not None
    os.kill(notices._process.pid, signal.SIGSTOP)
    for _ in range(400):
        notices.tell("done", "a", "b" * 1000)
    assert said == ["--notify: its process takes nothing; messages are lost"]
    os.kill(notices._process.pid, signal.SIGKILL)
    notices._process.wait()
    notices.close()


def test_without_a_command_there_is_no_process(folder: Path) -> None:
    notices, said = opened(folder, None)
    notices.turn(1)
    notices.tell("done", "a", "b")
    end(notices)
    assert (said, notices._process) == ([], None)


@pytest.mark.parametrize("command", ["", "  ", "a\0b"])
def test_no_command_at_all_is_refused(command: str) -> None:
    with pytest.raises(BadInput, match=r"--notify .*: not a command"):
        Terms.parse(foreground=False, detach=False, until=None, backup_to=None, backup_every=None, notify=command)


def test_a_long_text_is_passed_on_shortened(folder: Path) -> None:
    notices, said = opened(folder)
    for _ in range(4):
        notices.tell("failed", "λ" * 5000, "💥" * 5000)
    end(notices)
    assert set(told(folder)) == {f"failed|{'λ' * 400}|{'💥' * 400}|{folder / 'a.db'}"}
    assert said == []
