"""The panes of Phases: every trial by its phase over η·λ₀, the ranges of the phases, the trial under the cursor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.charts.scatter import Dot, ScatterSpec, draw_scatter, padded
from mlrtui.charts.spec import HLine
from mlrtui.text.lines import Line, clean, line, width_of
from mlrtui.text.marks import PHASE_STATES
from mlrtui.text.numbers import exact, number
from mlrtui.tui.pages import Onsets, PhaseMark
from mlrtui.tui.phases.lines import lines_for, words_for
from mlrtui.tui.phases.maps import MapView
from mlrtui.tui.state import Look
from mlrtui.tui.trial.reasons import phase_text
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane, sentence

__all__ = [
    "AXES",
    "SPELLED",
    "VALUES",
    "MapPane",
    "MarkPane",
    "PhaseView",
    "PhaseWidget",
    "RangesPane",
    "counts",
    "phase_state",
]

AXES = ("width", "depth", "seed")
VALUES = ("ηλ₀", "accuracy", "ηλ at the end")
"""What is drawn upwards: the first against an axis of the grid, the others against ηλ₀."""
SPELLED = {"accuracy": "accuracy", "ηλ at the end": "lambda_end"}
"""The others as a command line has them."""

_ORDER = (*dict.fromkeys(PHASE_STATES.values()), "slow", "failed")


@dataclass(frozen=True)
class PhaseView:
    """The trials by column (value on the axis, cell, seed) and then η·λ₀, and which of them is under the cursor."""

    marks: tuple[PhaseMark, ...] = ()
    axis: str = AXES[0]
    at: int = 0
    words: str = "reading the trials"
    growth: tuple[str, ...] = ()  # of outputs and activations over widths, a sentence for each law of the rate
    value: str = VALUES[0]
    onsets: tuple[Onsets, ...] | None = None
    theory: bool = True
    map: MapView | None = None  # of a sweep with [map], which has this in place of trials

    @classmethod
    def of(
        cls, marks: Sequence[PhaseMark], axis: str, trial_id: int | None, words: str, growth: tuple[str, ...] = ()
    ) -> "PhaseView":
        """The cursor on this trial, else on the first."""
        known = [mark for mark in marks if _c(mark) is not None]
        ordered = tuple(sorted(known, key=lambda mark: (_column(mark, axis), _c(mark))))
        at = next((at for at, mark in enumerate(ordered) if mark.trial_id == trial_id), 0)
        return cls(ordered, axis, at, words, growth)

    @property
    def mark(self) -> PhaseMark | None:
        """The trial under the cursor."""
        return self.marks[self.at] if self.marks else None

    def moved(self, dx: int, dy: int) -> PhaseMark | None:
        """The trial above or below in the same column, or the nearest in η·λ₀ in a neighbouring one."""
        here = self.mark
        if here is None:
            return None
        if self.value != VALUES[0] and dx:  # ηλ₀ goes to the right
            by_c = sorted(self.marks, key=lambda mark: (_c(mark), _column(mark, self.axis)))
            return by_c[min(max(by_c.index(here) + dx, 0), len(by_c) - 1)]
        if self.value != VALUES[0]:
            dx, dy = -dy, 0
        columns = sorted({_column(mark, self.axis) for mark in self.marks})
        at = min(max(columns.index(_column(here, self.axis)) + dx, 0), len(columns) - 1)
        mates = [mark for mark in self.marks if _column(mark, self.axis) == columns[at]]
        if dx:
            return min(mates, key=lambda mark: abs(math.log((_c(mark) or 1) / (_c(here) or 1))))
        return mates[min(max(mates.index(here) - dy, 0), len(mates) - 1)]


class PhaseWidget(Pane):
    """A pane that shows phases; the screen sets `view` before it shows a reading."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane")
        self.view = PhaseView()


