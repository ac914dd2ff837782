"""What a fit can explain: η*, λ₀, and what a scan's trainings tell of a net: its best rate, its largest stable one.

A quantity of a scan is derived from the rows of the view `phases`, one row a net, with what is only a bound marked as
the view `eta_star` marks it (column ``censored``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from math import isfinite, nan

__all__ = ["DIVERGED", "QUANTITIES", "Quantity", "best_rates", "derived", "lacks", "of_mode", "view_of"]

Row = Mapping[str, object]
"""One row of a view by column name."""

DIVERGED = ("divergent", "catastrophic")
"""Phases of trainings whose loss left all bounds."""

_LOST = (*DIVERGED, "collapsed")
_SURVIVED = ("lazy", "stable", "controlled", "catapult", "edge")


@dataclass(frozen=True)
class Quantity:
    """One quantity that fits explain."""

    text: str
    modes: tuple[str, ...] = ("search", "scan")  # kinds of sweeps that have it
    derive: Callable[[Sequence[Row]], list[Row]] | None = None  # from `phases`; None: a column of `eta_star` or `grid`
    of_our_nets: bool = False  # not measured of a training of the user's


def best_rates(rows: Sequence[Row], column: str = "eta_star") -> list[Row]:
    """For each net of scans the rate with the lowest final loss, as a row like those of the view `eta_star`.

    Args:
        rows: of the view `phases`. Trainings that the machine failed count as not tried.
        column: where the rate is put.
    """
    found: list[Row] = []
    for its in _by_net(rows):
        tried = _rates(its)
        kept = [
            (_number(row, "loss_final"), _number(row, "eta"))
            for row in its
            if isfinite(_number(row, "loss_final"))
            and row.get("phase") not in DIVERGED
            and row.get("verdict") not in ("diverged", "dead")
        ]
        _, eta = min(kept, default=(nan, None))
        found.append({**its[0], column: eta, "censored": _end(eta, tried)})
    return found


def stable_rates(rows: Sequence[Row]) -> list[Row]:
    """For each net of scans the largest rate that is survived below the first that is lost, in ``eta_stable``.

    The rule is that of c_max in the view `onsets`. A lower bound ("at_max") where no rate above it is lost, or where a
    training above it was too short to tell.
    """
    found: list[Row] = []
    for its in _by_net(rows):
        below = list(takewhile(lambda row: row.get("phase") not in _LOST, sorted(its, key=_eta)))
        survived = [_eta(row) for row in below if row.get("phase") in _SURVIVED]
        eta = survived[-1] if survived else None
        doubt = len(below) == len(its) or any(
            row.get("phase") == "unfinished" and (eta is None or _eta(row) > eta) for row in below
        )
        censored = "none" if eta is None else "at_max" if doubt else None
        found.append({**its[0], "eta_stable": eta, "censored": censored})
    return found


def output_sizes(rows: Sequence[Row]) -> list[Row]:
    """For each net that was trained at one rate the largest RMS of its outputs over the first ten steps.

    As in the view `width_growth`. A net with several rates has as many sizes, and none that a fit could take.
    """
    found: list[Row] = []
    for its in _by_net(rows):
        growth = _number(its[0], "logit_growth") * _number(its[0], "logit_rms_initial")
        size = growth if isfinite(growth) else _number(its[0], "logit_rms_peak")
        known = len(its) == 1 and isfinite(size)
        found.append({**its[0], "logit_rms": size if known else None, "censored": None if known else "none"})
    return found


QUANTITIES: dict[str, Quantity] = {
    "eta_star": Quantity("η*", ("search",)),
    "eta_last": Quantity("the largest rate that succeeded (it depends on how many rates were tried)", ("search",)),
    "lambda0": Quantity("λ₀", of_our_nets=True),
    "lambda0_preconditioned": Quantity(
        "the λ₀ that counts layers by their rates (a frozen one for nothing)", of_our_nets=True
    ),
    "best_rate": Quantity(
        "of a scan: the rate with the lowest final loss", ("scan",), partial(best_rates, column="best_rate")
    ),
    "eta_stable": Quantity(
        "of a scan: the largest rate that is survived below the first that is lost, as c_max in the view onsets",
        ("scan",),
        stable_rates,
        of_our_nets=True,
    ),
    "logit_rms": Quantity(
        "of a scan with one rate: the largest RMS of the outputs over the first ten steps",
        ("scan",),
        output_sizes,
        of_our_nets=True,
    ),
}
"""By the name that files and commands use."""


def of_mode(mode: str) -> list[str]:
    """Names of the quantities that a sweep of this kind has."""
    return [name for name, quantity in QUANTITIES.items() if mode in quantity.modes]


def lacks(y: str, mode: str) -> str:
    """Why a sweep of this kind ("search", "scan") has no such quantity; "" where it may have it."""
    kinds = QUANTITIES[y].modes
    return "" if mode in kinds else f"a [{mode}] has no {y}, only a [{kinds[0]}] has"


def view_of(mode: str) -> str:
    """The view that names the cells of a sweep of this kind."""
    return "eta_star" if mode == "search" else "grid"


def derived(y: str, cells: Iterable[Row], trials: Sequence[Row]) -> list[Row]:
    """Rows of a quantity that trainings tell, for `points`: one a net, and one for each cell that has no training yet.

    Args:
        y: a quantity with ``derive``.
        cells: rows of the view `grid`; they tell whose nets are still at work.
        trials: rows of the view `phases`.
    """
    derive = QUANTITIES[y].derive
    assert derive is not None, y
    state = {row["cell"]: row for row in cells}
    nets = [
        {**row, **{name: state[row["cell"]][name] for name in ("nets", "nets_done")}}
        for row in derive(trials)
        if row["cell"] in state
    ]
    there = {row["cell"] for row in nets}
    return [*nets, *({**row, "censored": None} for label, row in state.items() if label not in there)]


def _by_net(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Trainings of each net together, without those that the machine failed."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.get("verdict") != "failed":
            found.setdefault((row.get("sweep"), row.get("cell"), row.get("seed")), []).append(row)
    return found.values()


def _rates(rows: Iterable[Row]) -> list[float]:
    return sorted({_eta(row) for row in rows})


def _end(eta: float | None, tried: Sequence[float]) -> str | None:
    """How a best rate is a bound, by where it lies among the rates that were tried; None: it is none."""
    if eta is None:
        return "none"
    if len(tried) < 2:
        return "alone"
    if eta in (tried[0], tried[-1]):
        return "at_min" if eta == tried[0] else "at_max"
    return None


def _eta(row: Row) -> float:
    return _number(row, "eta")


def _number(row: Row, name: str) -> float:
    """A number of a row; NaN where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else nan
