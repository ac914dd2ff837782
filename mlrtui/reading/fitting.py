"""Fits over stored results by any variables: what `mlrtui fit` prints and `Store.fit` gives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mlrtui.analysis import fits
from mlrtui.analysis.expressions import ExpressionError, cell_condition, cell_number
from mlrtui.analysis.points import points
from mlrtui.analysis.quantities import QUANTITIES, lacks
from mlrtui.analysis.rows import Row
from mlrtui.errors import BadInput
from mlrtui.reading.quantities import quantity_rows
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["Question", "answers", "chosen", "fitted"]


@dataclass(frozen=True)
class Question:
    """A fit that is asked for."""

    y: str = "eta_star"
    x: tuple[str, ...] = ("depth*width",)
    where: str = ""
    group_by: tuple[str, ...] | None = None  # axes; None: all that vary but depth and width
    mixed_rules: bool = False
    censored: str = fits.DROP


def answers(
    readers: Sequence[Reader], sweeps: Sequence[str], asked: Question, option: Callable[[str], str] = "--{}".format
) -> dict[str, fits.FitResult]:
    """A fit for each group of cells, by the condition that the group meets ("" where there is one group).

    Args:
        readers: of the stores whose cells are fitted together.
        sweeps: names of the sweeps; none: all that have what is fitted.
        asked: the fit.
        option: how messages write the name of a part of it.

    Raises:
        BadInput: an unknown sweep, axis or quantity, or an expression that cannot be read.
        StoreError: a store cannot be read.
    """
    if asked.y not in QUANTITIES:
        raise BadInput(f"{option('y')} {asked.y!r}: use one of {', '.join(QUANTITIES)}")
    if asked.censored not in (fits.DROP, fits.BOUND):
        raise BadInput(f"{option('censored')} {asked.censored!r}: use {fits.DROP} or {fits.BOUND}")
    rows, sizes = _rows(readers, sweeps, asked.y, option)
    cells = points(rows, asked.y, sizes)
    _refuse_unreadable(asked, fits.own_names(cells), option)
    groups = fits.grouped(cells, asked.group_by)
    spec = fits.FitSpec(asked.y, asked.x, asked.where, asked.mixed_rules, asked.censored)
    return {condition: fits.fit(group, spec) for condition, group in groups.items()}


def chosen(reader: Reader, names: Sequence[str]) -> list[SweepRow]:
    """The sweeps of these names, or all of the store, oldest first.

    Raises:
        BadInput: there is no sweep of this name.
    """
    known = {row.name: row for row in reversed(reader.sweeps())}
    unknown = [name for name in names if name not in known]
    if unknown:
        held = ", ".join(repr(name) for name in known) or "none"
        raise BadInput(f"{unknown[0]!r}: no sweep of this name in {reader.path}; it contains {held}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def fitted(reader: Reader, names: Sequence[str], y: str) -> list[SweepRow]:
    """The sweeps whose cells `answers` fits."""
    return [sweep for sweep in chosen(reader, names) if not _lacks(sweep, y)]


def _refuse_unreadable(asked: Question, own: Mapping[str, float | str], option: Callable[[str], str]) -> None:
    """Raise BadInput with every expression and name that cannot be read."""
    mistakes = []
    for name, texts, read in (
        ("x", asked.x, partial(cell_number, own=own)),
        ("where", (asked.where,) if asked.where.strip() else (), partial(cell_condition, own=own)),
        ("group-by", asked.group_by or (), lambda name: fits.grouped((), (name,))),
    ):
        for text in texts:
            try:
                read(text)
            except ExpressionError as error:
                mistakes.append(f"{option(name)} {text!r}: {error}")
    if mistakes:
        raise BadInput.gather(mistakes)


def _rows(
    readers: Sequence[Reader], sweeps: Sequence[str], y: str, option: Callable[[str], str]
) -> tuple[list[Row], dict[str, int]]:
    """Rows of all chosen sweeps, whose cells are named apart where there are several; and parameters by cell."""
    found: list[tuple[str, str, Row]] = []
    sizes: dict[tuple[str, str], int] = {}
    held: set[str] = set()
    without: list[str] = []  # sweeps that have no such quantity, each with why
    for reader in readers:
        there = {row.name for row in reader.sweeps()}
        held |= there
        wanted = [name for name in sweeps if name in there]
        for sweep in chosen(reader, wanted) if wanted or not sweeps else ():
            name = f"{reader.path.name}: {sweep.name}" if len(readers) > 1 else sweep.name
            missing = _lacks(sweep, y)
            if missing and sweeps:
                raise BadInput(f"{option('y')} {y!r}: {missing}")
            if missing:
                without.append(missing)
                continue
            searched = _searched(sweep)
            rows = quantity_rows(reader, sweep.name, sweep.mode, [y])[y]
            found += [(name, str(row["cell"]), {**row, **searched}) for row in rows]
            sizes |= {(name, label): size for label, size in reader.sizes(sweep.sweep_id).items()}
    if unknown := [name for name in sweeps if name not in held]:
        raise BadInput(
            f"{unknown[0]!r}: no sweep of this name; there are {', '.join(map(repr, sorted(held))) or 'none'}"
        )
    if not found and without:
        more = f"; and {len(without) - 1} more" if len(without) > 1 else ""
        raise BadInput(f"{option('y')} {y!r}: {without[0]}{more}")
    if not held:
        raise BadInput(f"{readers[0].path}: there is no sweep in it")
    several = len({name for name, _, _ in found}) > 1
    shown = {key: f"{key[0]}: {key[1]}" if several else key[1] for key in sizes}
    return (
        [{**row, "cell": shown[name, label]} for name, label, row in found],
        {shown[key]: size for key, size in sizes.items()},
    )


def _searched(sweep: SweepRow) -> dict[str, object]:
    """What cells of several searches differ in that is no axis: the accuracy that is sought."""
    search = json.loads(sweep.spec).get("search")
    threshold = search.get("threshold") if isinstance(search, dict) else None
    return {"threshold": float(threshold)} if isinstance(threshold, int | float) else {}


def _lacks(sweep: SweepRow, y: str) -> str:
    """Why a sweep has no such quantity; "" where it may have it."""
    if sweep.mode == "recorded":
        return f"{sweep.name!r} is a recorded run, which has no grid to fit over"
    if sweep.is_map:
        return f"{sweep.name!r} is a map, which has no grid to fit over; see mlrtui map"
    missing = lacks(y, sweep.mode, _rates(sweep))
    return f"sweep {sweep.name!r}: {missing}" if missing else ""


def _rates(sweep: SweepRow) -> int:
    """Trainings of each net of a scan; 0: it is none."""
    scan = json.loads(sweep.spec).get("scan") or {}
    by_width = scan.get("eta_width") or {}
    return len(scan.get("eta") or scan.get("eta_lambda0") or by_width.get("factor") or ())
