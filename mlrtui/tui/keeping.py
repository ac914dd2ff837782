"""What is on the screen as files: the data behind it, a picture, its text; and what a copy puts on the clipboard."""

import csv
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrtui.tui.curves import Trace
from mlrtui.tui.state import Reading

__all__ = ["Table", "command_for", "curve_table", "keep", "screen_table", "sweep_table", "write_screen"]

_CURVE = ("trial_id", "attempt", "eta", "step", "loss", "sharpness", "eta_sharpness_over_2", "flags")
_SWEEP = ("store", "name", "mode", "status", "created_at", "cells", "nets", "nets_done", "trials_done", "trials_failed")

Value = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Columns and rows; non-finite numbers are empty, the column flags says why."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def screen_table(reading: Reading | None, browsing: bool) -> Table:
    """The data behind a screen: the sweeps of Browse, the marked curves of Compare, else the chosen curve."""
    if reading is None:
        return Table((), ())
    if browsing:
        return sweep_table(reading)
    if reading.compared:
        return curve_table([(one.trace, _eta(dict(one.details.trial).get("eta"))) for one in reading.compared])
    if reading.trace is None or reading.trial is None:
        return Table(_CURVE, ())
    return curve_table([(reading.trace, reading.trial.eta)])


def curve_table(traces: Sequence[tuple[Trace, float]]) -> Table:
    """Every stored step of some trials, each given with its learning rate."""
    rows: list[tuple[Value, ...]] = []
    for trace, eta in traces:
        columns = zip(
            trace.step.tolist(), trace.loss.tolist(), trace.sharpness.tolist(), trace.flags.tolist(), strict=True
        )
        for step, loss, sharpness, flags in columns:
            ratio = _finite(sharpness * eta / 2)
            rows.append((trace.trial_id, trace.attempt, eta, step, _finite(loss), _finite(sharpness), ratio, flags))
    return Table(_CURVE, tuple(rows))


def sweep_table(reading: Reading) -> Table:
    """All sweeps of all stores with their main law."""
    rows: list[tuple[Value, ...]] = []
    for store in reading.stores:
        laws = dict(store.headlines)
        for sweep in store.sweeps:
            law = laws.get(sweep.sweep_id)
            fit: tuple[Value, ...] = (None,) * 4 if law is None else (law.fit, law.exponent, law.low, law.high)
            rows.append((store.place or store.label, *(getattr(sweep, name) for name in _SWEEP[1:]), *fit))
    return Table((*_SWEEP, "fit", "exponent", "low", "high"), tuple(rows))


def keep(folder: Path, stem: str, text: str, picture: str, reading: Reading | None, browsing: bool) -> str:
    """Write a screen and the data behind it; what came of it, in words."""
    try:
        files = write_screen(folder, stem, text, picture, screen_table(reading, browsing))
    except OSError as error:
        return f"nothing written: {error.strerror or error}: {error.filename}"
    return f"written: {', '.join(file.name for file in files)}"


def write_screen(folder: Path, stem: str, text: str, picture: str, table: Table) -> tuple[Path, ...]:
    """Write STEM.txt, STEM.svg and, where there are rows, STEM.csv; files that are there stay: STEM-2 and so on.

    Raises:
        OSError: the folder cannot be written.
    """
    number, name = 1, stem
    while any((folder / f"{name}.{kind}").exists() for kind in ("txt", "svg", "csv")):
        number += 1
        name = f"{stem}-{number}"
    written = [folder / f"{name}.txt", folder / f"{name}.svg"]
    written[0].write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    written[1].write_text(picture, encoding="utf-8")
    if table.rows:
        written.append(folder / f"{name}.csv")
        with written[2].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.columns)
            writer.writerows(table.rows)
    return tuple(written)


def command_for(reading: Reading | None, browsing: bool) -> str:
    """What is selected, and the command that shows it again."""
    if reading is None or not reading.stores:
        return ""
    store = reading.stores[reading.wanted.store]
    place = shlex.quote(store.place or store.label)
    if browsing or reading.snapshot is None:
        return "mlrtui browse " + " ".join(shlex.quote(other.place or other.label) for other in reading.stores)
    sweep, trial, cell = reading.snapshot.sweep, reading.trial, reading.cell
    newest = sweep.sweep_id == max(row.sweep_id for row in store.sweeps) if store.sweeps else True
    command = f"mlrtui watch --store {place}" if newest else f"mlrtui browse {place}"
    if trial is None or cell is None:
        return f"{command}  # sweep {sweep.name!r}"
    which = f"{cell.depth}x{cell.width} seed {trial.seed} eta {trial.eta!r}"
    return f"{command}  # sweep {sweep.name!r}, trial {trial.trial_id}: {which}"


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _eta(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
