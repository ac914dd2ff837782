"""Naming the phases of trials that earlier versions stored anew, by rules that the store itself does not know.

Whoever opens a store for writing may hand over such rules (`Store.open`, `bring_up_to_date`). They are asked once,
in the transaction that brings the store to schema 4, trial by trial, so that memory holds one trial's steps at a time.
No step is changed, and a trial about which the rules decide nothing keeps its phase and says whose it is.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlrtui_db._curves import read_curve
from mlrtui_db._editions import UNDECIDED
from mlrtui_db._sqlite import dict_row, finite
from mlrtui_db.errors import StoreError
from mlrtui_db.models import Curve
from mlrtui_db.records import EVIDENCE

__all__ = ["NewPhase", "Relabel", "StoredTrial", "relabel_all", "stored_trial"]

Value = str | float | int | None


@dataclass(frozen=True)
class StoredTrial:
    """A trial that is done, as an earlier version left it: the columns of its row, its net's and its cell's."""

    cell: Mapping[str, Value]
    net: Mapping[str, Value]
    trial: Mapping[str, Value]
    curve: Curve  # without steps where they were deleted


@dataclass(frozen=True)
class NewPhase:
    """What the rules say of it. ``evidence``: columns of table ``trial`` with the numbers that were found."""

    phase: str
    rule: int
    basis: str
    reason: str
    evidence: Mapping[str, float | None] = field(default_factory=dict)


Relabel = Callable[[StoredTrial], NewPhase | None]
"""None: what is stored does not decide."""


def relabel_all(connection: sqlite3.Connection, relabel: Relabel) -> tuple[int, int]:
    """Ask ``relabel`` about every trial whose phase is of the first edition; how many it named, and how many not."""
    numbers = [
        number
        for (number,) in connection.execute(
            "SELECT trial_id FROM trial WHERE phase_rule = 1 AND status = 'done' ORDER BY trial_id"
        )
    ]
    named = 0
    for number in numbers:
        found = relabel(stored_trial(connection, number))
        if found is None:
            connection.execute("UPDATE trial SET phase_reason = ? WHERE trial_id = ?", (UNDECIDED, number))
            continue
        named += 1
        columns = {name: finite(value) for name, value in found.evidence.items()}
        unknown = columns.keys() - set(EVIDENCE)
        if unknown:
            raise StoreError(f"no evidence of a phase: {', '.join(sorted(unknown))}")
        values = {
            "phase": found.phase,
            "phase_rule": found.rule,
            "phase_basis": found.basis,
            "phase_reason": found.reason,
            **columns,
        }
        setting = ", ".join(f"{name} = ?" for name in values)
        connection.execute(f"UPDATE trial SET {setting} WHERE trial_id = ?", (*values.values(), number))
    return named, len(numbers) - named


def stored_trial(connection: sqlite3.Connection, number: int) -> StoredTrial:
    """All that is stored of a trial.

    Raises:
        StoreError: there is none of this number.
    """
    trial = dict_row(connection, "SELECT * FROM trial WHERE trial_id = ?", number)
    net = dict_row(connection, "SELECT * FROM net WHERE net_id = ?", trial["net_id"])
    cell = dict_row(connection, "SELECT * FROM cell WHERE cell_id = ?", net["cell_id"])
    return StoredTrial(cell, net, trial, read_curve(connection, number))
