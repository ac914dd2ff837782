"""The trials of a sweep on the screen Phases: every one by its phase over η·λ₀, the ranges of phases, one in full."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mlrtui.charts.scatter import Dot, ScatterSpec, draw_scatter, padded
from mlrtui.charts.spec import HLine
from mlrtui.text.lines import Line, centred, clean, line, width_of
from mlrtui.text.marks import PHASE_STATES, Marks
from mlrtui.text.numbers import counted, exact, number
from mlrtui.tui.pages import Onsets, PhaseMark
from mlrtui.tui.phases.lines import lines_for, words_for
from mlrtui.tui.phases.picture import Picture
from mlrtui.tui.tables import Table, onset_table, phase_table
from mlrtui.tui.trial.reasons import phase_text
from mlrtui.tui.widgets.rows import sentence

__all__ = ["AXES", "SPELLED", "VALUES", "PhaseView", "counts", "phase_state", "varying"]

AXES = ("width", "depth", "seed")
VALUES = ("ηλ₀", "accuracy", "ηλ at the end")
"""What is drawn upwards: the first against an axis of the grid, the others against ηλ₀."""
SPELLED = {"accuracy": "accuracy", "ηλ at the end": "lambda_end"}
"""The others as a command line has them."""

_ORDER = (*dict.fromkeys(PHASE_STATES.values()), "slow", "failed")


@dataclass(frozen=True)
class PhaseView(Picture):
    """The trials by column (value on the axis, cell, seed) and then η·λ₀, and which of them is under the cursor."""

    marks: tuple[PhaseMark, ...] = ()
    axis: str = AXES[0]
    at: int = 0
    words: str = "reading the trials"
    growth: tuple[str, ...] = ()  # of outputs and activations over widths, a sentence for each law of the rate
    value: str = VALUES[0]
    onsets: tuple[Onsets, ...] | None = None
    forked: int = 0  # trials of the sweep that are not here
    theory: bool = True
    chosen_axis: str | None = None  # by a key or an option; None: the first that varies

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

    def stepped(self, dx: int, dy: int) -> "PhaseView":
        """The cursor on a neighbouring trial."""
        mark = self.moved(dx, dy)
        return self if mark is None else replace(self, at=self.marks.index(mark))

    def along_x(self) -> "PhaseView":
        """Against the next axis that varies."""
        axes = varying(self.marks)
        axis = axes[(axes.index(self.axis) + 1) % len(axes)] if self.axis in axes else axes[0]
        other = PhaseView.of(self.marks, axis, None if self.mark is None else self.mark.trial_id, self.words)
        return replace(self, marks=other.marks, at=other.at, axis=axis, chosen_axis=axis)

    def upwards(self) -> "PhaseView":
        """The next value upwards: ηλ₀ against an axis, or accuracy or ηλ at the end against ηλ₀."""
        return replace(self, value=VALUES[(VALUES.index(self.value) + 1) % len(VALUES)])

    @property
    def page(self) -> str:
        """Where c_loss and the others are listed, these are read too."""
        return "phases" if self.value == VALUES[0] else "onsets"

    @property
    def trial_id(self) -> int | None:
        """The trial under the cursor."""
        return None if self.mark is None else self.mark.trial_id

    def choices(self) -> dict[str, str]:
        """The axis, and what is drawn upwards."""
        found = {} if self.chosen_axis is None else {"x": self.chosen_axis}
        return found | ({} if self.value == VALUES[0] else {"value": SPELLED[self.value]})

    def chosen(self, choices: Mapping[str, str]) -> "PhaseView":
        """Another axis, or another value."""
        value = next((value for value, text in SPELLED.items() if text == choices.get("value")), VALUES[0])
        return replace(self, chosen_axis=choices.get("x", self.chosen_axis), value=value)

    def tables(self) -> Sequence[Table]:
        """The trials, and where each net turns."""
        return (phase_table(self.marks), *([onset_table(self.onsets)] if self.onsets else []))

    def title(self) -> Line:
        """What is drawn against what."""
        if self.value != VALUES[0]:
            return ((f"phases: {self.value} against ηλ₀", "title"), ("  v", "dim"))
        return ((f"phases: ηλ₀ against {self.axis}", "title"), ("  x", "dim"))

    def caption(self, marks: Marks, room: int) -> Line:
        """What the marks mean and how many there are."""
        for named in (True, False):  # where all does not fit the signs do: the ranges beside the map name them
            runs: list[tuple[str, str]] = []
            for state, names, count in counts(self.marks):
                text = f" {names} {count}" if named else f" {count}"
                runs += [("  " if runs else "", ""), (marks.glyph(state), state), (text, "")]
            if width_of(tuple(runs)) <= room:
                break
        return tuple(runs)

    def drawn(self, width: int, height: int, marks: Marks) -> Sequence[Line]:
        """One column a net, columns grouped by the axis; theory's lines at 2 and 4."""
        if not self.marks:
            return centred(self.words, width, height)
        if self.value != VALUES[0]:
            return self._against_c(width, height, marks)
        values, places = self._places
        here, glyphs = self.mark, dict(marks.glyphs)
        dots = []
        for mark, place in zip(self.marks, places, strict=True):
            state = phase_state(mark)
            dots.append(Dot(place, _c(mark) or math.nan, glyphs[state], state, mark is here))
        lines = lines_for(self.mark) if self.theory else ()
        spec = ScatterSpec(
            tuple(dots),
            hlines=lines,
            x_log=False,
            x_limits=(-0.5, len(values) - 0.5),
            y_limits=padded([dot.y for dot in dots] + [hline.value for hline in lines], True),
            x_names=tuple((float(at), _name(value)) for at, value in enumerate(values)),
        )
        return draw_scatter(spec, width, height, marks.ascii_only)

    @cached_property
    def _places(self) -> tuple[list[tuple[str, float, str]], list[float]]:
        """The values on the axis, and where each trial lies to the right: its net's column within those of a value."""
        columns = [_column(mark, self.axis) for mark in self.marks]
        mates: dict[tuple[str, float, str], list[_Column]] = {}
        for column in sorted(set(columns)):
            mates.setdefault(column[0], []).append(column)
        place_of = {
            column: at + 0.8 * ((nth + 0.5) / len(beside) - 0.5)
            for at, beside in enumerate(mates.values())
            for nth, column in enumerate(beside)
        }
        return list(mates), [place_of[column] for column in columns]

    def _against_c(self, width: int, height: int, marks: Marks) -> Sequence[Line]:
        """Accuracy, or η·λ at the end with its edge, of every trial over its η·λ₀."""
        here, dots = self.mark, []
        for mark in self.marks:
            y = mark.final_accuracy if self.value == VALUES[1] else mark.eta_final_sharpness
            state = phase_state(mark)
            glyph = marks.glyph(state)
            dots.append(Dot(_c(mark) or math.nan, math.nan if y is None else y, glyph, state, mark is here))
        edge = None if here is None or self.value == VALUES[1] or not self.theory else here.edge
        lines = () if edge is None else (HLine(edge, number(edge)),)
        spec = ScatterSpec(tuple(dots), hlines=lines, y_log=False, empty=f"no {self.value} is stored")
        return draw_scatter(spec, width, height, marks.ascii_only)

    def aside_title(self) -> Line:
        """What the numbers are."""
        return (("ranges of ηλ₀", "title"), (f"  by {self.axis}", "dim"))

    def aside(self, width: int, marks: Marks) -> Sequence[Line]:
        """For every value of the axis the range of η·λ₀ that each phase takes, one phase a row."""
        rows: list[Line] = []
        wide = max((len(_name(_value(mark, self.axis))) for mark in self.marks), default=0) + 1
        for value in sorted({_value(mark, self.axis) for mark in self.marks}):
            mates = [mark for mark in self.marks if _value(mark, self.axis) == value]
            for at, (state, names, count) in enumerate(counts(mates)):
                c = [_c(mark) or math.nan for mark in mates if phase_state(mark) == state]
                head = f"{_name(value) if at == 0 else '':>{wide}}"
                span = f" {number(min(c))}" + (f" – {number(max(c))}" if count > 1 else "")
                row: Line = ((head, "strong"), (f" {marks.glyph(state)} ", state), (f"{names} {count}", ""))
                if width_of(row) + len(span) <= width:
                    rows.append((*row, (span, "value")))
                else:
                    rows += [row, line(f"{'':>{wide}}  {span}", "value")]
            nets = {(mark.label, mark.seed) for mark in mates}
            rows += [line(f"{'':>{wide}}   {text}", "dim") for text in _onset_ranges(self.onsets or (), nets)]
        for said in self.growth:
            rows += [line(), *sentence(said, "", width, hang=" ")]
        if self.forked:
            said = f"and {counted(self.forked, 'trial')} of forks, which start later: Trial draws their η*(t)"
            rows += [line(), *sentence(said, "dim", width, hang=" ")]
        if not self.theory:
            return rows
        return [*rows, line(), *sentence(words_for(self.mark), "dim", width, hang=" ")]

    def cursor_title(self) -> Line:
        """Which trial."""
        mark = self.mark
        return line("trial" if mark is None else f"trial {clean(mark.label)} seed {mark.seed}", "title")

    def under_cursor(self, width: int, marks: Marks) -> Sequence[Line]:
        """The trial in sentences."""
        mark = self.mark
        if mark is None:
            return []
        state = phase_state(mark)
        known = [f"ηλ₀ {exact(mark.eta_lambda0)}" if mark.eta_lambda0 is not None else "", f"η {exact(mark.eta)}"]
        peak = "" if mark.peak_ratio is None else f"peak {number(mark.peak_ratio)} × the first loss @{mark.peak_step}"
        bad = "" if mark.bad_step is None else f"{mark.bad_kind} @{mark.bad_step}"
        final = mark.eta_final_sharpness
        parts = [*known, peak, bad, "" if final is None else f"at the end ηλ {number(final)}"]
        head = f"{mark.phase or 'no phase'} ({mark.verdict or 'failed'})"
        rows: list[Line] = [((f" {marks.glyph(state)} ", state), (head, "strong"))]
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
        known = self.onsets or ()
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


