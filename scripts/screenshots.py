"""Pictures of the screens for the documentation: `python -m scripts.screenshots STORE FOLDER [--size 120x36]`.

The app runs without a terminal on a real store and is driven by keys, so that a picture shows what a user would see.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import Wanted
from mlrtui_db.reader import Reader

__all__ = ["SCENES", "Scene", "draw_pictures", "main"]


@dataclass(frozen=True)
class Scene:
    """A picture: its name, the keys that lead to it from Live, and whether it is of the newest scan of the store."""

    name: str
    keys: tuple[str, ...] = ()
    of_scan: bool = False


_LIGHT = {"#292929": "#ffffff", "#c5c8c6": "#24292f"}
"""The paper and ink of a light terminal, in place of those that the export takes where a cell has no colour."""

_TRIAL_BEFORE = "left_square_bracket"

SCENES = (
    Scene("live"),
    Scene("live-scan", ("enter", _TRIAL_BEFORE, _TRIAL_BEFORE), of_scan=True),
    Scene("trial", ("enter", _TRIAL_BEFORE, _TRIAL_BEFORE, "enter"), of_scan=True),
    Scene(
        "compare",
        ("space", _TRIAL_BEFORE, _TRIAL_BEFORE, "space", *([_TRIAL_BEFORE] * 3), "space", "equals_sign"),
        of_scan=True,
    ),
    Scene("heat", ("v",)),
    Scene("boundary", ("b",)),
    Scene("exponents", ("2",)),
    Scene("exponents-groups", ("2", "g")),
    Scene("phases", ("6",), of_scan=True),
    Scene("phases-accuracy", ("6", "v"), of_scan=True),
    Scene("browse", ("3", "b", "j", "space")),
    Scene("log", ("5",)),
    Scene("palette", ("colon",)),
    Scene("help", ("question_mark",)),
)
"""What is drawn; after every key the screen is given the time to show what it asked for."""


def draw_pictures(store: Path, folder: Path, size: tuple[int, int] = (120, 36), *, light: bool = False) -> list[Path]:
    """Write one SVG a scene into `folder`, which is made where it is missing; returns the files.

    Raises:
        StoreError: the store cannot be read.
    """
    with Reader.open(store) as reader:
        scan = next((sweep.sweep_id for sweep in reader.sweeps() if sweep.mode == "scan"), None)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for scene in SCENES:
        sweep_id = scan if scene.of_scan else None
        app = MlrtuiApp([store_source(store)], refresh=60.0, color=True, light=light, wanted=Wanted(sweep_id=sweep_id))
        pictures: list[str] = []
        app.run(headless=True, size=size, auto_pilot=_photographer(app, scene.keys, pictures.append))
        if not pictures:
            raise RuntimeError(f"the screen {scene.name} could not be drawn")
        path = folder / f"{scene.name}.svg"
        picture = pictures[-1]
        for dark, other in _LIGHT.items() if light else ():
            picture = picture.replace(dark, other)
        path.write_text(picture, encoding="utf-8")
        written.append(path)
    return written


def _photographer(app: MlrtuiApp, keys: Sequence[str], keep: Callable[[str], None]) -> Any:
    """A pilot that presses keys, takes the picture and leaves."""

    async def shoot(pilot: Pilot[None]) -> None:
        await _settle(app, pilot)
        for key in keys:
            await pilot.press(key)
            await _settle(app, pilot)
        keep(app.export_screenshot(title="mlrtui", simplify=True))
        app.exit()

    return shoot


async def _settle(app: MlrtuiApp, pilot: Pilot[None], tries: int = 500) -> None:
    """Wait until the reading is the one that was asked for and has been drawn."""
    for _ in range(tries):
        await pilot.pause(0.01)
        reading = app.reading
        if reading is not None and reading.wanted == app.wanted and isinstance(app.screen, ReadingScreen):
            break
    await pilot.pause()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="120x36", help="columns and rows: 120x36")
    parser.add_argument("--light", action="store_true", help="colours for a light terminal")
    options = parser.parse_args(arguments)
    columns, _, rows = options.size.partition("x")
    if not (columns.isdigit() and rows.isdigit()):
        parser.error(f"--size {options.size}: columns and rows belong here, as in 120x36")
    size = int(columns), int(rows)
    for path in draw_pictures(options.store, options.folder, size, light=options.light):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
