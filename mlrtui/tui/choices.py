"""How a screen is set, as words of a command line: `watch --show NAME=VALUE`, which key C copies.

What only one screen knows it gives and takes itself (`ReadingScreen.choices`, `choose`); what is in the `Look` is here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from mlrtui.errors import BadInput
from mlrtui.text.numbers import whole
from mlrtui.tui.state import GRID_VALUES, Look, Wanted

__all__ = ["CHOICES", "among", "beyond", "looked", "parse_choices", "said", "set_look", "set_wanted"]

_SCALES = {"log": True, "linear": False}
_YES = {"yes": True, "no": False}
_SPELLED = {"η*": "eta_star", "λ₀": "lambda0"}


class _OfLook(NamedTuple):
    """A choice that is a field of the `Look`."""

    field: str
    values: Mapping[str, Any]


_LOOKS: Mapping[str, _OfLook] = {
    "grid": _OfLook("grid_value", {_SPELLED.get(value, value): value for value in GRID_VALUES}),
    "steps": _OfLook("x_log", _SCALES),
    "loss": _OfLook("loss_log", _SCALES),
    "ratio": _OfLook("ratio_log", _SCALES),
    "sharpness": _OfLook("raw_sharpness", {"ratio": False, "raw": True}),
    "theory": _OfLook("theory", _YES),
    "time": _OfLook("physical", {"steps": False, "physical": True}),
    "zoom": _OfLook("zoomed", _YES),
}

_NUMBERS = {"step": "a step, such as 14", "cursor": "the number of a trial, such as 9"}

_CHARTS = ("steps", "loss", "ratio")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "live": ("grid", "rows", "columns", *_CHARTS, "sharpness", "measure", "pane", "zoom"),
    "trial": (*_CHARTS, "measure", "beside", "time", "theory", "step", "window", "pane", "zoom"),
    "compare": ("kind", *_CHARTS, "time", "group", "step", "settings", "y", "x", "where", "pane", "zoom"),
    "boundary": ("cursor", "pane", "zoom"),
    "exponents": ("x", "y", "where", "group", "predict", "theory", "cell", "pane", "zoom"),
    "phases": ("x", "value", "theory", "pane", "zoom"),
    "log": ("level", "filter"),
    "workers": (),
    "browse": ("filter", "sort", "order"),
}
"""By screen the names that `--show` takes."""


def parse_choices(
    screen: str, texts: Sequence[str], own: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dict[str, str]:
    """The choices of a command line, by name; `own` has the values of those that only this screen knows.

    Raises:
        BadInput: one is no NAME=VALUE, is not of this screen, or has a value that it does not take.
    """
    known = CHOICES.get(screen, ())
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not known:
            raise BadInput(f"--show {text!r}: --screen {screen} is always set the same; leave --show out")
        if not sign or name not in known:
            raise BadInput(f"--show {text!r}: --screen {screen} has {', '.join(f'{one}=' for one in known)}")
        values = _LOOKS[name].values if name in _LOOKS else own.get(name)
        if values is not None and value not in values:
            raise BadInput(f"--show {text!r}: {name} is one of {', '.join(values)}")
        if name in _NUMBERS and not (value.isascii() and value.isdecimal()):
            raise BadInput(f"--show {text!r}: {name} is {_NUMBERS[name]}")
        if name == "window" and not _is_window(value):
            raise BadInput(f"--show {text!r}: window is two steps, the smaller first, such as 3:120")
        found[name] = value
    if found.get("rows", "") == found.get("columns"):
        raise BadInput(f"--show 'columns={found['columns']}': the rows have this axis; columns take another one")
    return found


def among(choices: Mapping[str, str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A sentence for each choice whose value is none of those that what was read has; by the choice's name."""
    return {
        name: f"{name} is one of {', '.join(values)}" if values else f"there is no {name} to choose here"
        for name, values in known.items()
        if name in choices and choices[name] not in values
    }


def beyond(choices: Mapping[str, str], last: int, end: float) -> dict[str, str]:
    """A sentence for each choice of steps that lies beyond what a curve has; by the choice's name.

    Args:
        choices: of a command line.
        last: the last step that is stored; below 0: none is.
        end: where the step axis ends, which of a training that runs is further on.
    """
    found = {}
    if "step" in choices and int(choices["step"]) > last:
        found["step"] = f"the last stored step is {last}" if last >= 0 else "no step is stored yet"
    low, _, high = choices.get("window", "").partition(":")
    if high and (float(low) >= last or float(high) > end):
        found["window"] = f"the last stored step is {last}" if last >= 0 else "no step is stored yet"
        if end > last >= 0:
            found["window"] += f", and the axis ends at {whole(end)}"
    return found


def _is_window(text: str) -> bool:
    low, _, high = text.partition(":")
    try:
        return 0.0 <= float(low) < float(high) < math.inf
    except ValueError:
        return False


def set_look(look: Look, choices: Mapping[str, str]) -> Look:
    """The look with the choices that are part of it."""
    named = {name: value for name, value in choices.items() if name in _LOOKS}
    look = replace(look, **{_LOOKS[name].field: _LOOKS[name].values[value] for name, value in named.items()})
    before = look.grid_axes
    axes = choices.get("rows", before[0]), choices.get("columns", before[1])
    if axes[0] == axes[1]:  # one of them was named: the two change places
        axes = (axes[0], before[0]) if "rows" in choices else (before[1], axes[1])
    return replace(look, grid_axes=axes)


def set_wanted(wanted: Wanted, choices: Mapping[str, str]) -> Wanted:
    """What is looked at with the choices that say what is read."""
    seconds = choices.get("grid") == "time"
    measure, beside = choices.get("measure", wanted.measure), choices.get("beside", wanted.beside)
    page = "onsets" if "value" in choices else wanted.page
    return replace(wanted, seconds=seconds, measure=measure, beside=beside, page=page)


def looked(screen: str, look: Look, wanted: Wanted) -> dict[str, str]:
    """The choices of a screen that are part of the look, where they are not those of a screen that just opened."""
    fresh, known = Look(look.marks), CHOICES.get(screen, ())
    found = {
        name: text
        for name, (field, values) in _LOOKS.items()
        for text, value in values.items()
        if name in known and getattr(look, field) == value != getattr(fresh, field)
    }
    for at, name in enumerate(("rows", "columns")):
        if name in known and look.grid_axes != fresh.grid_axes:
            found[name] = look.grid_axes[at]
    if "measure" in known and wanted.measure:
        found["measure"] = wanted.measure
    if "beside" in known and wanted.beside:
        found["beside"] = wanted.beside
    return found


def said(choices: Mapping[str, str]) -> tuple[str, ...]:
    """As options of a command line, not yet quoted."""
    return tuple(f"{name}={value}" for name, value in choices.items() if value)
