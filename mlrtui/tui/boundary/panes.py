"""The panes of Boundary: the search as a picture, what it found, its rounds one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.text.lines import Line, centred, clean, line
from mlrtui.text.marks import legend
from mlrtui.text.numbers import accuracy, counted, exact, number
from mlrtui.text.phrases import outcome
from mlrtui.tui.boundary.chart import draw_boundary
from mlrtui.tui.boundary.search import RoundRow, brackets, edge_so_far, findings, probe_of, ragged, rounds, side
from mlrtui.tui.state import Look, Reading, is_recorded
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane, sentence, window
from mlrtui_db.models import CellRow, NetRow, TrialRow

__all__ = ["FoundPane", "RoundsPane", "SearchPane", "SearchView", "SearchWidget"]


@dataclass(frozen=True)
class SearchView:
    """One net with its trials by learning rate, and the trial under the cursor; without a net, why."""

    cell: CellRow | None = None
    net: NetRow | None = None
    seeds: int = 0  # nets of the cell
    trials: tuple[TrialRow, ...] = ()
    trial: TrialRow | None = None
    words: str = "opening the store"
    alive: bool = True  # whether a driver is at work

    @classmethod
    def of(cls, reading: Reading | None, net_id: int | None, trial_id: int | None) -> "SearchView":
        """The net of this number, else the one on show; the cursor on this trial, else on the last success."""
        if reading is None:
            return cls()
        if reading.snapshot is None:
            return cls(words="no sweep in this store yet")
        if is_recorded(reading):
            return cls(reading.cell, words="a recorded run is one training: there is no search to show")
        if reading.snapshot.sweep.mode != "search":
            return cls(reading.cell, words="a scan trains given rates: there is no search to show; 6 shows its phases")
        net = next((net for net in reading.snapshot.nets if net.net_id == net_id), reading.net)
        if net is None:
            return cls(reading.cell, words="no net yet")
        mine = (trial for trial in reading.snapshot.trials if trial.net_id == net.net_id)
        trials = tuple(sorted(mine, key=lambda trial: trial.eta))
        best = net.eta_last or edge_so_far(net, trials)[0]
        chosen = (trial for trial in trials if trial.trial_id == trial_id)
        at = (
            next(chosen, None)
            or next((trial for trial in trials if trial.eta == best), None)
            or next(iter(trials), None)
        )
        waits = "the search starts from λ at init"
        return cls(reading.cell, net, len(reading.snapshot.nets), trials, at, waits, reading.alive)


class SearchWidget(Pane):
    """A pane that shows a search; the screen sets `view` before it shows a reading."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane")
        self.view = SearchView()


class SearchPane(SearchWidget):
    """Every trial at its learning rate, rounds downwards, what each round left open as a bar."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "search")

    def title(self) -> Line:
        """Which net."""
        view = self.view
        if view.cell is None or view.net is None:
            return line("search", "title")
        return (
            ("search", "title"),
            (f"  {clean(view.cell.label)} seed {view.net.seed}", ""),
            (f"  ({counted(view.seeds, 'seed')}, [ ])", "dim"),
            ("  • marked" if any(mark.net_id == view.net.net_id for mark in self.look.marked) else "", "strong"),
        )

    def caption(self) -> Line:
        """The trial under the cursor, exactly."""
        trial = self.view.trial
        if trial is None:
            return ()
        c = "" if trial.eta_lambda0 is None else f" · ηλ₀ {number(trial.eta_lambda0)}"
        best = "" if trial.best_accuracy is None else f" · best accuracy {accuracy(trial.best_accuracy)}"
        meaning = "" if self.view.net is None else side(self.view.net, self.view.trials, trial)
        how = f"{outcome(trial)}{f' ({meaning})' if meaning else ''}"
        return line(f"η {exact(trial.eta)} · {how}{c} · round {trial.round}{best}")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The picture."""
        view = self.view
        if view.net is None:
            return centred(view.words, width, height)
        marks = self.look.marks
        probes = [probe_of(trial, marks, trial is view.trial, view.alive) for trial in view.trials]
        found = rounds(view.trials)
        edge = edge_so_far(view.net, view.trials)
        return draw_boundary(
            probes, *edge, width, height, marks.ascii_only, brackets=brackets(found), ragged=ragged(view.net)
        )


class FoundPane(SearchWidget, RowsPane):
    """The result in words, censoring with its reason."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "found")

    def title(self) -> Line:
        """What it is."""
        return line("found", "title")

    def rows(self, width: int) -> Sequence[Line]:
        """Sentences."""
        view = self.view
        if view.net is None:
            return sentence(view.words, "note", width, hang=" ")
        rows: list[Line] = []
        for role, text in findings(view.net, view.trials):
            rows += sentence(text, role, width)
        return rows


class RoundsPane(SearchWidget):
    """The questions of the search and what each left open."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "rounds")

    def title(self) -> Line:
        """What it is."""
        return (("rounds", "title"), ("  success – failure", "dim"))

    def caption(self) -> Line:
        """What the signs mean."""
        states = (probe_of(trial, self.look.marks, False, self.view.alive).role for trial in self.view.trials)
        return legend(self.look.marks, states, self.size.width - 6)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """One round a row: its outcomes by rising rate, then the bracket after it."""
        view = self.view
        found = rounds(view.trials)
        if not found:
            return [line(" no trial yet", "note")]
        now = next((at for at, row in enumerate(found) if view.trial in row.trials), 0)
        return [self._row(found[at], at == now) for at in window(len(found), now, height)]

    def _row(self, row: RoundRow, chosen: bool) -> Line:
        marks = self.look.marks
        signs = tuple(
            (probe.glyph, probe.role)
            for probe in (probe_of(trial, marks, False, self.view.alive) for trial in row.trials)
        )
        open_ = f"{number(row.low)} – {number(row.high)}" if row.low or row.high else "-"
        lead = ("›" if chosen else " ", "strong")
        pad = " " * max(4 - len(signs), 0)
        return (lead, (f"r{row.round:<3}", "dim"), *signs, (f"{pad} {open_}", "strong" if chosen else ""))
