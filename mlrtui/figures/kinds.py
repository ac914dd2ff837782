"""The figures by name: what each reads of a store, how it is drawn, and how it looks as text.

Another figure is a `Figure` registered here; another package adds one by an entry point of the group `mlrtui.figures`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrtui.analysis.expressions import ExpressionError, cell_condition
from mlrtui.charts.plain import TextChart
from mlrtui.errors import BadInput
from mlrtui.figures import (
    accuracies,
    astext,
    forest,
    fork_curves,
    laws,
    onset_marks,
    optima,
    scans,
    searches,
    success_maps,
    trainings,
)
from mlrtui.figures.groups import default_x
from mlrtui.figures.rows import Row, Training, by_net, number, text_of
from mlrtui.figures.rows import view_rows as rows_of_view
from mlrtui.text.numbers import counted
from mlrtui_db.axes import axis_values
from mlrtui_db.flags import nonfinite
from mlrtui_db.models import SweepRow, TrialRow
from mlrtui_db.own import own_values
from mlrtui_db.reader import Reader
from mlrtui_trainer.registry import Registry, UnknownNameError
from mlrtui_trainer.schedules import rate_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES", "MOST_CURVES", "Asked", "Figure", "Loaded", "read_trainings", "view_rows"]

MOST_CURVES = 12
"""Curves of one figure; with more nobody tells them apart."""

_MOST_CELLS = 7  # of one figure, by as many colours and shapes


@dataclass(frozen=True)
class Asked:
    """What a figure is to show."""

    x: str = ""  # an expression of a cell; "": the figure's own
    where: str = ""
    group_by: tuple[str, ...] | None = None  # axes; None: all that vary
    predicted: bool = False  # with predictions beyond the cells


@dataclass(frozen=True)
class Loaded:
    """What a figure is drawn from, and what a person is to be told of it."""

    data: Any  # what ``draw`` of the same figure takes
    notes: tuple[str, ...] = ()
    rows: int = 0  # lines that the figure needs, where its height follows them


@dataclass(frozen=True)
class Figure:
    """One kind of figure."""

    text: str
    modes: tuple[str, ...]  # of the sweeps that have it, the usual one first
    load: Callable[[Reader, Sequence[SweepRow], Asked], Loaded]
    draw: Callable[[Any, "Axes", Asked], "Axes"]
    plain: Callable[[Any, Asked], TextChart]
    height: float = 1.0  # of the size's own
    per_row: float = 0.0  # inches
    takes: frozenset[str] = field(default_factory=frozenset)  # of x, group_by and predict

    def refuse(self, kind: str, asked: Asked, option: Callable[[str], str]) -> None:
        """Raise BadInput for what a figure does not take; ``option`` is how messages write a name."""
        if asked.group_by is not None and "group_by" not in self.takes:
            raise BadInput(f"{option('group_by')} the figure {kind} has no groups; leave it out")
        if asked.x and "x" not in self.takes:
            raise BadInput(f"{option('x')} the figure {kind} has no variable to choose; leave it out")
        if asked.predicted and "predict" not in self.takes:
            raise BadInput(f"{option('predict')} the figure {kind} has no predictions; leave it out")


FIGURES = Registry[Figure]("figure", "mlrtui.figures")
"""All figures by name."""


def view_rows(reader: Reader, view: str, sweeps: Sequence[SweepRow], where: str = "") -> list[Row]:
    """Rows of a view, of these sweeps and of the cells for which the condition holds.

    Raises:
        BadInput: the condition cannot be read, or holds for no cell.
    """
    found: list[Row] = []
    for sweep in sweeps:
        found += rows_of_view(reader, view, sweep.name)
    if not where.strip() or not found:
        return found
    own = {name: value for row in found for name, value in own_values(row.get("own")).items()}
    try:
        condition = cell_condition(where, own)
        kept = [row for row in found if condition.evaluate(own_values(row.get("own")) | axis_values(row))]
    except ExpressionError as error:
        raise BadInput(f"--where {where!r}: {error}") from None
    if not kept:
        raise BadInput(f"--where {where!r}: holds for no cell of {', '.join(repr(row.name) for row in sweeps)}")
    return kept


def read_trainings(reader: Reader, rows: Sequence[Row]) -> tuple[list[Training], tuple[str, ...]]:
    """Trainings of the first net of some rows of `phases`, by rate, and a sentence on what is left out."""
    nets = by_net(row for row in rows if text_of(row, "verdict") != "failed")
    if not nets:
        return [], ()
    (sweep, cell, seed), its = next(iter(nets.items()))
    notes = []
    if len(nets) > 1:
        notes.append(f"shows {sweep!r}, cell {cell}, seed {seed}; {len(nets) - 1} other nets are left out (--where)")
    its = sorted(its, key=lambda row: number(row, "eta"))
    if len(its) > MOST_CURVES:
        notes.append(f"shows {MOST_CURVES} of {len(its)} rates, those next to changes of phase first")
        its = _around_changes(its)
    return [_training(reader, row) for row in its], tuple(notes)


def _around_changes(its: Sequence[Row]) -> list[Row]:
    """At most `MOST_CURVES` of a net's trainings: its ends, those next to a change of phase, then the rest evenly."""
    kinds = [text_of(row, "phase") for row in its]
    wanted = [0, len(its) - 1]
    for place in range(1, len(its)):
        if kinds[place] != kinds[place - 1]:
            wanted += [place - 1, place]
    wanted += [round(place) for place in np.linspace(0, len(its) - 1, MOST_CURVES)] + list(range(len(its)))
    return [its[place] for place in sorted(list(dict.fromkeys(wanted))[:MOST_CURVES])]


