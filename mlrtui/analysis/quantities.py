"""What a fit can explain: η*, λ₀, and what a scan's trainings tell of a net: its best rate, its largest stable one.

A quantity of a scan is derived from the rows of the view `phases`, one row a net, with what is only a bound marked as
the view `eta_star` marks it (column ``censored``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from math import isnan, nan

from mlrtui.analysis.rows import Row, by_net, number

__all__ = ["DIVERGED", "QUANTITIES", "Quantity", "best_rates", "derived", "derives", "lacks", "of_mode", "view_of"]

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
    of_one_rate: bool = False  # a net that is trained at several rates has none


def best_rates(rows: Sequence[Row], column: str = "eta_star") -> list[Row]:
    """For each net of scans the rate with the lowest final loss, as a row like those of the view `eta_star`.

    Args:
        rows: of the view `phases`. Trainings that the machine failed count as not tried.
        column: where the rate is put.
    """
    found: list[Row] = []
    for its in _tried(rows):
        kept = [
            (number(row, "loss_final"), number(row, "eta"))
            for row in its
            if not isnan(number(row, "loss_final"))
            and row.get("phase") not in DIVERGED
            and row.get("verdict") not in ("diverged", "dead")
        ]
        _, eta = min(kept, default=(nan, None))
        found.append({**its[0], column: eta, "censored": _end(eta, sorted({number(row, "eta") for row in its}))})
    return found


def stable_rates(rows: Sequence[Row]) -> list[Row]:
    """For each net of scans the largest rate that is survived below the first that is lost, in ``eta_stable``.

    The rule is that of c_max in the view `onsets` for phases of the present edition. A lower bound ("at_max") where no
    rate above it is lost, or where a training above it was too short to tell.
    """
    found: list[Row] = []
    for its in _tried(rows):
        its = sorted(its, key=lambda row: number(row, "eta"))
        below = list(takewhile(lambda row: row.get("phase") not in _LOST, its))
        survived = [at for at, row in enumerate(below) if row.get("phase") in _SURVIVED]
        if not survived:
            found.append({**its[0], "eta_stable": None, "censored": "none"})
            continue
        unclear = any(row.get("phase") == "unfinished" for row in below[survived[-1] :])
        censored = "at_max" if unclear or len(below) == len(its) else None
        found.append({**its[0], "eta_stable": number(below[survived[-1]], "eta"), "censored": censored})
    return found


def output_sizes(rows: Sequence[Row]) -> list[Row]:
    """For each net that was trained at one rate the largest RMS of its outputs over the first ten steps.

    As in the view `width_growth`. A net with several rates has as many sizes, and none that a fit could take.
    """
    found: list[Row] = []
    for its in _tried(rows):
        growth = number(its[0], "logit_growth") * number(its[0], "logit_rms_initial")
        size = number(its[0], "logit_rms_peak") if isnan(growth) else growth
        known = len(its) == 1 and not isnan(size)
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
        of_one_rate=True,
    ),
}
"""By the name that files and commands use."""


def of_mode(mode: str) -> list[str]:
    """Names of the quantities that a sweep of this kind has."""
    return [name for name, quantity in QUANTITIES.items() if mode in quantity.modes]


def lacks(y: str, mode: str, rates: int = 1) -> str:
    """Why a sweep of this kind ("search", "scan") has no such quantity; "" where it may have it.

    ``rates``: at how many a scan trains each net.
    """
    quantity = QUANTITIES[y]
    if mode not in quantity.modes:
        return f"a [{mode}] has no {y}, only a [{quantity.modes[0]}] has"
    if quantity.of_one_rate and rates > 1:
        return f"needs one rate for each net, and this [scan] has {rates}"
    return ""


def derives(y: str) -> bool:
    """Whether a quantity is told by the trainings of a scan, and not by a column."""
    return y in QUANTITIES and QUANTITIES[y].derive is not None


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


def _tried(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Trainings of each net together, without those that the machine failed."""
    return by_net(row for row in rows if row.get("verdict") != "failed").values()


def _end(eta: float | None, tried: Sequence[float]) -> str | None:
    """How a best rate is a bound, by where it lies among the rates that were tried; None: it is none."""
    if eta is None:
        return "none"
    if len(tried) < 2:
        return "alone"
    if eta in (tried[0], tried[-1]):
        return "at_min" if eta == tried[0] else "at_max"
    return None
