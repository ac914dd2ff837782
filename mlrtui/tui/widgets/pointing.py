"""A pane with a chart under the mouse: the pointer reads the values of its column, the wheel zooms around it."""

import math
from collections.abc import Sequence

import numpy as np
from textual import events
from textual.message import Message

from mlrtui.charts.downsample import dot_column
from mlrtui.charts.draw import draw
from mlrtui.charts.reference import gutter_width
from mlrtui.charts.spec import Axis, ChartSpec, Series
from mlrtui.text.lines import Line, line
from mlrtui.text.numbers import number, whole
from mlrtui.tui.widgets.pane import Pane

__all__ = ["PointedPane"]

_CLOSER = 0.7  # of the visible steps stay at one notch of the wheel


class PointedPane(Pane):
    """Draws its chart by `drawn`; its caption is what the pointer is on, while it is on the chart."""

    class Wheeled(Message):
        """The wheel was turned on the chart."""

        def __init__(self, step: float, factor: float) -> None:
            self.step = step
            self.factor = factor  # of the visible steps that stay
            super().__init__()

    _spec: ChartSpec | None = None
    _plot: tuple[int, int] = (0, 0)  # where the chart begins and how many cells it has, without the frame
    _pointed: int | None = None  # the cell of the chart under the pointer

    def drawn(self, spec: ChartSpec, width: int, height: int) -> Sequence[Line]:
        """The chart, remembered for the pointer."""
        ascii_only = self.look.marks.ascii_only
        left = max(spec.gutter, gutter_width(spec.hlines, ascii_only)) + 1
        self._spec, self._plot = spec, (left, width - left)
        return draw(spec, width, height, ascii_only).lines

    def pointer(self) -> Line:
        """What the curves say in the column under the pointer; empty where it is not on the chart."""
        if self._spec is None or self._pointed is None:
            return ()
        named = [series for series in self._spec.series if series.letter] or list(self._spec.series[-1:])
        found = [(series.letter, text) for series in named if (text := self._values(series, self._pointed))]
        if not found:
            return line("no step under the pointer", "dim")
        return line(" · ".join(f"{letter} {text}" if letter else text for letter, text in found), "value")

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Another column."""
        self._point(event.x)

    def on_leave(self) -> None:
        """The caption is the chart's own again."""
        self._point(-1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Fewer steps."""
        self._turn(event.x, _CLOSER)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """More steps."""
        self._turn(event.x, 1.0 / _CLOSER)

    def _point(self, x: int) -> None:
        left, cells = self._plot
        at = x - 1 - left  # without the frame
        pointed = at if 0 <= at < cells else None
        if pointed != self._pointed:
            self._pointed = pointed
            self.update_rows()

    def _turn(self, x: int, factor: float) -> None:
        left, cells = self._plot
        if self._spec is None or cells < 2:
            return
        share = min(max((x - 1 - left) / (cells - 1), 0.0), 1.0)
        low, high = self._spec.x_start, max(self._spec.x_end, self._spec.x_start + 1.0)
        if self._spec.x_log:
            step = math.expm1(math.log1p(low) + share * (math.log1p(high) - math.log1p(low)))
        else:
            step = low + share * (high - low)
        self.post_message(self.Wheeled(step, factor))

    def _values(self, series: Series, cell: int) -> str:
        """ "step 14: 31.2", or of several steps in one cell "steps 12–15: 3.1 to 31.2"; "" without any."""
        assert self._spec is not None
        axis = Axis(self._spec.x_start, max(self._spec.x_end, self._spec.x_start + 1.0), self._spec.x_log)
        cells = self._plot[1]
        dots = 1 if self.look.marks.ascii_only else 2
        inside = (series.x >= axis.low) & (series.x <= axis.high)
        here = np.flatnonzero(inside & (dot_column(series.x, axis, dots * cells) // dots == cell))
        if not here.size:
            return ""
        steps, values = series.x[here], series.y[here]
        finite = values[np.isfinite(values)]
        if not finite.size:
            said = "not finite"
        elif finite.min() == finite.max():
            said = number(float(finite[0]), 4)
        else:
            said = f"{number(float(finite.min()), 4)} to {number(float(finite.max()), 4)}"
        first, last = whole(float(steps[0])), whole(float(steps[-1]))
        return f"step {first}: {said}" if first == last else f"steps {first}–{last}: {said}"
