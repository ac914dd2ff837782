"""What is on the screen as files: the data behind it, a picture, its text; and the command that shows it again."""

import csv
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mlrtui.tui.choices import said
from mlrtui.tui.state import Mark, Reading, Wanted
from mlrtui.tui.tables import Table

__all__ = ["command_for", "keep", "write_screen"]

# Screens that `watch` begins with.
_WATCHED = ("live", "trial", "boundary", "exponents", "phases", "compare", "log", "workers")


def keep(folder: Path, stem: str, text: str, picture: str, tables: Sequence[Table]) -> str:
    """Write a screen and the data behind it; what came of it, in words."""
    try:
        files = write_screen(folder, stem, text, picture, tables)
    except OSError as error:
        return f"nothing written: {error.strerror or error}: {error.filename}"
    first = files[0]
    return f"written: {', '.join([first.name, *(file.name.removeprefix(first.stem) for file in files[1:])])}"


def write_screen(folder: Path, stem: str, text: str, picture: str, tables: Sequence[Table]) -> tuple[Path, ...]:
    """Write STEM.txt, STEM.svg, and of the tables that have rows STEM.csv and STEM-NAME.csv.

    Files that are there stay: the next ones are called STEM-2 and so on.

    Raises:
        OSError: the folder cannot be written.
    """
    filled = [table for table in tables if table.rows]
    endings = [".txt", ".svg", *(f"-{table.name}.csv" if table.name else ".csv" for table in filled)]
    number, name = 1, stem
    while any((folder / f"{name}{ending}").exists() for ending in (*endings, ".csv")):
        number += 1
        name = f"{stem}-{number}"
    written = [folder / f"{name}{ending}" for ending in endings]
    written[0].write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    written[1].write_text(picture, encoding="utf-8")
    for path, table in zip(written[2:], filled, strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.columns)
            writer.writerows(table.rows)
    return tuple(written)


def command_for(
    screen: str,
    reading: Reading | None,
    wanted: Wanted,
    trials: Sequence[int],
    sweeps: Sequence[tuple[int, int]] = (),
    choices: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The command that shows a screen again: its store, its sweep, the trials that are chosen or compared, and how
    it is set. `sweeps` are those that are compared, by store and number.

    There is no comment behind it, since not every shell takes one at its prompt.
    """
    if reading is None or not reading.stores:
        return ""
    shown = [f"--show {shlex.quote(text)}" for text in said(choices)]
    if wanted.browsing or reading.snapshot is None:
        return " ".join(
            ["mlrtui browse", *(shlex.quote(other.place or other.label) for other in reading.stores), *shown]
        )
    if sweeps:
        return " ".join([*_compared(reading, sweeps), *shown])
    mark = Mark(wanted.store, reading.snapshot.sweep.sweep_id, None)
    if screen == "compare" and wanted.compared:  # what was marked may be of another store and sweep
        mark = wanted.compared[0]
    store = reading.stores[mark.store]
    parts = ["mlrtui watch --store", shlex.quote(store.place or store.label)]
    parts += [f"--sweep {shlex.quote(row.name)}" for row in store.sweeps if row.sweep_id == mark.sweep_id]
    if screen in _WATCHED:
        parts.append(f"--screen {screen}")
    return " ".join([*parts, *(f"--trial {trial_id}" for trial_id in trials), *shown])


def _compared(reading: Reading, sweeps: Sequence[tuple[int, int]]) -> list[str]:
    """The command that compares sweeps: one store for all, or one for each."""
    stores = [reading.stores[at] for at, _ in sweeps]
    named = stores if len({at for at, _ in sweeps}) > 1 else stores[:1]
    parts = ["mlrtui watch", *(f"--store {shlex.quote(store.place or store.label)}" for store in named)]
    for store, (_, sweep_id) in zip(stores, sweeps, strict=True):
        parts += [f"--sweep {shlex.quote(row.name)}" for row in store.sweeps if row.sweep_id == sweep_id]
    return [*parts, "--screen compare"]
