"""What the screen benchmarks stand on: a program on a pseudo-terminal, and a store that can be used again."""

import os
import select
import sys
from pathlib import Path

import pytest

from benchmarks.make_store import made_before, make, restart, steps
from benchmarks.terminal import Screen
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

PROGRAM = """
import subprocess, sys, termios, tty
tty.setraw(0, termios.TCSANOW)
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("below", below.pid, "ready", end="", flush=True)
while key := sys.stdin.read(1):
    print(key * 3, end="", flush=True)
"""


def test_a_screen_counts_what_is_sent_and_ends_all_that_was_started() -> None:
    screen = Screen((80, 24), sys.executable, "-u", "-c", PROGRAM)
    try:
        assert screen.wait_for(b"ready") > 0
        below = int(bytes(screen.sent).split()[1])
        ended = os.pidfd_open(below)  # readable once it has ended
        assert not select.select([ended], [], [], 0)[0]
        assert screen.listen(0.1) == 0
        first, last, sent = screen.key(b"x")
        assert sent == 3
        assert 0 < first <= last
        assert screen.sent.endswith(b"xxx")
        assert screen.memory() > 10  # two interpreters
        assert screen.cpu() > 0
        with pytest.raises(SystemExit, match="never came"):
            screen.wait_for(b"never sent", patience=0.01)
    finally:
        screen.close()
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)


def test_a_made_store_can_be_used_again(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    made = make(path, 1_000, 300)
    assert made_before(path) == made
    with Store.open(path) as store:
        attempt = restart(store, made.running_trial, 20)
        with store.transaction():
            store.append_steps(steps(made.running_trial, 1, 20, 5, attempt=attempt))
        with Reader.open(path) as reader:
            trial = reader.trial(made.running_trial)
            assert trial is not None
            assert (trial.status, trial.n_steps) == ("running", 25)
            assert reader.curve(made.long_trial).loss[made.spike[0]] == made.spike[1]
