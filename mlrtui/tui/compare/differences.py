"""What marked trials differ in, and how their results compare: tables of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlrtui.text.lines import clean
from mlrtui.text.numbers import number
from mlrtui.text.phrases import exponent, quantity
from mlrtui.tui.edges import stored_edge, stored_rates
from mlrtui.tui.state import Compared

__all__ = ["LETTERS", "Difference", "curve_name", "result_rows", "setting_rows"]

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
    settings = [_settings(one) for one in compared]
    names = dict.fromkeys(name for known in settings for name in known)
    return [Difference(name, tuple(known.get(name, "-") for known in settings)) for name in names]


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


def _settings(one: Compared) -> dict[str, str]:
    details = one.details
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
