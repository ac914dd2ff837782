"""The app on a fake store, to be started on a pty: `python tui_child.py FD [ascii]`; FD gets a byte at every turn."""

import os
import sys

import tui_fakes
import tui_rows

from mlrtui.tui.app import MlrtuiApp


def main() -> None:
    report = int(sys.argv[1])

    def clock() -> float:
        os.write(report, b".")
        return tui_rows.NOW

    store = tui_fakes.scan_store()
    app = MlrtuiApp([store.source()], clock=clock, refresh=0.05, ascii_only="ascii" in sys.argv)
    app.run()


if __name__ == "__main__":
    main()
