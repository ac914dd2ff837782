"""What marked trials and nets differ in, and how their results compare: tables of text."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlrtui.text.lines import clean
from mlrtui.text.numbers import exact, factor, number
from mlrtui.text.phrases import exponent, quantity
from mlrtui.tui.boundary.chart import drawable
from mlrtui.tui.boundary.search import edge_so_far, eta_star_text
from mlrtui.tui.edges import stored_edge, stored_rates
from mlrtui.tui.state import Compared, ComparedNet
from mlrtui_db.models import TrialDetails, TrialRow

__all__ = [
    "LETTERS",
    "Difference",
    "by_rate",
    "curve_name",
    "net_name",
    "net_result_rows",
    "net_setting_rows",
    "result_rows",
    "setting_rows",
]

LETTERS = "ABCDEF"

# Keys of the store, and what follows from other settings.
_NO_SETTINGS = {
    "cell_id",
    "sweep_id",
    "position",
    "label",
    "rev",
    "data_id",
    "ln_eta_star_mean",
    "ln_eta_star_sd",
    "edge",
}

_SAME = 1e-6  # in ln η: rates of the same place in the lattice may differ by rounding

Value = str | float | int | None


@dataclass(frozen=True)
class Difference:
    """One row: a name and a text for each of what is compared."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the texts are not all the same."""
        return len(set(self.values)) > 1


def setting_rows(compared: Sequence[Compared]) -> list[Difference]:
    """Every setting of what is compared; what one of them lacks is "-"."""
    return _rows([_settings(one.details) for one in compared])


def result_rows(compared: Sequence[Compared]) -> list[Difference]:
    """How what is compared ended; rows without any value are left out."""
    rows = [Difference(name, tuple(text(one) for one in compared)) for name, text in _RESULTS]
    return [row for row in rows if set(row.values) != {"-"}]


def curve_name(one: Compared) -> str:
    """Which trial a curve is, in few characters: 8×256 η 0.0187."""
    cell, trial = dict(one.details.cell), dict(one.details.trial)
    eta = trial.get("eta")
    sizes = cell.get("depth"), cell.get("width")
    name = clean(str(cell.get("label"))) if None in sizes else "{}×{}".format(*sizes)
    return f"{name} η {number(eta if isinstance(eta, int | float) else None)}"


def _rows(settings: Sequence[Mapping[str, str]]) -> list[Difference]:
    names = dict.fromkeys(name for known in settings for name in known)
    return [Difference(name, tuple(known.get(name, "-") for known in settings)) for name in names]


def _settings(details: TrialDetails) -> dict[str, str]:
    sweep, net, trial = dict(details.sweep), dict(details.net), dict(details.trial)
    found: dict[str, Value] = {"sweep": sweep.get("name"), "mode": sweep.get("mode")}
    found |= {name: value for name, value in details.cell if name not in _NO_SETTINGS}
    found |= {"seed": net.get("seed"), "operator": net.get("operator")}
    found |= {"eta": trial.get("eta"), "eta*lambda0": trial.get("eta_lambda0")}
    return {name: _text(value) for name, value in found.items()}


def _text(value: Value) -> str:
    if isinstance(value, float):
        return number(value, 4)
    return "-" if value is None else str(value)


def _stored(table: str, name: str) -> Callable[[Compared], str]:
    return lambda one: _text(dict(getattr(one.details, table)).get(name))


def _peak(one: Compared) -> str:
    trial = dict(one.details.trial)
    ratio, step = trial.get("peak_ratio"), trial.get("peak_step")
    return "-" if not isinstance(ratio, int | float) else f"{number(ratio)} @{step}"


def _end_ratio(one: Compared) -> str:
    trial = dict(one.details.trial)
    last, sharpness = trial.get("last_step"), trial.get("final_sharpness", trial.get("last_sharpness"))
    edge = stored_edge(one.details)
    if edge is None or not isinstance(sharpness, int | float):
        return "-"
    return number(stored_rates(one.details).at(last if isinstance(last, int) else 0) * sharpness / edge)


def _main_fit(one: Compared) -> str:
    return "-" if one.fit is None else f"{quantity(one.fit.y)} {exponent(one.fit)}"


