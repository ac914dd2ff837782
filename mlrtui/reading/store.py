"""A store for scripts and notebooks: its sweeps, its views as tables, curves and fits. It is only read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, Self

from mlrtui.analysis.prediction import LEVEL, Refusal
from mlrtui.analysis.transfer import FACTOR
from mlrtui.errors import BadInput
from mlrtui.reading import certifying, predicting
from mlrtui.reading.fitting import Question, answers, chosen
from mlrtui.reading.plots import Plots
from mlrtui.reading.table import Table
from mlrtui.reading.views import Views
from mlrtui.text.numbers import exact
from mlrtui_db.errors import BadQuery
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Batch, Selection
from mlrtui_db.view_columns import BY_STEP, Column, view_columns

__all__ = ["Store", "Sweep", "open_store"]


def open_store(path: Path | str) -> "Store":
    """Open a store to read it, also while a sweep or a recorded script writes to it. It is never changed.

    Close it, or leave its ``with`` block. One thread at a time uses it.

    Raises:
        StoreError: there is no store at ``path``, or it cannot be read; the message says what to do.

    Examples:
        >>> with mlrtui.open("mlrtui.db") as store:                         # doctest: +SKIP
        ...     frame = store["first look"].eta_star().to_pandas()
    """
    return Store(Reader.open(path))


class Store(Views):
    """An open store. Each view is a method that gives a `Table` of all sweeps; `store["name"]` is one sweep."""

    def __init__(self, reader: Reader) -> None:
        self._open: Reader | None = reader
        self.path = reader.path

    def close(self) -> None:
        """Close it; a second call does nothing. Tables of it can no longer be read."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sweeps(self) -> "tuple[Sweep, ...]":
        """All sweeps with their progress now, newest first."""
        return tuple(Sweep(self, row) for row in self._reader.sweeps())

    def __getitem__(self, name: str) -> "Sweep":
        """The sweep of this name.

        Raises:
            BadInput: there is none.
        """
        (row,) = chosen(self._reader, [name])
        return Sweep(self, row)

    def __contains__(self, name: object) -> bool:
        return any(sweep.name == name for sweep in self.sweeps)

    def __iter__(self) -> "Iterator[Sweep]":
        return iter(self.sweeps)

    def curve(self, trial_id: int, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """The steps of one trial.

        Args:
            trial_id: number of the trial, as `phases` and `boundaries` have it.
            columns: of the view `curves`, in this order; None: those that differ from step to step.
            where: a condition of SQL, such as ``"sharpness IS NOT NULL"``.

        Raises:
            BadInput: there is no such trial or column, or the condition cannot be read.
        """
        if self._reader.trial(trial_id) is None:
            raise BadInput(f"trial {trial_id}: not in {self.path}")
        names = tuple(columns or (column.name for column in view_columns("curves") if not column.is_of_trial))
        return self._table(Selection("curves", names, where, trial_id=trial_id))

    def fit(
        self,
        y: str = "eta_star",
        x: str | Sequence[str] = "depth*width",
        where: str = "",
        *,
        group_by: Sequence[str] | None = None,
        sweeps: Sequence[str] = (),
        mixed_rules: bool = False,
    ) -> Table:
        """Fit ln y as a sum of exponents times ln x, as `mlrtui fit` does: one row per group and variable.

        Args:
            y: of searches eta_star or eta_last, of all sweeps lambda0 or lambda0_preconditioned, of scans best_rate,
                eta_stable or logit_rms; docs/sweep-file.md says what they are.
            x: an expression of the cell's settings, such as ``"depth*width"``, or several, with an exponent each.
            where: a condition on cells, such as ``"width >= 64 and loss == 'ce'"``.
            group_by: axes whose values are fitted apart; None: all that vary but depth and width; (): one fit.
            sweeps: names of the sweeps whose cells are fitted together; none: all that have y.
            mixed_rules: fit η* of older and newer rules together.

        Raises:
            BadInput: an unknown name, or an expression that cannot be read.
        """
        asked = Question(
            y,
            (x,) if isinstance(x, str) else tuple(x),
            where,
            None if group_by is None else tuple(group_by),
            mixed_rules,
        )
        found = answers([self._reader], sweeps, asked, lambda name: name.replace("-", "_"))
        rows: list[tuple[Any, ...]] = []
        for group, result in found.items():
            line = (_known(result.intercept), _known(result.r2))
            terms: list[tuple[Any, ...]] = [
                (term.expression, term.exponent, term.low, term.high) for term in result.terms
            ]
            for term in terms or [(", ".join(asked.x), None, None, None)]:
                rest = (result.cells, result.decades, where, "; ".join(result.excluded))
                rows.append((group, y, *term, *line, *rest, result.method, "; ".join(result.warnings)))
        return Table(_Given("fit", str(self.path), _FIT, tuple(rows)))

    def predict(
        self, *, depth: int, width: int, where: str = "", level: float = LEVEL, sweeps: Sequence[str] = ()
    ) -> Table:
        """Predict η* of a net that was not trained, as `mlrtui predict` does: one row per sweep and group of cells.

        Args:
            depth, width: of the net.
            where: a condition on the cells to predict from, such as ``"width >= 64"``.
            level: chance with which the mean over seeds falls into the interval.
            sweeps: names of searches; none: all.

        A row without a prediction has ``eta_star`` NULL and says why in ``refused``.

        Raises:
            BadInput: an unknown name, or a value or condition that cannot be used.
        """
        predicting.refuse_sizes(depth, width, level, "{}=".format)
        groups = predicting.groups_of(self._reader, sweeps, where, "{}=".format)
        rows: list[tuple[Any, ...]] = []
        for (sweep, group), answer in predicting.predictions(groups, depth, width, level).items():
            if isinstance(answer, Refusal):
                rows.append((sweep, group, depth, width, None, None, None, level, None, None, None, answer.reason))
                continue
            law = " ".join(f"{name}^{exact(slope)}" for name, slope in answer.terms)
            rest = (law, answer.cells, answer.spread_of_nets, None)
            rows.append((sweep, group, depth, width, answer.eta_star, answer.low, answer.high, level, *rest))
        return Table(_Given("predictions", str(self.path), _PREDICTION, tuple(rows)))

    def certify(
        self,
        *,
        depth: int,
        width: int,
        where: str = "",
        within: float = FACTOR,
        level: float = LEVEL,
        sweeps: Sequence[str] = (),
    ) -> Table:
        """Whether η* or the best rate of the smallest nets holds at a larger size, as `mlrtui certify` does.

        One row per sweep and group of cells.

        Args:
            depth, width: of the larger net.
            where: a condition on the cells to judge by, such as ``"width >= 64"``.
            within: factor that the rate may move by, up or down.
            level: chance with which the intervals hold.
            sweeps: names of sweeps; none: all.

        Raises:
            BadInput: an unknown name, or a value or condition that cannot be used.
        """
        predicting.refuse_sizes(depth, width, level, "{}=".format)
        certifying.refuse_factor(within, "{}=".format)
        target = {"depth": depth, "width": width}
        found = certifying.certificates(self._reader, sweeps, target, where, level, within, "{}=".format)
        rows: list[tuple[Any, ...]] = []
        for (sweep, group), one in found.items():
            head = (sweep, group, depth, width)
            if isinstance(one, Refusal):
                rows.append((*head, "undecided", one.reason, *(None,) * 9))
                continue
            predicted: tuple[float | None, ...] = (None,) * 3
            if not isinstance(one.prediction, Refusal):
                predicted = one.prediction.eta_star, one.prediction.low, one.prediction.high
            moved = (None,) * 3 if isinstance(one.drift, Refusal) else (one.drift.ratio, one.drift.low, one.drift.high)
            base = one.what, one.base_value
            rows.append((*head, one.verdict, one.reason, one.fails_at, *base, *predicted, *moved))
        return Table(_Given("certificates", str(self.path), _CERTIFICATE, tuple(rows)))

    def boundary_maps(self, *, sweeps: Sequence[str] = ()) -> Table:
        """What the maps of sweeps with [map] say, as `mlrtui map` does: one row per map and seed.

        A row without a dimension has ``dimension`` NULL and says why in ``refused``. The trainings themselves are rows
        of the view: ``store.maps()``.

        Args:
            sweeps: names of sweeps; none: all that have maps.

        Raises:
            BadInput: an unknown name, or no map.
        """
        from mlrtui.reading import mapping  # it reads settings of sweeps, with pydantic

        rows = [mapping.as_row(one) for one in mapping.boundary_maps(self._reader, sweeps)]
        names = tuple(column.name for column in mapping.COLUMNS)
        values = tuple(tuple(row[name] for name in names) for row in rows)
        return Table(_Given("boundary_maps", str(self.path), mapping.COLUMNS, values))

    @property
    def plot(self) -> Plots:
        """Figures of all sweeps that have them: ``store.plot.eta_star(ax)``."""
        return Plots(lambda: self._reader)

    def table(self, asked: Selection, progress: Callable[[int], None] | None = None) -> Table:
        """What is selected of a view, as a table; ``progress`` is called with numbers of rows that were read.

        Raises:
            BadInput: there is no such view or column, or the condition cannot be read.
        """
        try:
            self._reader.check(asked)
        except BadQuery as error:
            raise BadInput(str(error)) from None
        return Table(_Stored(self, asked, progress))

    def _table(self, asked: Selection) -> Table:
        return self.table(asked)

    @property
    def _reader(self) -> Reader:
        if self._open is None:
            raise BadInput(f"{self.path} is closed: open it again, or use its tables inside the with block")
        return self._open

    def __repr__(self) -> str:
        if self._open is None:
            return f"<Store {self.path}: closed>"
        return f"<Store {self.path}: {', '.join(repr(sweep.name) for sweep in self.sweeps) or 'no sweep'}>"

    def _repr_html_(self) -> str:
        """Its sweeps, for notebooks."""
        heads = "".join(f'<th scope="col">{name}</th>' for name in ("sweep", "mode", "status", "nets", "trials"))
        rows = "".join(
            f"<tr><td>{escape(row.name)}</td><td>{escape(row.mode)}</td><td>{escape(row.status)}</td>"
            f"<td>{row.nets_done} of {row.nets}</td><td>{row.trials_done} of {row.trials}</td></tr>"
            for row in (self._open.sweeps() if self._open is not None else ())
        )
        caption = escape(str(self.path)) + ("" if self._open is not None else " (closed)")
        return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


class Sweep(Views):
    """One sweep of a store, with its progress when it was looked up. Each view is a method that gives a `Table`."""

    def __init__(self, store: Store, row: SweepRow) -> None:
        self._store = store
        self._row = row

    @property
    def name(self) -> str:
        """Its name, unique in the store."""
        return self._row.name

    @property
    def mode(self) -> str:
        """ "search", "scan" or "recorded"."""
        return self._row.mode

    @property
    def status(self) -> str:
        """ "open", "done" or "stopped"."""
        return self._row.status

    @property
    def progress(self) -> "Mapping[str, int]":
        """How many cells, nets and trials it has, and how many of them are done, running or failed."""
        names = ("cells", "nets", "nets_done", "trials", "trials_done", "trials_running", "trials_failed")
        return {name: getattr(self._row, name) for name in names}

    @property
    def spec(self) -> dict[str, Any]:
        """The whole sweep file, with all defaults."""
        import json

        found: dict[str, Any] = json.loads(self._row.spec)
        return found

    def fit(
        self,
        y: str = "eta_star",
        x: str | Sequence[str] = "depth*width",
        where: str = "",
        *,
        group_by: Sequence[str] | None = None,
        mixed_rules: bool = False,
    ) -> Table:
        """Fit over the cells of this sweep; see `Store.fit`."""
        return self._store.fit(y, x, where, group_by=group_by, sweeps=(self.name,), mixed_rules=mixed_rules)

    def predict(self, *, depth: int, width: int, where: str = "", level: float = LEVEL) -> Table:
        """Predict η* from the cells of this sweep; see `Store.predict`."""
        return self._store.predict(depth=depth, width=width, where=where, level=level, sweeps=(self.name,))

    def certify(
        self, *, depth: int, width: int, where: str = "", within: float = FACTOR, level: float = LEVEL
    ) -> Table:
        """Whether the rate of this sweep's smallest nets holds at a larger size; see `Store.certify`."""
        asked: dict[str, Any] = {"depth": depth, "width": width, "where": where, "within": within, "level": level}
        return self._store.certify(**asked, sweeps=(self.name,))

    def boundary_maps(self) -> Table:
        """What the maps of this sweep say; see `Store.boundary_maps`."""
        return self._store.boundary_maps(sweeps=(self.name,))

    @property
    def plot(self) -> Plots:
        """Figures of this sweep: ``sweep.plot.transfer(ax, x="width")``."""
        return Plots(lambda: self._store._reader, (self.name,))

    def _table(self, asked: Selection) -> Table:
        return self._store._table(replace(asked, sweep=self.name))

    def __repr__(self) -> str:
        row = self._row
        return f"<Sweep {row.name!r}: {row.mode}, {row.status}, {row.trials_done} of {row.trials} trials done>"


@dataclass(frozen=True)
class _Stored:
    """Rows of a view."""

    store: Store
    asked: Selection
    progress: Callable[[int], None] | None = None

    @property
    def name(self) -> str:
        return self.asked.view

    @property
    def place(self) -> str:
        who = "" if self.asked.sweep is None else f"{self.asked.sweep!r} in "
        return f"{who}{self.store.path}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.asked.columns

    @property
    def by_step(self) -> bool:
        return self.asked.view in BY_STEP

    def batches(self) -> Iterator[Batch]:
        for batch in self.store._reader.batches(self.asked):
            yield batch
            if self.progress is not None:
                self.progress(len(batch.rows))

    def only(self, name: str) -> "_Stored":
        return replace(self, asked=replace(self.asked, names=(name,)))

    def count(self) -> int:
        return self.store._reader.count(self.asked)


@dataclass(frozen=True)
class _Given:
    """Rows that were computed."""

    name: str
    place: str
    all_columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    shown: tuple[int, ...] = field(default=())
    by_step = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(self.all_columns[place] for place in self._places)

    def batches(self) -> Iterator[Batch]:
        if self.rows:
            rows = [tuple(row[place] for place in self._places) for row in self.rows]
            yield Batch.of(self.columns, rows)

    def only(self, name: str) -> "_Given":
        return replace(self, shown=tuple(at for at, column in enumerate(self.all_columns) if column.name == name))

    def count(self) -> int:
        return len(self.rows)

    @property
    def _places(self) -> Sequence[int]:
        return self.shown or range(len(self.all_columns))


def _known(value: float) -> float | None:
    """The number, None where it is NaN."""
    return value if value == value else None


def _fit_columns() -> tuple[Column, ...]:
    """Those of the view `exponents` that a fit has, with its group first."""
    known = {column.name: column for column in view_columns("exponents")}
    group = Column("group", "TEXT", "text", "Condition that the cells of the group meet; empty: there is one group.")
    names = ("y", "term", "exponent", "low", "high", "intercept", "r2", "cells", "decades", "where_expr")
    left_out = Column("left_out", "TEXT", "text", "Cells left out, each with the reason; empty: none.")
    return (group, *(known[name] for name in names), left_out, known["method"], known["warnings"])


_PREDICTION = (
    Column("sweep", "TEXT", "text", "Name of the search."),
    Column("group", "TEXT", "text", "Condition that the cells of the group meet; empty: there is one group."),
    Column("depth", "INTEGER", "1", "Hidden layers that were asked for."),
    Column("width", "INTEGER", "1", "Units of each hidden layer that were asked for."),
    Column("eta_star", "REAL", "eta", "Predicted geometric mean of η* over seeds; NULL: refused."),
    Column("low", "REAL", "eta", "Lower end of its interval."),
    Column("high", "REAL", "eta", "Upper end of its interval."),
    Column("level", "REAL", "1", "Chance with which the mean over seeds falls into the interval."),
    Column("law", "TEXT", "text", "Powers of the sizes that predict it."),
    Column("cells", "INTEGER", "1", "Cells that it is predicted from."),
    Column("spread_of_nets", "REAL", "1", "Standard deviation of ln η* between nets of a cell; NULL: one net a cell."),
    Column("refused", "TEXT", "text", "Why there is no prediction; NULL: there is one."),
)

_CERTIFICATE = (
    Column("sweep", "TEXT", "text", "Name of the sweep."),
    Column("group", "TEXT", "text", "Condition that the cells of the group meet; empty: there is one group."),
    Column("depth", "INTEGER", "1", "Hidden layers that were asked for."),
    Column("width", "INTEGER", "1", "Units of each hidden layer that were asked for."),
    Column("verdict", "TEXT", "text", "holds, fails or undecided: of the smallest net's rate at the asked size."),
    Column("reason", "TEXT", "text", "What decided."),
    Column("fails_at", "REAL", "1", "Size from which on it fails; NULL: it does not, or it is not decided."),
    Column("what", "TEXT", "text", "The rate: η*, or best rate of a scan (lowest loss at the end)."),
    Column("base_value", "REAL", "eta", "Geometric mean over seeds at the smallest size."),
    Column("predicted", "REAL", "eta", "Predicted rate at the asked size; NULL: refused."),
    Column("low", "REAL", "eta", "Lower end of its interval."),
    Column("high", "REAL", "eta", "Upper end of its interval."),
    Column("drift", "REAL", "1", "The law's ratio from the smallest size to the asked one; NULL: refused."),
    Column("drift_low", "REAL", "1", "Lower end of its interval."),
    Column("drift_high", "REAL", "1", "Upper end of its interval."),
)

_FIT = _fit_columns()
