"""A screen whose terminal goes away without a signal must end, not read from nothing for ever."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from mlrtui_db.store import Store


def test_the_screen_ends_with_its_terminal(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    Store.open(store).close()
    ours, theirs = pty.openpty()
    screen = subprocess.Popen(  # not the leader of a session on this terminal: no SIGHUP reaches it
        [sys.executable, "-m", "mlrtui.cli", "watch", "--store", str(store)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b"mlrtui" not in seen:
        seen += os.read(ours, 65536)
    os.close(ours)
    assert screen.wait(timeout=60) == 129