_RESULTS: tuple[tuple[str, Callable[[Compared], str]], ...] = (
    ("verdict", _stored("trial", "verdict")),
    ("given up, epoch", _stored("trial", "given_up_epoch")),
    ("phase", _stored("trial", "phase")),
    ("peak / L₀", _peak),
    ("loss at the end", _stored("trial", "loss_final")),
    ("accuracy", _stored("trial", "final_accuracy")),
    ("lambda/edge, end", _end_ratio),
    ("lambda0", _stored("net", "lambda0")),
    ("eta* of the net", _stored("net", "eta_star")),
    ("steps", _stored("trial", "n_steps")),
    ("fit of the sweep", _main_fit),
)


def net_name(one: ComparedNet) -> str:
    """Which net: 8×256 seed 1."""
    return f"{clean(one.cell.size)} seed {one.net.seed}"


def net_setting_rows(compared: Sequence[ComparedNet]) -> list[Difference]:
    """Every setting of the nets, without the learning rate, which is what their searches are about."""
    settings = [_settings(one.details) for one in compared]
    return _rows([{name: text for name, text in its.items() if name not in _OF_TRIALS} for its in settings])


def net_result_rows(compared: Sequence[ComparedNet]) -> list[Difference]:
    """What the searches found; rows without any value are left out."""
    rows = [Difference(name, tuple(text(one) for one in compared)) for name, text in _NET_RESULTS]
    return [row for row in rows if set(row.values) != {"-"}]


def by_rate(nets: Sequence[ComparedNet]) -> list[tuple[float, tuple[TrialRow | None, ...]]]:
    """Every rate that any of the nets tried, rising, with the trial of each net at it."""
    found: dict[int, list[TrialRow | None]] = {}
    for place, one in enumerate(nets):
        for trial in one.trials:
            if drawable(trial.eta):
                found.setdefault(round(math.log(trial.eta) / _SAME), [None] * len(nets))[place] = trial
    rows = ((next(trial.eta for trial in row if trial is not None), tuple(row)) for row in found.values())
    return sorted(rows, key=lambda row: row[0])


def _eta_star(one: ComparedNet) -> str:
    net = one.net
    bound = {"at_max": "≥ ", "at_min": "≤ "}.get(net.censored or "", "")
    if net.eta_star is not None:
        return f"{bound}{eta_star_text(net)}"
    return f"≤ {exact(net.first_failure, 3)}" if net.censored == "at_min" else "-"


def _bracket(one: ComparedNet) -> str:
    best, worst = edge_so_far(one.net, one.trials)
    if best is None and worst is None:
        return "-"
    apart = f" ({factor(worst / best)})" if best and worst else ""
    return f"{number(best)} – {number(worst)}{apart}"


def _product(one: ComparedNet) -> str:
    best, lambda0 = one.net.eta_star, one.net.lambda0_preconditioned
    return "-" if best is None or lambda0 is None else number(best * lambda0)


_OF_TRIALS = ("eta", "eta*lambda0")
_CENSORED = {
    "at_max": "every rate succeeds",
    "at_min": "fails down to the lowest rate",
    "none": "no rate succeeds",
}
_NET_RESULTS: tuple[tuple[str, Callable[[ComparedNet], str]], ...] = (
    ("search", lambda one: one.net.status),
    ("lambda0", lambda one: _text(one.net.lambda0)),
    ("eta*", _eta_star),
    ("eta* lambda0", _product),
    ("last success – first failure", _bracket),
    ("last success", lambda one: _text(one.net.eta_last)),
    ("ragged zone, octaves", lambda one: _text(one.net.zone_octaves)),
    ("turns back, times", lambda one: _text(one.net.reversals)),
    ("censored", lambda one: "-" if one.net.censored is None else _CENSORED.get(one.net.censored, one.net.censored)),
    ("why", lambda one: one.net.reason or "-"),
    ("rounds", lambda one: str(max((trial.round for trial in one.trials), default=-1) + 1)),
    ("trainings", lambda one: f"{sum(t.status in ('done', 'failed') for t in one.trials)} of {len(one.trials)}"),
)