def _training(reader: Reader, row: Row) -> Training:
    curve = reader.curve(int(number(row, "trial_id")), residuals=False)
    flags = np.asarray(curve.flags, dtype=np.int64)
    columns = {name: np.array(getattr(curve, name), dtype=np.float64) for name in ("loss", "sharpness", "accuracy")}
    for name, values in columns.items():
        for bit in nonfinite(name):
            values[(flags & bit) != 0] = np.inf  # not finite is not the same as not measured
    steps = np.array(curve.step, dtype=np.float64)
    trial = reader.trial(curve.trial_id)
    edge = trial.edge if trial is not None else None
    return Training(
        eta=number(row, "eta"),
        c=number(row, "eta_lambda0"),
        step=steps,
        edge=edge if edge is not None and edge > 0 else nan,
        eta_along=None if trial is None or trial.schedule is None else _rates(trial, steps),
        phase=text_of(row, "phase"),
        cell=text_of(row, "cell"),
        seed=int(number(row, "seed")) if not isnan(number(row, "seed")) else 0,
        **columns,
    )


def _rates(trial: TrialRow, steps: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The learning rate of each step, [steps]; NaN where the package that has the schedule is not installed."""
    assert trial.schedule is not None
    try:
        shares = [rate_at(trial.schedule, trial.warmup_steps or 0, trial.max_steps, int(step)) for step in steps]
    except UnknownNameError:
        return np.full(len(steps), nan)
    return trial.eta * np.array(shares, dtype=np.float64)


def _laws(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    return Loaded((view_rows(reader, "eta_star", sweeps), _sizes(reader, sweeps)))


def _sizes(reader: Reader, sweeps: Sequence[SweepRow]) -> dict[str, int]:
    """Trained parameters by label of a cell."""
    return {label: size for sweep in sweeps for label, size in reader.sizes(sweep.sweep_id).items()}


def _draw_laws(data: tuple[list[Row], dict[str, int]], axes: "Axes", asked: Asked) -> "Axes":
    rows, sizes = data
    x = asked.x or laws.PRODUCT
    return laws.eta_star(
        rows, axes, x=x, where=asked.where, group_by=asked.group_by, n_params=sizes, predicted=asked.predicted
    )


def _laws_as_text(data: tuple[list[Row], dict[str, int]], asked: Asked) -> TextChart:
    x = asked.x or laws.PRODUCT
    found = laws.laws(data[0], x=x, where=asked.where, group_by=asked.group_by, n_params=data[1])
    return astext.eta_star(found, x, asked.predicted)


def _fits(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    if asked.where.strip():
        raise BadInput("--where: exponents are those of the stored fits; `mlrtui fit --where` makes another")
    rows = view_rows(reader, "exponents", sweeps)
    return Loaded(rows, rows=len(rows))


def _scan(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    return Loaded(view_rows(reader, "phases", sweeps, asked.where))


def _curves(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    found, notes = read_trainings(reader, view_rows(reader, "phases", sweeps, asked.where))
    return Loaded(found, notes)


def _forks(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    rows = view_rows(reader, "forks", sweeps, asked.where)
    cells = list(dict.fromkeys((text_of(row, "sweep"), text_of(row, "cell")) for row in rows))
    kept = set(cells[:_MOST_CELLS])
    left = f"shows {_MOST_CELLS} of {len(cells)} cells; choose others with --where"
    shown = [row for row in rows if (text_of(row, "sweep"), text_of(row, "cell")) in kept]
    return Loaded(shown, (left,) if len(cells) > _MOST_CELLS else ())


def _maps(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    found: list[success_maps.SuccessMap] = []
    for sweep in sweeps:
        section = success_maps.section_of(sweep.spec)
        if section is not None:
            found += success_maps.success_maps(sweep.name, section, view_rows(reader, "maps", [sweep], asked.where))
    if not found:
        raise BadInput(f"{reader.path}: no sweep in it is a map; the figure map needs one with [map] in its file")
    one = found[0]
    left = f"shows map {one.number} of {one.sweep!r}, seed {one.seed}; {len(found) - 1} others are left out (--where)"
    return Loaded(one, (left,) if len(found) > 1 else ())


def _tried(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    rows = view_rows(reader, "boundaries", sweeps, asked.where)
    nets = view_rows(reader, "eta_star", sweeps, asked.where)
    return Loaded((rows, nets), rows=len(by_net(rows)))


def _optima(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    modes = {sweep.mode: sweep.name for sweep in sweeps}
    if len(modes) > 1:
        raise BadInput(f"{modes['search']!r} has η*, {modes['scan']!r} rates of a scan: draw them apart")
    view = "eta_star" if "search" in modes else "phases"
    rows = view_rows(reader, view, sweeps, asked.where)
    left = sum(sweep.nets - sweep.nets_done for sweep in sweeps)
    notes = (f"not done: {counted(left, 'net')}; best rates may change",) if left and view == "phases" else ()
    return Loaded((optima.best_rates(rows) if view == "phases" else rows, _sizes(reader, sweeps)), notes)


def _draw_optima(data: tuple[list[Row], dict[str, int]], axes: "Axes", asked: Asked) -> "Axes":
    rows, sizes = data
    return optima.transfer(rows, axes, x=asked.x or default_x(rows), group_by=asked.group_by, n_params=sizes)


def _optima_as_text(data: tuple[list[Row], dict[str, int]], asked: Asked) -> TextChart:
    rows, sizes = data
    x = asked.x or default_x(rows)
    return astext.transfer(optima.optima(rows, x, asked.group_by, sizes), x)


def _onsets(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    rows = view_rows(reader, "onsets", sweeps, asked.where)
    return Loaded((rows, view_rows(reader, "phases", sweeps, asked.where), _sizes(reader, sweeps)))


def _draw_onsets(data: tuple[list[Row], list[Row], dict[str, int]], axes: "Axes", asked: Asked) -> "Axes":
    rows, tried, sizes = data
    return onset_marks.onsets(rows, tried, axes, x=asked.x, group_by=asked.group_by, n_params=sizes)


def _onsets_as_text(data: tuple[list[Row], list[Row], dict[str, int]], asked: Asked) -> TextChart:
    rows, tried, sizes = data
    return astext.onsets(onset_marks.series(rows, tried, asked.x, asked.group_by, sizes), asked.x or default_x(rows))


def _ends(reader: Reader, sweeps: Sequence[SweepRow], asked: Asked) -> Loaded:
    rows = [row for row in view_rows(reader, "phases", sweeps, asked.where) if text_of(row, "verdict") != "failed"]
    cells = list(dict.fromkeys((text_of(row, "sweep"), text_of(row, "cell")) for row in rows))
    kept = set(cells[:_MOST_CELLS])
    left = f"shows {_MOST_CELLS} of {len(cells)} cells; choose others with --where"
    found = [_training(reader, row) for row in rows if (text_of(row, "sweep"), text_of(row, "cell")) in kept]
    return Loaded(found, (left,) if len(cells) > _MOST_CELLS else ())


FIGURES.register(
    "eta-star",
    Figure("η* over a size, with a power law for each group", ("search",), _laws, _draw_laws, _laws_as_text,
           takes=frozenset({"x", "group_by", "predict"})),
)  # fmt: skip
FIGURES.register(
    "exponents",
    Figure("fitted exponents with their intervals", ("search", "scan"), _fits,
           lambda data, axes, _: forest.exponents(data, axes), lambda data, _: astext.exponents(data), 0.3, 0.3),
)  # fmt: skip
FIGURES.register(
    "catapult",
    Figure("loss, and λ over the edge of stability, along one net's trainings", ("scan", "search"), _curves,
           lambda data, axes, _: trainings.catapult(data, axes), lambda data, _: astext.catapult(data), 1.25),
)  # fmt: skip
FIGURES.register(
    "sharpness",
    Figure("λ along one net's trainings, with the edge of stability", ("scan", "search"), _curves,
           lambda data, axes, _: trainings.sharpness(data, axes), lambda data, _: astext.sharpness(data)),
)  # fmt: skip
FIGURES.register(
    "phases",
    Figure("phase of each training over cell and rate", ("scan", "search"), _scan,
           lambda data, axes, _: scans.phases(data, axes), lambda data, _: astext.phases(data)),
)  # fmt: skip
FIGURES.register(
    "boundary",
    Figure("every rate tried, net by net: success or failure", ("search",), _tried,
           lambda data, axes, _: searches.boundary(data[0], data[1], axes),
           lambda data, _: astext.boundary(data[0], data[1]), 0.35, 0.17),
)  # fmt: skip
FIGURES.register(
    "transfer",
    Figure("the best rate against a size: does the optimum transfer", ("search", "scan"), _optima, _draw_optima,
           _optima_as_text, takes=frozenset({"x", "group_by"})),
)  # fmt: skip
FIGURES.register(
    "accuracy",
    Figure("accuracy and η·λ against η·λ₀, after as many steps and after as much η·t", ("scan",), _ends,
           lambda data, axes, _: accuracies.accuracy(data, axes), lambda data, _: astext.accuracy(data), 1.25),
)  # fmt: skip
FIGURES.register(
    "onsets",
    Figure("where loss and λ first rise, and what is survived, against a size", ("scan",), _onsets, _draw_onsets,
           _onsets_as_text, takes=frozenset({"x", "group_by"})),
)  # fmt: skip
FIGURES.register(
    "forks",
    Figure("the largest rate that survives along a training, over 2/λ(t)", ("search",), _forks,
           lambda data, axes, _: fork_curves.forks(data, axes), lambda data, _: astext.forks(data)),
)  # fmt: skip
FIGURES.register(
    "map",
    Figure("where training succeeds over η and another axis, as a sweep with [map] found it", ("scan",), _maps,
           lambda data, axes, _: success_maps.success_map(data, axes), lambda data, _: astext.success_map(data), 1.25),
)  # fmt: skip
