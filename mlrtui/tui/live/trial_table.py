"""The trials of the chosen cell, one a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, as_shown, clean, line
from mlrtui.text.marks import STATE_WORDS, at_rest, legend, trial_state
from mlrtui.text.numbers import accuracy, exact, number
from mlrtui.text.phrases import outcome
from mlrtui.tui.edges import rates_of, ratio_name
from mlrtui.tui.state import Look, starts
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import sentence, window
from mlrtui_db.models import TrialRow

__all__ = ["TrialTable"]


@dataclass(frozen=True)
class _Column:
    name: str
    width: int  # 0: the last one, as wide as it needs
    text: Callable[[TrialRow], str]


def _ratio(trial: TrialRow) -> str:
    if trial.last_sharpness is None:
        return "-"
    return number(rates_of(trial).at(trial.last_step or 0) * trial.last_sharpness / (trial.edge or 1.0))


def _step(trial: TrialRow) -> str:
    return "-" if trial.last_step is None else str(trial.last_step)


_SEED = _Column("s", 2, lambda trial: str(trial.seed))
_C = _Column("ηλ₀", 5, lambda trial: number(trial.eta_lambda0))
_ETA = _Column("η", 6, lambda trial: number(trial.eta))
_RATIO = _Column("λη/2", 5, _ratio)
_STATE = _Column("state", 0, outcome)
_WIDE = (
    _C,
    _ETA,
    _Column("step", 5, _step),
    _Column("loss", 7, lambda trial: number(trial.last_loss)),
    _Column("acc", 5, lambda trial: accuracy(trial.last_accuracy)),
    _RATIO,
    _STATE,
)


class TrialTable(Pane):
    """A list with a cursor of its own, which readings follow: the charts show that trial once it has been read."""

    OPENS = True

    class Clicked(Message):
        """A trial was chosen with the mouse."""

        def __init__(self, trial_id: int) -> None:
            self.trial_id = trial_id
            super().__init__()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="trials", classes="pane")
        self.chosen: int | None = None  # the trial under the cursor, which the screen puts on what is looked at
        self._first = 0
        self._note = ""

    def title(self) -> Line:
        """Which cell."""
        cell = None if self.reading is None else self.reading.cell
        return line("trials" if cell is None else f"trials in {clean(cell.size)}", "title")

    def caption(self) -> Line:
        """Which part of the list is visible, and what its signs mean, as far as there is room."""
        room = self.size.width - 8 - len(self._note)
        signs = legend(self.look.marks, map(self._state, self._trials()), room)
        return ((self._note, "dim"), ("  " if self._note and signs else "", ""), *signs)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """Column names and trials."""
        trials = self._trials()
        self._note = ""
        if self.reading is None or not trials:
            return sentence(self._nothing(), "note", width, hang=" ")
        seeds = len({trial.seed for trial in trials}) > 1
        ratio = as_shown(ratio_name(trials[0].edge))  # the same for all trials of a cell
        named = replace(_RATIO, name=ratio, width=max(_RATIO.width, len(ratio)))
        columns = [named if column is _RATIO else column for column in _columns(width, seeds)]
        at = self._cursor()
        rows = window(len(trials), at, height - 1)
        self._first = rows.start
        if len(rows) < len(trials):
            self._note = f"{rows.start + 1}-{rows.stop} of {len(trials)}"
        marked = self._marked()
        head = "   " + " ".join(_pad(self._heading(column), column.width) for column in columns)
        shown = [(trials[i], i == at, trials[i].trial_id in marked) for i in rows]
        return [line(head, "dim"), *(self._row(*one, columns) for one in shown)]

    def _state(self, trial: TrialRow) -> str:
        return at_rest(trial_state(trial), self.reading is None or self.reading.alive)

    def _row(self, trial: TrialRow, chosen: bool, marked: bool, columns: Sequence[_Column]) -> Line:
        state = self._state(trial)
        text = " ".join(_pad(column.text(trial), column.width) for column in columns)
        role = "cursor" if chosen and self.has_focus else ("strong" if chosen else "")
        sign = "•" if marked else "›" if chosen else " "
        return ((sign, "strong"), (self.look.marks.glyph(state) + " ", state), (text, role))

    def _nothing(self) -> str:
        """Why there is no trial: what comes before the first one."""
        now, snapshot = starts(self.reading, self.look), None if self.reading is None else self.reading.snapshot
        if now is not None:
            return f"loading workers: {now.workers}" if now.workers else "loading workers"
        if snapshot is None or not snapshot.writer_alive or snapshot.sweep.mode == "recorded":
            return "no trial yet"
        if any(net.lambda0 is None and net.status != "done" for net in snapshot.nets):
            return "no trial yet: λ₀ of these nets is measured first"
        return "no trial yet"

    def trial(self) -> TrialRow | None:
        """The trial under the cursor; None where it is not among those that were read."""
        return next((trial for trial in self._trials() if trial.trial_id == self.chosen), None)

    def found(self, text: str, after: int) -> int | None:
        """The first trial with all these words, from `after` rows behind the cursor on and around; None: there is none.

        A word is the beginning of a rate, of ηλ₀, of a word of its state, or "seed 3".
        """
        trials = self._trials()
        at = self._cursor() + after
        for trial in (*trials[at:], *trials[:at]) if text.strip() else ():
            if _has(trial, text):
                return trial.trial_id
        return None

    def move(self, dx: int, dy: int) -> bool:
        """Up and down the list."""
        trials = self._trials()
        if trials and dy:
            self.chosen = trials[min(max(self._cursor() + dy, 0), len(trials) - 1)].trial_id
            self.update_rows()
        return True

    def on_click(self, event: events.Click) -> None:
        """The row under the pointer."""
        row = self._first + event.y - 2
        trials = self._trials()
        if event.y >= 2 and row < len(trials):
            self.post_message(self.Clicked(trials[row].trial_id))

    def _marked(self) -> set[int | None]:
        store = None if self.reading is None else self.reading.wanted.store
        return {mark.trial_id for mark in self.look.marked if mark.store == store}

    def _heading(self, column: _Column) -> str:
        return "c" if column is _C and self.look.marks.ascii_only else column.name

    def _trials(self) -> Sequence[TrialRow]:
        return () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.trials

    def _cursor(self) -> int:
        return next((index for index, trial in enumerate(self._trials()) if trial.trial_id == self.chosen), 0)


def _columns(width: int, seeds: bool) -> tuple[_Column, ...]:
    """What there is room for; the state is always there."""
    if width >= 56:
        return (_SEED, *_WIDE) if seeds else _WIDE
    if seeds:
        return (_SEED, _C, _ETA, _STATE) if width >= 34 else (_SEED, _ETA, _STATE)
    return (_C, _ETA, _STATE)


def _has(trial: TrialRow, text: str) -> bool:
    """Whether a trial is called so."""
    rates = (number(trial.eta), exact(trial.eta), number(trial.eta_lambda0), exact(trial.eta_lambda0))
    known = f"{STATE_WORDS[trial_state(trial)]} {outcome(trial)} {trial.phase or ''} {trial.verdict or ''}".lower()
    names = (*rates, *known.replace(",", " ").split(), "seed", str(trial.trial_id))
    words = text.lower().split()
    seeds = [other for one, other in pairwise(words) if one == "seed"]
    return all(any(name.startswith(word) for name in names) or word in seeds for word in words) and (
        not seeds or str(trial.seed) in seeds
    )


def _pad(text: str, width: int) -> str:
    return f"{text:>{width}}" if width else text