class MapPane(PhaseWidget):
    """Every ended trial at its η·λ₀: one column a net, columns grouped by the axis; theory's lines at 2 and 4."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "map")

    def title(self) -> Line:
        """What is drawn against what."""
        if self.view.map is not None:
            return self.view.map.title()
        if self.view.value != VALUES[0]:
            return ((f"phases: {self.view.value} against ηλ₀", "title"), ("  v", "dim"))
        return ((f"phases: ηλ₀ against {self.view.axis}", "title"), ("  x", "dim"))

    def caption(self) -> Line:
        """What the marks mean and how many there are."""
        if self.view.map is not None:
            return self.view.map.caption(self.look.marks.ascii_only)
        for named in (True, False):  # where all does not fit the signs do: the ranges beside the map name them
            runs: list[tuple[str, str]] = []
            for state, names, count in counts(self.view.marks):
                text = f" {names} {count}" if named else f" {count}"
                runs += [("  " if runs else "", ""), (self.look.marks.glyph(state), state), (text, "")]
            if width_of(tuple(runs)) <= self.size.width - 6:
                break
        return tuple(runs)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The picture."""
        view = self.view
        if view.map is not None:
            return view.map.picture(width, height, self.look.marks.ascii_only)
        if not view.marks:
            return [line()] * (height // 2) + [line(view.words.center(width), "note")]
        if view.value != VALUES[0]:
            return self._against_c(width, height)
        values = sorted({_value(mark, view.axis) for mark in view.marks})
        columns = {
            value: sorted({_column(m, view.axis) for m in view.marks if _value(m, view.axis) == value})
            for value in values
        }
        dots = []
        for mark in view.marks:
            value, state = _value(mark, view.axis), phase_state(mark)
            mates = columns[value]
            place = values.index(value) + 0.8 * ((mates.index(_column(mark, view.axis)) + 0.5) / len(mates) - 0.5)
            dots.append(Dot(place, _c(mark) or math.nan, self.look.marks.glyph(state), state, mark is view.mark))
        lines = lines_for(view.mark) if view.theory else ()
        spec = ScatterSpec(
            tuple(dots),
            hlines=lines,
            x_log=False,
            x_limits=(-0.5, len(values) - 0.5),
            y_limits=padded([dot.y for dot in dots] + [hline.value for hline in lines], True),
            x_names=tuple((float(at), _name(value)) for at, value in enumerate(values)),
        )
        return draw_scatter(spec, width, height, self.look.marks.ascii_only)

    def _against_c(self, width: int, height: int) -> Sequence[Line]:
        """Accuracy, or η·λ at the end with its edge, of every trial over its η·λ₀."""
        view, dots = self.view, []
        for mark in view.marks:
            y = mark.final_accuracy if view.value == VALUES[1] else mark.eta_final_sharpness
            state = phase_state(mark)
            glyph = self.look.marks.glyph(state)
            dots.append(Dot(_c(mark) or math.nan, math.nan if y is None else y, glyph, state, mark is view.mark))
        edge = None if view.mark is None or view.value == VALUES[1] or not view.theory else view.mark.edge
        lines = () if edge is None else (HLine(edge, number(edge)),)
        spec = ScatterSpec(tuple(dots), hlines=lines, y_log=False, empty=f"no {view.value} is stored")
        return draw_scatter(spec, width, height, self.look.marks.ascii_only)


class RangesPane(PhaseWidget, RowsPane):
    """For every value of the axis the range of η·λ₀ that each phase takes."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "ranges")

    def title(self) -> Line:
        """What the numbers are."""
        if self.view.map is not None:
            return line("maps", "title")
        return (("ranges of ηλ₀", "title"), (f"  by {self.view.axis}", "dim"))

    def rows(self, width: int) -> Sequence[Line]:
        """One value a group, one phase a row."""
        if self.view.map is not None:
            return self.view.map.summary(width)
        rows: list[Line] = []
        wide = max((len(_name(_value(mark, self.view.axis))) for mark in self.view.marks), default=0) + 1
        for value in sorted({_value(mark, self.view.axis) for mark in self.view.marks}):
            mates = [mark for mark in self.view.marks if _value(mark, self.view.axis) == value]
            for at, (state, names, count) in enumerate(counts(mates)):
                c = [_c(mark) or math.nan for mark in mates if phase_state(mark) == state]
                head = f"{_name(value) if at == 0 else '':>{wide}}"
                span = f" {number(min(c))}" + (f" – {number(max(c))}" if count > 1 else "")
                row: Line = ((head, "strong"), (f" {self.look.marks.glyph(state)} ", state), (f"{names} {count}", ""))
                if width_of(row) + len(span) <= width:
                    rows.append((*row, (span, "value")))
                else:
                    rows += [row, line(f"{'':>{wide}}  {span}", "value")]
            nets = {(mark.label, mark.seed) for mark in mates}
            rows += [line(f"{'':>{wide}}   {text}", "dim") for text in _onset_ranges(self.view.onsets or (), nets)]
        for said in self.view.growth:
            rows += [line(), *sentence(said, "", width, hang=" ")]
        if not self.view.theory:
            return rows
        return [*rows, line(), *sentence(words_for(self.view.mark), "dim", width, hang=" ")]


def _onset_ranges(onsets: Sequence[Onsets], nets: set[tuple[str, int]]) -> list[str]:
    """Over some nets, by label and seed: "c_loss 2.1 – 2.3", and so on for those that are known."""
    mine = [one for one in onsets if (one.label, one.seed) in nets]
    found = []
    for name in ("c_loss", "c_sharp", "c_max"):
        values = [value for one in mine if (value := getattr(one, name)) is not None]
        if values:
            low, high = number(min(values)), number(max(values))
            found.append(f"{name} {low}" if low == high else f"{name} {low} – {high}")
    return found


class MarkPane(PhaseWidget):
    """The trial under the cursor in full."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "mark")

    def title(self) -> Line:
        """Which trial."""
        mark = self.view.mark
        if self.view.map is not None:
            return line("under the cursor", "title")
        return line("trial" if mark is None else f"trial {clean(mark.label)} seed {mark.seed}", "title")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """Sentences."""
        mark = self.view.mark
        if self.view.map is not None:
            return self.view.map.under_cursor(width)
        if mark is None:
            return []
        state = phase_state(mark)
        known = [f"ηλ₀ {exact(mark.eta_lambda0)}" if mark.eta_lambda0 is not None else "", f"η {exact(mark.eta)}"]
        peak = "" if mark.peak_ratio is None else f"peak {number(mark.peak_ratio)} × the first loss @{mark.peak_step}"
        bad = "" if mark.bad_step is None else f"{mark.bad_kind} @{mark.bad_step}"
        final = mark.eta_final_sharpness
        parts = [*known, peak, bad, "" if final is None else f"at the end ηλ {number(final)}"]
        head = f"{mark.phase or 'no phase'} ({mark.verdict or 'failed'})"
        rows: list[Line] = [((f" {self.look.marks.glyph(state)} ", state), (head, "strong"))]
        parts.append("" if mark.final_accuracy is None else f"accuracy {number(mark.final_accuracy)}")
        parts += self._onsets(mark)
        text = " · ".join(part for part in parts if part)
        rows += sentence(text, "", width, hang=" ")
        return [
            *rows,
            *sentence(phase_text(None, mark.phase_reason, mark.phase_rule, mark.phase_basis), "dim", width, hang=" "),
        ]

    def _onsets(self, mark: PhaseMark) -> list[str]:
        """Of its net: where the loss rises, where λ rises, the last that survives; with the rate tried beside each."""
        known = self.view.onsets or ()
        found = next((one for one in known if (one.label, one.seed) == (mark.label, mark.seed)), None)
        if found is None:
            return []
        words = (
            ("c_loss", found.c_loss, found.c_loss_above, "not at"),
            ("c_sharp", found.c_sharp, found.c_sharp_above, "not at"),
            ("c_max", found.c_max, found.c_max_below, "lost at"),
        )
        return [
            f"{name} {number(value)}" + (f" ({how} {number(other)})" if other is not None else "")
            for name, value, other, how in words
            if value is not None
        ]


def phase_state(mark: PhaseMark) -> str:
    """The sign of a trial: that of its phase by `PHASE_STATES`; without one slow, or failed."""
    if mark.phase is not None:
        return PHASE_STATES.get(mark.phase, "slow")
    return "failed" if mark.verdict in (None, "failed") else "slow"


def counts(marks: Sequence[PhaseMark]) -> list[tuple[str, str, int]]:
    """The states that occur: (state, names of its phases, how many)."""
    found = []
    for state in _ORDER:
        mates = [mark for mark in marks if phase_state(mark) == state]
        if mates:
            names = dict.fromkeys(mark.phase or mark.verdict or "failed" for mark in mates)
            found.append((state, ", ".join(names), len(mates)))
    return found


def _c(mark: PhaseMark) -> float | None:
    """η·λ₀ where it is a number with a logarithm."""
    c = mark.eta_lambda0
    return c if c is not None and 0 < c < math.inf else None


def _value(mark: PhaseMark, axis: str) -> tuple[str, float, str]:
    """For ordering: numbers by size, then texts."""
    value = mark.on(axis)
    return ("", float(value), "") if isinstance(value, int | float) else ("text", 0.0, value)


def _name(value: tuple[str, float, str]) -> str:
    return clean(value[2]) if value[0] else exact(value[1])


def _column(mark: PhaseMark, axis: str) -> tuple[tuple[str, float, str], int, int, str, int]:
    """Trials of one net share a column; columns go by the axis first."""
    return (_value(mark, axis), mark.depth or 0, mark.width or 0, mark.label, mark.seed)