def phase_state(mark: PhaseMark) -> str:
    """The sign of a trial: that of its phase by `PHASE_STATES`; without one slow, or failed."""
    if mark.phase is not None:
        return PHASE_STATES.get(mark.phase, "slow")
    return "failed" if mark.verdict in (None, "failed") else "slow"


def counts(marks: Sequence[PhaseMark]) -> list[tuple[str, str, int]]:
    """The states that occur: (state, names of its phases, how many)."""
    mates: dict[str, list[PhaseMark]] = {}
    for mark in marks:
        mates.setdefault(phase_state(mark), []).append(mark)
    found = []
    for state in _ORDER:
        if state in mates:
            names = dict.fromkeys(mark.phase or mark.verdict or "failed" for mark in mates[state])
            found.append((state, ", ".join(names), len(mates[state])))
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


_Column = tuple[tuple[str, float, str], int, int, str, int]


def _column(mark: PhaseMark, axis: str) -> _Column:
    """Trials of one net share a column; columns go by the axis first."""
    return (_value(mark, axis), mark.depth or 0, mark.width or 0, mark.label, mark.seed)


def varying(marks: Sequence[PhaseMark]) -> list[str]:
    """The axes with more than one value, the usual ones first; seed where there is none."""
    usual = [axis for axis in AXES if len({getattr(mark, axis) for mark in marks}) > 1]
    others = [name for name, _ in marks[0].axes] if marks else []
    return [*usual, *others] or [AXES[-1]]
