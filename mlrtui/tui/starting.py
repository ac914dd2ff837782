"""Starting the app on stores: what the terminal can show, which files are opened, where bookmarks are kept."""

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mlrtui.errors import BadInput
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.state import MOST_MARKS, Mark, Starting, Wanted

__all__ = ["is_light", "load_ahead", "looked_at", "run_app", "store_source"]


def run_app(
    stores: "Sequence[Path | StoreSource]",
    *,
    start: str = "live",
    wanted: "Wanted | None" = None,
    marked: "tuple[Mark, ...]" = (),
    refresh: float | None = None,
    ascii: bool | None = None,
    color: bool | None = None,
    mouse: bool = True,
    starting: "Starting | None" = None,
    choices: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run the screens until the user leaves; 0, or 1 when the screen itself broke.

    What is None is taken from the user's settings; `ascii` then from the locale and TERM, `color` from NO_COLOR.

    Raises:
        BadInput: the settings have a mistake.
    """
    gc.disable()  # until `load_ahead` has run: what is imported until then is no garbage, and looking at it takes 50 ms
    from platformdirs import user_state_path

    from mlrtui.text.terminal import ascii_needed, leave_with_terminal
    from mlrtui.tui.app import MlrtuiApp
    from mlrtui.tui.browse.bookmarks import Bookmarks
    from mlrtui.tui.machine import Machine
    from mlrtui.tui.settings import load_settings, settings_path

    chosen = load_settings(settings_path())
    if ascii is None:
        ascii = ascii_needed() if chosen.ascii is None else chosen.ascii
    app = MlrtuiApp(
        [store_source(store) if isinstance(store, Path) else store for store in stores],
        start=start,
        wanted=wanted,
        marked=marked,
        refresh=chosen.refresh if refresh is None else refresh,
        ascii_only=ascii,
        light=is_light(chosen.theme),
        keys=chosen.keys,
        color=color,
        bookmarks=Bookmarks(user_state_path("mlrtui") / "bookmarks.json"),
        machine=Machine().look,
        ahead=load_ahead,
        starting=starting,
        choices=choices,
    )
    leave_with_terminal()
    app.run(mouse=mouse and chosen.mouse)
    return app.return_code or 0


def load_ahead(ended: Callable[[], bool]) -> None:
    """Import what any key may lead to, and let no collection of garbage look at all that again: it would stop the
    screen for 0.1 s each time.
    """
    from mlrtui.tui.modes import load_all

    try:
        load_all(ended)
    finally:
        gc.freeze()
        gc.enable()


def store_source(path: Path) -> "StoreSource":
    """A store file, opened by the thread that reads it."""
    from mlrtui.tui.ports import StoreSource
    from mlrtui_db.reader import Reader

    return StoreSource(path.name, lambda: Reader.open(path), str(path.resolve()))


def is_light(theme: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are to suit a light terminal. "auto" reads COLORFGBG, "text;background" in the 16 colours."""
    if theme != "auto":
        return theme == "light"
    return environment.get("COLORFGBG", "").rsplit(";", 1)[-1] in ("7", "15")


def looked_at(reader: StoreReader, sweep: str | None, trials: Sequence[int]) -> tuple[Wanted, tuple[Mark, ...]]:
    """What a sweep's name and trials' numbers mean in a store: what is looked at, and what is marked.

    Raises:
        BadInput: there is no such sweep or trial.
    """
    marks = []
    for trial_id in trials:
        details = reader.trial_details(trial_id)
        if details is None:
            raise BadInput(f"--trial {trial_id}: not in this store; the view `phases` lists the trials of a sweep")
        row = dict(details.trial) | dict(details.net) | dict(details.cell)
        marks.append((Mark(0, _number(row["sweep_id"]), trial_id), _number(row["cell_id"])))
    named = [row.sweep_id for row in reader.sweeps() if row.name == sweep] if sweep is not None else []
    if sweep is not None and not named:
        known = ", ".join(repr(row.name) for row in reader.sweeps()) or "none"
        raise BadInput(f"--sweep {sweep!r}: not in this store; it has {known}")
    if not marks:
        return Wanted(sweep_id=next(iter(named), None)), ()
    first, cell_id = marks[0]
    if named and named[0] != first.sweep_id:
        raise BadInput(f"--trial {trials[0]}: not of sweep {sweep!r}; leave --sweep out")
    return Wanted(0, first.sweep_id, cell_id, first.trial_id), tuple(mark for mark, _ in marks[-MOST_MARKS:])


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
