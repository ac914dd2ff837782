"""`mlrtui watch`, `browse` and `status` of a store on another machine: mlrtui runs there, on this terminal.

Both machines may have different versions. So only options that were given are passed on.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.remote.address import Address
from mlrtui.text.escape import one_line

if TYPE_CHECKING:
    from mlrtui.commands.look import How

__all__ = ["browse", "status", "watch"]


def watch(stores: Sequence[Address | Path], how: "How") -> int:
    """A screen of that store; returns the exit code.

    Raises:
        BadInput: more than one store, of which one is on another machine.
    """
    (store, *others) = stores
    if others or not isinstance(store, Address):
        shown = ", ".join(one_line(str(store)) for store in stores)
        raise BadInput(f"{shown}: stores are compared on one machine; `mlrtui pull` copies one to here")
    sweep = [f"--sweep={name}" for name in how.sweeps]
    screen = () if how.screen == "live" else (f"--screen={how.screen}",)
    trials = [f"--trial={number}" for number in how.trials]
    return _shown(store, ["watch", *screen, *sweep, *trials, *_shown_as(how), *_options(how), "--store"], how)


def browse(stores: Sequence[Address | Path], how: "How") -> int:
    """The list of the sweeps of these stores, of which one or more are on other machines; returns the exit code.

    A single one is shown by the machine there. Several are put together here from what each machine prints, and a row
    of another machine is entered by its own screen.

    Raises:
        BadInput: there is no ssh.
        StoreError: a store on this machine cannot be read.
    """
    if len(stores) == 1 and isinstance(stores[0], Address):
        return _shown(stores[0], ["browse", *_shown_as(how), *_options(how)], how)
    from mlrtui.commands.hosts import browse_several

    return browse_several(stores, how)


def status(store: Address, *, as_json: bool) -> int:
    """What `mlrtui status` prints there, with its exit code."""
    from mlrtui.remote.ssh import hand_over

    return hand_over(store, ["status", *(["--json"] if as_json else []), "--store"], terminal=False)


def _shown(store: Address, words: list[str], how: "How") -> int:
    from mlrtui.remote.ssh import hand_over

    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not (how.once or how.as_json)
    return hand_over(store, words, terminal=terminal)


def _shown_as(how: "How") -> list[str]:
    return [f"--show={text}" for text in how.shown]


def _options(how: "How") -> list[str]:
    from mlrtui.remote.ssh import wants_ascii

    given = {
        "--once": how.once,
        "--json": how.as_json,
        "--ascii": how.ascii_only or wants_ascii(),
        "--no-mouse": not how.mouse,
        f"--refresh={how.refresh}": how.refresh is not None,
        f"--size={how.size}": how.size is not None,
    }
    return [option for option, is_given in given.items() if is_given]
