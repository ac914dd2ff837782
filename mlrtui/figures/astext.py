"""The figures as charts of text. Marks are letters and digits, which the lines above the chart explain."""

from collections.abc import Sequence
from math import isnan, log10

import numpy as np

from mlrtui.analysis.prediction import Refusal
from mlrtui.charts.plain import TextChart, TextSeries
from mlrtui.figures import (
    accuracies,
    forest,
    fork_curves,
    laws,
    optima,
    predictions,
    scans,
    searches,
    success_maps,
    trainings,
)
from mlrtui.figures.forest import condition_of, line, name_of
from mlrtui.figures.laws import Law, words
from mlrtui.figures.onset_marks import Onset
from mlrtui.figures.rows import Row, Training, by_net, number, text_of
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, exact, whole

__all__ = [
    "accuracy",
    "boundary",
    "catapult",
    "eta_star",
    "exponents",
    "forks",
    "onsets",
    "phases",
    "sharpness",
    "success_map",
    "transfer",
]

_LETTERS = "oxsdpqbk"
_DIGITS = "0123456789ab"
_BAR = 30  # columns of a forest's line
_POINTS = 400


def eta_star(found: Sequence[Law], x: str, predicted: bool = False) -> TextChart:
    """See `laws.eta_star`."""
    nets = laws.drawable(found, x)
    head, series = [f"η* over {x}, log-log; a mark is a net"], []
    for place, law in enumerate(found):
        mark = _LETTERS[place % len(_LETTERS)]
        head.append(one_line(f"{mark}  {f'{law.name}: ' if law.name else ''}η* {words(law)}"))
        curve = law.curve()
        if curve:
            series.append(TextSeries("line", [(x, y) for x, y, _, _ in (curve[0], curve[-1])], joined=True))
        series.append(TextSeries(mark, [(net.x, net.y) for net in law.nets if not net.censored]))
        if predicted:
            band = predictions.band(law.cells, x)
            head.append(one_line(f"   {predictions.words(band)}"))
            for step in () if isinstance(band, Refusal) else (one for one in band.steps if one.beyond):
                series.append(TextSeries("-", [(step.x, step.low), (step.x, step.high)]))
        series.append(TextSeries("^", [(net.x, net.y) for net in law.nets if net.censored == "at_max"]))
    if above := sum(net.censored == "at_max" for net in nets):
        head.append(f"^  η* is at least this ({counted(above, 'net')})")
    if lost := sum(net.censored not in ("", "at_max") for net in nets):
        head.append(f"   no success in the range, no mark: {counted(lost, 'net')}")
    if missing := sum(law.missing for law in found):
        head.append(f"   nets without η* yet: {missing}")
    return TextChart(tuple(head), tuple(series), x_log=True, y_log=True)


def exponents(rows: Sequence[Row]) -> TextChart:
    """See `forest.exponents`: a line for each, without axes."""
    drawn = forest.drawable(rows)
    values = [number(row, name) for row in drawn for name in ("exponent", "low", "high")]
    low, high = min(v for v in [*values, 0.0] if not isnan(v)), max(v for v in [*values, 0.0] if not isnan(v))
    head = [f"exponents with 95 % intervals; the bar goes from {exact(low, 3)} to {exact(high, 3)}"]
    for row in drawn:
        bar = [" "] * _BAR
        ends = number(row, "low"), number(row, "high")
        if not isnan(ends[0]) and not isnan(ends[1]):
            for place in range(_at(ends[0], low, high), _at(ends[1], low, high) + 1):
                bar[place] = "-"
        bar[_at(number(row, "exponent"), low, high)] = "o"
        where = condition_of(row)
        head.append(one_line(f"|{''.join(bar)}| {name_of(row)}{f', {where}' if where else ''}"))
        head.append(f" {' ' * _BAR}  {line(row)}")
    return TextChart(tuple(head))


def _at(value: float, low: float, high: float) -> int:
    return round((value - low) / ((high - low) or 1.0) * (_BAR - 1))


def catapult(found: Sequence[Training]) -> TextChart:
    """See `trainings.catapult`: its upper panel."""
    drawn = trainings.ratios(found)
    head = ["L / L₀ over steps", *_names([one for one, _ in drawn])]
    return TextChart(tuple(head), _lines(drawn), y_log=True, y_range=trainings.loss_range(drawn))


def sharpness(found: Sequence[Training]) -> TextChart:
    """See `trainings.sharpness`."""
    drawn = trainings.measured(found)
    head = ["λ over steps", *_names(drawn)]
    lines = _lines([(one, one.sharpness) for one in drawn])
    return TextChart(tuple(head), lines, y_range=(0.0, trainings.highest_sharpness(drawn)))


