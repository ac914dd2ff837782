"""The views of a store as methods, of all sweeps or of one."""

from collections.abc import Sequence

from mlrtui.reading.table import Table
from mlrtui_db.rows import Selection

__all__ = ["Views"]


class Views:
    """One method for each view; docs/store.md explains their columns.

    All take the same arguments:

    Args:
        columns: names, in this order; None: all of the view. Reading fewer is quicker.
        where: a condition of SQL on the view's columns, such as ``"width >= 64 AND phase = 'catapult'"``; "": all rows.

    Raises:
        BadInput: there is no such column, or the condition cannot be read.
    """

    def eta_star(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per net of a search: its maximal initial learning rate and how well it is known."""
        return self._view("eta_star", columns, where)

    def boundaries(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per trial of a search: where success ends."""
        return self._view("boundaries", columns, where)

    def grid(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per cell: progress and averages."""
        return self._view("grid", columns, where)

    def curves(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per stored step."""
        return self._view("curves", columns, where)

    def spectra(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per eigenvalue that is kept beside a step's sharpness: `top` and further operators."""
        return self._view("spectra", columns, where)

    def layers(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per weight layer at one of a trial's first steps: how far it has moved, and by what."""
        return self._view("layers", columns, where)

    def measures(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per value of a measure that a sweep asks for or a recorder takes."""
        return self._view("measures", columns, where)

    def phases(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per finished trial: how it ended."""
        return self._view("phases", columns, where)

    def onsets(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per net with trials done: where loss and sharpness begin to rise, and what is survived."""
        return self._view("onsets", columns, where)

    def width_growth(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per trial of a scan whose rates follow a power of the width: growth of outputs and hidden layer."""
        return self._view("width_growth", columns, where)

    def forks(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per net and step of a base training: the largest rate that survives when switched on there."""
        return self._view("forks", columns, where)

    def fork_trials(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per training of a fork."""
        return self._view("fork_trials", columns, where)

    def maps(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per training of a map: where in it, and whether it succeeds."""
        return self._view("maps", columns, where)

    def exponents(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per fitted term."""
        return self._view("exponents", columns, where)

    def annotations(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per note or tag that `mlrtui note` has put on a sweep."""
        return self._view("annotations", columns, where)

    def _view(self, name: str, columns: Sequence[str] | None, where: str) -> Table:
        return self._table(Selection(name, tuple(columns or ()), where))

    def _table(self, asked: Selection) -> Table:
        raise NotImplementedError
