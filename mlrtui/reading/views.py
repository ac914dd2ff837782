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
        return self._table(Selection("eta_star", tuple(columns or ()), where))

    def boundaries(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per trial of a search: where success ends."""
        return self._table(Selection("boundaries", tuple(columns or ()), where))

    def grid(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per cell: progress and averages."""
        return self._table(Selection("grid", tuple(columns or ()), where))

    def curves(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per stored step."""
        return self._table(Selection("curves", tuple(columns or ()), where))

    def spectra(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per eigenvalue that is kept beside a step's sharpness: `top` and further operators."""
        return self._table(Selection("spectra", tuple(columns or ()), where))

    def layers(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per weight layer at one of a trial's first steps: how far it has moved, and by what."""
        return self._table(Selection("layers", tuple(columns or ()), where))

    def measures(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per value of a measure that a sweep asks for or a recorder takes."""
        return self._table(Selection("measures", tuple(columns or ()), where))

    def phases(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per finished trial: how it ended."""
        return self._table(Selection("phases", tuple(columns or ()), where))

    def onsets(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per net with trials done: where loss and sharpness begin to rise, and what is survived."""
        return self._table(Selection("onsets", tuple(columns or ()), where))

    def width_growth(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per trial of a scan whose rates follow a power of the width: growth of outputs and hidden layer."""
        return self._table(Selection("width_growth", tuple(columns or ()), where))

    def exponents(self, columns: Sequence[str] | None = None, where: str = "") -> Table:
        """One row per fitted term."""
        return self._table(Selection("exponents", tuple(columns or ()), where))

    def _table(self, asked: Selection) -> Table:
        raise NotImplementedError
