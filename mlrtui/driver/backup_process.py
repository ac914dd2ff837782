"""The process that renews a backup: a disk that does not answer holds up this one, never the driver.

Its arguments are the number of the driver, the store and the copy. What goes wrong is one line on standard error.
"""

import signal
import sys
from pathlib import Path

from mlrtui import tether

__all__ = ["main"]


def main() -> int:
    """Renew the backup; 0 done, 3 it could not be made."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):  # a job's, meant for the driver
        signal.signal(number, signal.SIG_IGN)
    parent, store, copy = sys.argv[1:]
    tether.tie(int(parent))
    from mlrtui_db import copies
    from mlrtui_db.errors import StoreError

    try:
        copies.renew_backup(Path(store), Path(copy))
    except (StoreError, OSError) as error:
        sys.stderr.write(" ".join(str(error).split()))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
