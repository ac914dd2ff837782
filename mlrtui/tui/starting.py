"""Starting the app on stores: what the terminal can show, which files are opened, where bookmarks are kept."""

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlrtui.tui.ports import StoreSource
    from mlrtui.tui.state import Mark, Wanted

__all__ = ["is_light", "load_ahead", "run_app", "store_source"]


def run_app(
    store_paths: Sequence[Path],
    *,
    start: str = "live",
    wanted: "Wanted | None" = None,
    marked: "tuple[Mark, ...]" = (),
    refresh: float | None = None,
    ascii: bool | None = None,
    color: bool | None = None,
    mouse: bool = True,
) -> int:
    """Run the screens until the user leaves; 0, or 1 when the screen itself broke.

    What is None is taken from the user's settings; `ascii` then from the locale and TERM, `color` from NO_COLOR.

    Raises:
        BadInput: the settings have a mistake.
    """
    gc.disable()  # until `load_ahead` has run: what is imported until then is no garbage, and looking at it takes 50 ms
    from platformdirs import user_state_path

    from mlrtui.tui.app import MlrtuiApp
    from mlrtui.tui.bookmarks import Bookmarks
    from mlrtui.tui.machine import Machine
    from mlrtui.tui.settings import load_settings, settings_path
    from mlrtui.tui.terminal import ascii_needed, leave_with_terminal

    chosen = load_settings(settings_path())
    if ascii is None:
        ascii = ascii_needed() if chosen.ascii is None else chosen.ascii
    app = MlrtuiApp(
        [store_source(path) for path in store_paths],
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
