"""The workers as a table: what `w` writes beside the picture."""

from dataclasses import astuple, fields

from mlrtui.tui.tables import Table
from mlrtui_db.work import WorkerRow, WorkRow

__all__ = ["workers_table"]


def workers_table(work: WorkRow) -> Table:
    """One worker a row, every field a column."""
    return Table(tuple(field.name for field in fields(WorkerRow)), tuple(astuple(worker) for worker in work.workers))
