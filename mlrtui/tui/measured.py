"""A measure of a trial beside its edges: what the charts of several screens draw alike."""

import json
from collections.abc import Sequence

import numpy as np

from mlrtui.charts.spec import Floats, HLine, Series
from mlrtui.text.numbers import number
from mlrtui.tui.curves import MeasureTrace

__all__ = [
    "asked_every",
    "chosen_measure",
    "edge_curves",
    "edge_hlines",
    "next_measure",
    "part_curves",
    "parts_words",
    "preferred",
    "starts_log",
    "value_words",
]

_PREFERRED = ("critical", "lambda-preconditioned", "directional", "lambda")


def preferred(measures: Sequence[str]) -> str:
    """What is drawn of a recorded run before a key chooses: the cheapest measure with an edge; "" without any."""
    return next((name for name in _PREFERRED if name in measures), measures[0] if measures else "")


def asked_every(spec: str) -> object:
    """Every how many steps λ was asked for in a sweep file's canonical JSON; 0: at the start only, None: nowhere."""
    asked = json.loads(spec)
    return None if asked.get("map") else asked.get("sharpness", {}).get("every")


def chosen_measure(wanted: str, measures: Sequence[str], recorded: bool) -> str:
    """The measure that is drawn; "": the sharpness."""
    return wanted if wanted in measures else preferred(measures) if recorded else ""


def next_measure(now: str, measures: Sequence[str], recorded: bool) -> str:
    """The one after it; where the sharpness is no measure, it comes after the last."""
    known = [*measures] if recorded else ["", *measures]
    return known[(known.index(now) + 1) % len(known)] if now in known else known[0] if known else ""


def edge_hlines(measured: MeasureTrace) -> tuple[HLine, ...]:
    """Edges that are the same at every step, with their numbers."""
    names = ("edge", "edge") if len(measured.edges) < 2 else ("low", "high")
    return tuple(
        HLine(float(edge[-1]), f"{name} {number(float(edge[-1]))}")
        for name, (_, edge) in zip(names, measured.edges, strict=False)
        if _is_flat(edge)
    )


def part_curves(measured: MeasureTrace) -> tuple[Series, ...]:
    """The parts of a measure after the first, each with its place along it: 2 for the second."""
    known = ((place, part.points) for place, part in enumerate(measured.others.values(), 2))
    return tuple(Series(*points, "edge", "-", letter=_letter(place)) for place, points in known if points[0].size)


def parts_words(measured: MeasureTrace) -> str:
    """The names of its parts: "1 input, 2 output", or "1 to 3" where they are numbers; "" for a measure without."""
    names = list(measured.parts)
    if len(names) < 2:
        return names[0] if names else ""
    if names == [str(place) for place in range(1, len(names) + 1)]:
        return f"1 to {names[-1]}"
    shown = [f"{_letter(place)} {name}" for place, name in enumerate(names, 1)]
    return ", ".join(shown)


def _letter(place: int) -> str:
    """Of a part by its place: 1 to 9, then a to z; none after these."""
    return "123456789abcdefghijklmnopqrstuvwxyz"[place - 1 : place]


def edge_curves(measured: MeasureTrace) -> tuple[Series, ...]:
    """Edges that change along the training: with a schedule, or with clipping."""
    return tuple(Series(step, edge, "edge", "-") for step, edge in measured.edges if not _is_flat(edge))


def starts_log(measured: MeasureTrace) -> bool:
    """Whether a measure with an edge is drawn on a log scale before a key turns it: all of it must be positive."""
    values = [measured.value, measured.edge]
    return bool(measured.edges) and all(np.nanmin(one, initial=np.inf) > 0.0 for one in values)


def value_words(measured: MeasureTrace, step: int | None = None) -> str:
    """The value at a step, or the newest one, beside its edge: "critical 3.9 · edge 40 · 0.0975 of it"."""
    known = np.flatnonzero(np.isfinite(measured.value))
    if step is not None:
        known = known[measured.step[known] == step]
    if not known.size:
        return f"{measured.measure} not measured"
    at = int(known[-1])
    value, low, high = (float(column[at]) for column in (measured.value, measured.edge, measured.edge_high))
    words = f"{measured.measure} {number(value, 5)}"
    if np.isfinite(high):
        return f"{words} · edges {number(low)} to {number(high)}"
    return f"{words} · edge {number(low)} · {number(value / low)} of it" if np.isfinite(low) else words


def _is_flat(edge: Floats) -> bool:
    return bool(np.all(np.abs(edge - edge[0]) <= 1e-9 * np.abs(edge[0])))
