"""`run --no-tui`: a block on a real terminal, lines in a pipe; a driver that makes numbers up stands behind both."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui
from pty_terminal import PtyTerminal

from mlrtui.commands.follow import follow
from mlrtui_db.records import SweepRecord
from mlrtui_db.store import Store

pytestmark = [pytest.mark.usefixtures("no_driver_left"), pytest.mark.timeout(600)]
WriteSweep = Callable[..., Path]
Start = Callable[..., PtyTerminal]

NETS = 240
MANY = SMALL_SEARCH.replace("seeds = 2", f"seeds = {NETS // 4}")
"""So many nets that made-up numbers, too, take several looks."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`mlrtui run --no-tui` on a terminal of its own."""
    started = []

    def begin(sweep: Path, *options: str, size: tuple[int, int] = (80, 40), **environment: str) -> PtyTerminal:
        command = [sys.executable, "-P", "-m", "mlrtui.cli", "run", str(sweep), "--no-tui", "--devices", "fake"]
        terminal = PtyTerminal([*command, "--store", str(tmp_path / "s.db"), *options], size, environment)
        terminal.patience = 400.0
        started.append(terminal)
        return terminal

    yield begin
    for terminal in started:
        terminal.close()


def test_a_pipe_gets_lines_and_the_report(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    done = mlrtui("run", sweep_file(MANY), "--store", tmp_path / "s.db", "--devices", "fake", "--no-tui")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    rows = done.stdout.splitlines()
    ended = [row for row in rows if re.search(r"η\* [0-9.]+ ± .*: [12]x(16|32) seed \d+,", row)]
    assert len(ended) == NETS  # a line for each net
    progress = [row for row in rows if "small search: open" in row]
    assert 1 <= len(progress) <= NETS + 4  # one for each net and each stage at most
    assert any("about" in row for row in progress)
    assert "finished 'small search'" in done.stdout
    assert f"small search: done, {NETS}/{NETS} nets" in done.stdout


def test_a_terminal_gets_a_block_that_the_report_replaces(start: Start, sweep_file: WriteSweep) -> None:
    terminal = start(sweep_file(MANY), size=(160, 60))
    assert terminal.wait_end() == 0
    sent = terminal.sent.decode()
    assert f"small search: done, {NETS}/{NETS} nets" in sent
    assert "small search: open" in sent
    assert "small search: open" not in terminal.text()  # redrawn in place, and gone at the end
    assert sent.count("seed 0, last success") == 4
    assert "━" in sent
    assert re.search(r"\x1b\[\d*A|\x1b\[1A|\r", sent)


def test_no_colour_and_ascii_are_respected(start: Start, sweep_file: WriteSweep) -> None:
    terminal = start(sweep_file(SMALL_SCAN), "--ascii", NO_COLOR="1")
    assert terminal.wait_end() == 0
    assert terminal.sent.isascii()
    parameters = {code for run in re.findall(rb"\x1b\[([0-9;]*)m", terminal.sent) for code in run.split(b";")}
    assert not parameters & {str(code).encode() for code in (*range(30, 38), *range(40, 48), *range(90, 98), 38, 48)}
    assert "small scan: done, 1/1 nets, 3/3 trials" in terminal.text()


def test_a_dumb_terminal_gets_lines(start: Start, sweep_file: WriteSweep) -> None:
    terminal = start(sweep_file(SMALL_SCAN), TERM="dumb")
    assert terminal.wait_end() == 0
    assert b"\x1b" not in terminal.sent
    assert "small scan: done, 1/1 nets, 3/3 trials" in terminal.text()


def test_no_event_is_left_out_however_many_come_between_two_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(tmp_path / "s.db") as store:

        def add(*texts: str, sweep_id: int | None) -> None:
            with store.transaction():
                for text in texts:
                    store.add_event("info", text, sweep_id=sweep_id)

        with store.transaction():
            ids = [
                store.add_sweep(SweepRecord(name, name.zfill(64), "{}", "scan", "-", ())) for name in ("other", "mine")
            ]
        add(*(f"old {number}" for number in range(300)), sweep_id=ids[1])

        def looks() -> Iterator[bool]:
            yield True
            add(*(f"new {number}" for number in range(1000)), sweep_id=ids[1])
            add("of another sweep", sweep_id=ids[0])
            add("of the store", sweep_id=None)
            yield False

        follow(tmp_path / "s.db", ["mine"], looks().__next__)
    texts = [row[10:] for row in capsys.readouterr().out.splitlines() if "scan" not in row]
    assert texts[:200] == [f"old {number}" for number in range(100, 300)]
    assert [text for text in texts if text.startswith("new")] == [f"new {number}" for number in range(1000)]
    assert "of the store" in texts
    assert "of another sweep" not in texts