def _names(drawn: Sequence[Training]) -> list[str]:
    found = []
    for place, one in enumerate(drawn):
        size = f"η·λ₀ {exact(one.c, 3)}" if not isnan(one.c) else f"η {exact(one.eta, 3)}"
        found.append(f"{_DIGITS[place % len(_DIGITS)]} {size} {one.phase}".rstrip())
    return [one_line(", ".join(found[place : place + 4])) for place in range(0, len(found), 4)]


def _lines(drawn: Sequence[tuple[Training, trainings.Floats]]) -> tuple[TextSeries, ...]:
    series = []
    for place, (one, its) in enumerate(drawn):
        kept = ~np.isnan(its)
        xs, ys = trainings.thinned(one.step[kept], its[kept], _POINTS // 2)
        series.append(TextSeries(_DIGITS[place % len(_DIGITS)], list(zip(xs.tolist(), ys.tolist(), strict=True)), True))
    return tuple(series)


def phases(rows: Sequence[Row]) -> TextChart:
    """See `scans.phases`."""
    quantity, drawn = scans.drawable(rows)
    nets = by_net(drawn)
    marks: dict[str, list[tuple[float, float]]] = {kind: [] for kind in sorted(set(map(scans.kind_of, drawn)))}
    for place, its in enumerate(nets.values()):
        for row in its:
            marks[scans.kind_of(row)].append((float(place), number(row, quantity)))
    letters = _initials(list(marks))
    series = [TextSeries(letters[kind], those) for kind, those in marks.items()]
    named = ", ".join(f"{letters[kind]} {kind}" for kind in marks)
    labels = tuple(one_line(f"{cell} s{seed}") for _, cell, seed in nets)
    head = (f"{'η·λ₀' if quantity == 'eta_lambda0' else 'η'} of every training, a column a net", one_line(named))
    return TextChart(head, tuple(series), y_log=True, x_labels=labels)


def _initials(kinds: Sequence[str]) -> dict[str, str]:
    """A letter for each, its first where that is free."""
    taken: dict[str, str] = {}
    for kind in kinds:
        free = [
            c for c in [*kind.lower(), *_LETTERS, *_DIGITS] if c.isascii() and c.isalnum() and c not in taken.values()
        ]
        taken[kind] = free[0] if free else "?"
    return taken


def boundary(rows: Sequence[Row], nets: Sequence[Row]) -> TextChart:
    """See `searches.boundary`: rates that succeed, that fail, and η*."""
    tried, ends = searches.tried_and_ends(rows, nets)
    known = [log10(number(end, "eta_star")) for end in ends.values() if number(end, "eta_star") > 0]
    low, high = (min(known) - 0.45, max(known) + 0.45) if known else (-300.0, 300.0)
    marks: dict[str, list[tuple[float, float]]] = {"+": [], "-": [], "v": [], "^": []}
    beyond = 0
    for place, (key, its) in enumerate(tried.items()):
        for row in its:
            if low <= log10(number(row, "eta")) <= high:
                marks["+" if text_of(row, "verdict") == searches.SUCCESS else "-"].append(
                    (number(row, "eta"), float(place))
                )
            else:
                beyond += 1
        end = ends.get(key, {})
        if number(end, "eta_star") > 0:
            marks["^" if text_of(end, "censored") else "v"].append((number(end, "eta_star"), float(place)))
    labels = tuple(one_line(f"{cell} s{seed}") for _, cell, seed in tried)
    head = ["η of every training, a line a net: + success, - failure, v η*, ^ η* is at least this"]
    if beyond:
        head.append(f"{beyond} trainings lie beyond the ends of the axis")
    series = tuple(TextSeries(mark, those) for mark, those in marks.items() if those)
    return TextChart(tuple(head), series, x_log=True, y_labels=labels)


def transfer(found: Sequence[optima.Optima], x: str) -> TextChart:
    """See `optima.transfer`."""
    nets = optima.drawable(found)
    head, series = [f"best rate over {x}, log-log; a mark is a net, a line joins the means"], []
    for place, one in enumerate(found):
        mark = _LETTERS[place % len(_LETTERS)]
        head.append(one_line(f"{mark}  {f'{one.name}: ' if one.name else ''}{optima.words(one)}"))
        series.append(TextSeries("line", [(x, mean) for x, mean, _, _ in one.means], joined=True))
        series.append(TextSeries(mark, [(net.x, net.y) for net in one.nets if not net.mark]))
        for bound, shape in (("at-max", "^"), ("at-min", "v"), ("alone", "+")):
            series.append(TextSeries(shape, [(net.x, net.y) for net in one.nets if net.mark == bound]))
    for bound, (shape, text) in optima.BOUNDS.items():
        if count := sum(net.mark == bound for net in nets):
            none = bound == "none"
            head.append(f"{' ' if none else shape}  {text} ({counted(count, 'net')}{', no mark' * none})")
    if missing := sum(one.missing for one in found):
        head.append(f"   nets without a best rate yet: {missing}")
    return TextChart(tuple(head), tuple(series), x_log=True, y_log=True)


def forks(rows: Sequence[Row]) -> TextChart:
    """See `fork_curves.forks`."""
    head, series = ["η*(t) over step t, log; line: the edge 2/λ(t), c: a catapult begins, dots: the base's rate"], []
    for place, one in enumerate(fork_curves.curves(rows)):
        mark, (low, high) = _LETTERS[place % len(_LETTERS)], fork_curves.ratio_range(one)
        said = "no step where all nets have η*(t)"
        if low <= high:
            said = f"η*(t) is {exact(low, 2)} to {exact(high, 2)} times the edge"
        head.append(one_line(f"{mark}  {one.cell}: {said}"))
        series.append(TextSeries("line", list(zip(one.steps, one.edge, strict=True)), joined=True))
        series.append(TextSeries(".", list(zip(one.steps, one.base, strict=True))))
        series.append(TextSeries("c", list(zip(one.steps, one.catapult, strict=True))))
        series.append(TextSeries(mark, list(zip(one.steps, one.eta_star, strict=True))))
        if one.left_out:
            head.append(f"   forks without a value: {one.left_out}")
    return TextChart(tuple(head), tuple(series), y_log=True)


def success_map(one: success_maps.SuccessMap) -> TextChart:
    """See `success_maps.success_map`: a picture in lines, without axes of its own."""
    across, down = (f"{name} {exact(some[0], 3)} to {exact(some[-1], 3)}"
                    for name, some in (("η", one.etas), (one.section.axis, one.values)))  # fmt: skip
    head = [*success_maps.words(one), f"# succeeds, . fails, + both; across {across}, up {down}"]
    return TextChart(tuple(map(one_line, [*head, *success_maps.picture(one)])))


def accuracy(found: Sequence[Training]) -> TextChart:
    """See `accuracies.accuracy`: its upper panel."""
    head, series = ["accuracy over η·λ₀" if trainings.has_c(found) else "accuracy over η"], []
    lost = 0
    for place, one in enumerate(accuracies.moments(found)):
        marks = _LETTERS[2 * place % len(_LETTERS)], _LETTERS[(2 * place + 1) % len(_LETTERS)]
        times = f"{whole(one.steps)} steps", f"η·t = {exact(one.time, 3)}"
        head.append(one_line(f"{one.cell}: {marks[0]} after {times[0]}, {marks[1]} after {times[1]}"))
        for mark, points in zip(marks, (one.at_steps, one.at_time), strict=True):
            series.append(TextSeries(mark, [(p.c, p.accuracy) for p in points if not isnan(p.accuracy)]))
            if missing := sum(isnan(point.accuracy) for point in points):
                head.append(f"   {mark} not measured then: {missing}")
        series.append(TextSeries("*", [(c, 0.0) for c in one.lost]))
        lost += len(one.lost)
    if lost:
        head.append(f"*  lost before the last step ({lost} trainings)")
    return TextChart(tuple(head), tuple(series), x_log=True, y_range=(0.0, 1.02))


def onsets(found: Sequence[Onset], x: str) -> TextChart:
    """See `onset_marks.onsets`."""
    head, series = [f"onsets in η·λ₀ over {x}, log-log; a mark is a net, a line joins the means"], []
    for place, one in enumerate(found):
        mark = _LETTERS[place % len(_LETTERS)]
        head.append(one_line(f"{mark}  {one.label}"))
        series.append(TextSeries("line", list(one.means), joined=True))
        series.append(TextSeries(mark, [(net.x, net.c) for net in one.marks if not net.bound]))
        for bound, shape in (("at-max", "^"), ("at-min", "v")):
            series.append(TextSeries(shape, [(net.x, net.c) for net in one.marks if net.bound == bound]))
    for bound, shape, text in (("at-max", "^", "at least this"), ("at-min", "v", "at most this")):
        if count := sum(net.bound == bound for one in found for net in one.marks):
            head.append(f"{shape}  {text}: beyond the rates tried ({count})")
    if count := sum(net.bound == "unmeasured" for one in found for net in one.marks):
        head.append(f"   c_sharp: λ not measured ({counted(count, 'net')})")
    return TextChart(tuple(head), tuple(series), x_log=True, y_log=True)
