"""What [map] must not say: a window that is none, an axis that is given twice or has no values."""

from collections.abc import Iterator
from math import inf

from mlrtui.config.checks.known import MAX_CELLS, MAX_NETS, Check, Known
from mlrtui.config.maps import LISTED, WINDOWS
from mlrtui.config.mistakes import NO_VALUE, Mistake, toml_text
from mlrtui_trainer.optimizers import OPTIMIZERS, owners_of

__all__ = ["CHECKS"]

MAX_POINTS = 10_000_000
"""Points of all finest grids of a sweep together."""

_HIGHEST = {"init_variance": 100.0, "momentum": 0.9999, "weight_decay": 10.0}
"""What the axes' own keys take at most; the others take what window does."""


def _pair(known: Known, key: str, example: str) -> Iterator[Mistake]:
    values = known.axis(f"map.{key}")
    if f"map.{key}" in known.given and values and (len(values) != 2 or not values[0] < values[1]):
        yield Mistake(f"map.{key}", list(values), f"must be the lowest and the highest value; write e.g. {example}")


def _windows(known: Known) -> Iterator[Mistake]:
    """Two ends each, which the axis can have."""
    if "map" not in known.given:
        return
    yield from _pair(known, "eta", "eta = [0.01, 10.0]")
    yield from _pair(known, "window", "window = [0.1, 10.0]")
    axis, window = known.one("map.axis"), known.axis("map.window")
    if axis not in WINDOWS or not window:
        return
    if known.one("map.scale") == "log" and window[0] == 0.0:
        yield Mistake(
            "map.window", list(window), 'has no equal ratios from 0; raise its lower end, or use scale = "linear"'
        )
    highest = _HIGHEST.get(axis, max(window))
    if max(window) > highest or (axis == "init_variance" and window[0] == 0.0):
        text = f"{axis} is at most {toml_text(highest)}" if max(window) > highest else f"{axis} is above 0"
        yield Mistake("map.window", list(window), f"{text}; use another window")


def _axis(known: Known) -> Iterator[Mistake]:
    """The other axis has its values from one place, and means something here."""
    axis = known.one("map.axis")
    if "map" not in known.given or axis is None:
        return
    key = {**WINDOWS, **LISTED}[axis]
    name = key.rpartition(".")[2]
    spelled = [key, "model.layer_lr.input"] if axis == "input_lr" else [key]
    given = next((one for one in spelled if one in known.given), None)
    windowed = "map.window" in known.given
    if windowed and axis in LISTED:
        yield Mistake("map.window", NO_VALUE, f"{axis} has whole numbers; remove it, and list them: {name} = [16, 32]")
    elif windowed and given is not None:
        yield Mistake(given, NO_VALUE, f"is the axis of [map], which has a window; remove {given}, or the window")
    elif not windowed and list(listed := _listed(known, key)) != sorted(listed, key=_height):
        yield Mistake(key, list(listed), "is the axis of [map]: its rows; list the values in rising order")
    elif not windowed and len(listed) < 2:
        remedy = f"list two or more values as {key}" + ("" if axis in LISTED else ", or write window = [0.1, 10.0]")
        yield Mistake("map.axis", axis, f"has no values; {remedy}")
    if axis == "init_variance":
        for kind in known.axis("model.kind"):
            if kind != "mlp":
                yield Mistake("model.kind", kind, 'has no init_variance, the axis of [map]; use kind = "mlp"')
    if axis == "momentum":
        for optimizer in known.axis("training.optimizer"):
            if axis not in OPTIMIZERS[optimizer].settings:
                first = owners_of(axis, OPTIMIZERS.ours)[0]
                text = f'has no momentum, the axis of [map]; use optimizer = "{first}"'
                yield Mistake("training.optimizer", optimizer, text)


def _height(value: object) -> float:
    """Of a row; a full batch is the highest."""
    return float(value) if isinstance(value, int | float) else inf


def _listed(known: Known, key: str) -> tuple[object, ...]:
    return known.rates.get(key if key != "model.input_lr" else "model.layer_lr.input", known.axis(key))


def _rest(known: Known) -> Iterator[Mistake]:
    """What a map has no use for."""
    if "map" not in known.given:
        return
    if known.fits:
        yield Mistake("[[fit]]", NO_VALUE, "a map has no η* to be fitted; remove it")
    if "fork" in known.given:
        yield Mistake("fork", NO_VALUE, "is for [search]; remove it, or give it a sweep of its own")
    if known.one("model.mode") == "train":
        yield Mistake("model.mode", "train", 'is not for [map] yet; remove it, or use mode = "function"')
    if known.one("map.success") not in (None, "accuracy") and "map.threshold" in known.given:
        text = f'success = "{known.one("map.success")}" has no threshold; remove it'
        yield Mistake("map.threshold", known.one("map.threshold"), text)
    if known.one("sharpness.every"):
        yield Mistake("sharpness.every", known.one("sharpness.every"), "a map measures no λ; remove it")
    if known.one("record.layers"):
        yield Mistake("record.layers", True, "a map stores no steps; remove it")
    if "measures" in known.given:
        yield Mistake("measures", NO_VALUE, "a map stores no steps; remove it")


def _size(known: Known) -> Iterator[Mistake]:
    """Each row is a cell of its own."""
    squares, levels = known.one("map.squares"), known.one("map.levels")
    if "map" not in known.given or squares is None or levels is None:
        return
    points = squares * 2**levels + 1
    rows = points if "map.window" in known.given else 1  # else they are in the grid already
    cells = known.cells * rows
    nets = cells * max(len(known.axis("sweep.seeds")), 1)
    remedy = "use fewer squares, levels or seeds"
    if cells > MAX_CELLS:
        yield Mistake("map.levels", levels, f"{cells} cells with all rows; at most {MAX_CELLS}, {remedy}")
    elif nets > MAX_NETS:
        yield Mistake("map.levels", levels, f"{nets} nets with all rows; at most {MAX_NETS}, {remedy}")
    elif nets * points > MAX_POINTS:
        yield Mistake("map.levels", levels, f"{nets * points} points; at most {MAX_POINTS}, {remedy}")


CHECKS: tuple[Check, ...] = (_windows, _axis, _rest, _size)
