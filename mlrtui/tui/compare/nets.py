"""The panes of Compare for nets: their searches on one axis of η, and the verdict at each rate side by side."""

from collections.abc import Sequence

from mlrtui.text.lines import Line, Run, centred, line, merge
from mlrtui.text.marks import legend
from mlrtui.text.numbers import number
from mlrtui.text.phrases import outcome
from mlrtui.tui.boundary.chart import LEFT, Probe, drawable, eta_axis, eta_column, eta_range
from mlrtui.tui.boundary.search import edge_so_far, probe_of
from mlrtui.tui.compare.differences import LETTERS, by_rate, net_name, net_result_rows, net_setting_rows
from mlrtui.tui.compare.table import Differences, DifferenceTable, role_of
from mlrtui.tui.state import ComparedNet, Look
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane

__all__ = ["NetTable", "SearchesPane", "VerdictsPane"]


class NetTable(DifferenceTable):
    """Settings and findings of the nets."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "found")

    def made(self) -> Differences:
        """Of the searches."""
        nets = () if self.reading is None else self.reading.nets
        return Differences(tuple(map(net_name, nets)), tuple(net_setting_rows(nets)), tuple(net_result_rows(nets)))


class SearchesPane(Pane):
    """Every net's trials at their learning rates, all on the same axis, with its bracket and its η* below."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="searches", classes="pane")

    def title(self) -> Line:
        """What it is."""
        return (("searches", "title"), ("  η to the right; a letter is at its η*", "dim"))

    def caption(self) -> Line:
        """What the signs mean."""
        marks = self.look.marks
        states = (probe_of(trial, marks, False).role for one in self._nets() for trial in one.trials)
        return legend(marks, states, self.size.width - 6)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """Two rows a net, one where there are not so many, then the axis."""
        nets, marks = self._nets(), self.look.marks
        probes = [[probe_of(trial, marks, False) for trial in one.trials if drawable(trial.eta)] for one in nets]
        plot = width - LEFT
        if not any(probes) or plot < 12 or height < len(nets) + 1:
            words = "no room for this chart" if any(probes) else "no trial of these nets yet"
            return centred(words, width, height)
        edges = [edge_so_far(one.net, one.trials) for one in nets]
        low, high = eta_range([probe for its in probes for probe in its], *(end for pair in edges for end in pair))
        each = min((height - 1) // len(nets), 3)
        lines: list[Line] = []
        for order, (one, its, edge) in enumerate(zip(nets, probes, edges, strict=True)):
            lines.append(self._signs(order, its, (low, high), plot))
            if each > 1:
                lines.append(self._edge(order, one, edge, (low, high), plot))
            lines += [()] * (each - 2)
        return [*lines, eta_axis(low, high, plot, width)]

    def _signs(self, order: int, probes: Sequence[Probe], span: tuple[float, float], plot: int) -> Line:
        cells: list[Run] = [(" ", "")] * plot
        for probe in sorted(probes, key=lambda probe: probe.round):
            cells[eta_column(probe.eta, *span, plot)] = (probe.glyph, probe.role)
        bar = "|" if self.look.marks.ascii_only else "│"
        return merge([(f"{LETTERS[order]:>{LEFT - 1}}", role_of(order)), (bar, "axis"), *cells])

    def _edge(
        self,
        order: int,
        one: ComparedNet,
        edge: tuple[float | None, float | None],
        span: tuple[float, float],
        plot: int,
    ) -> Line:
        """The bracket between the last success and the first failure, and the letter at η*."""
        ascii_only = self.look.marks.ascii_only
        cells: list[Run] = [(" ", "")] * plot
        best, worst = edge
        best = one.net.eta_last or best
        if best is not None and worst is not None and drawable(best) and drawable(worst):
            first, last = eta_column(best, *span, plot), eta_column(worst, *span, plot)
            cells[first : last + 1] = [("=" if ascii_only else "━", "axis")] * (last + 1 - first)
        if one.net.eta_star is not None and drawable(one.net.eta_star):
            cells[eta_column(one.net.eta_star, *span, plot)] = (LETTERS[order], role_of(order))
        return merge([(" " * (LEFT - 1) + ("|" if ascii_only else "│"), "axis"), *cells])

    def _nets(self) -> Sequence[ComparedNet]:
        return () if self.reading is None else self.reading.nets


class VerdictsPane(RowsPane):
    """One rate a row, one net a column: how its training at this rate ended."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="verdicts", classes="pane")

    def title(self) -> Line:
        """What it is."""
        return line("verdict at each rate", "title")

    def head(self, width: int) -> Sequence[Line]:
        """Which column is which net."""
        nets = () if self.reading is None else self.reading.nets
        room = self._room(width, len(nets))
        return [(("        η  ", "dim"), *((f"{LETTERS[at]:<{room}} ", role_of(at)) for at in range(len(nets))))]

    def rows(self, width: int) -> Sequence[Line]:
        """Rates, rising."""
        nets, marks = () if self.reading is None else self.reading.nets, self.look.marks
        room = self._room(width, len(nets))
        found: list[Line] = []
        for eta, trials in by_rate(nets):
            runs: list[Run] = [(f"{number(eta):>9}  ", "")]
            for trial in trials:
                if trial is None:
                    runs.append((f"{'':<{room}} ", "dim"))
                    continue
                probe = probe_of(trial, marks, False)
                runs += [(probe.glyph, probe.role), (f" {outcome(trial)}"[: room - 1].ljust(room), "")]
            found.append(tuple(runs))
        return found or [line(" no trial yet", "note")]

    def _room(self, width: int, nets: int) -> int:
        return max((width - 11) // max(nets, 1) - 1, 3)
