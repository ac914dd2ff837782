"""One store out of several, by the keys of sweeps and trials: what machines trained apart, put together.

A sweep that lies in several stores becomes one. Where a net's λ is the same in two stores, its trials are put together;
where it is not (another device rounds otherwise), or where a training that one store gave up has another verdict in the
other, the net is taken whole from the store in which it is further. What was computed from the nets of one store alone
goes where another store adds to them: mean and spread of a cell are computed anew, fits are left to the caller.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrtui_db import _opening
from mlrtui_db._attempts import finish_recording, is_recorded, lost_trials
from mlrtui_db._checked import Unreadable
from mlrtui_db._derived import is_derived
from mlrtui_db._life import refuse_if_incomplete
from mlrtui_db._live import read_cell_states
from mlrtui_db._schema import tables_of_trials
from mlrtui_db._sqlite import Transaction, columns, dict_rows, insertion, translated
from mlrtui_db._sweeps import free_name, move_cells, refresh_cell, search_again
from mlrtui_db.annotations import ADD, Change, change
from mlrtui_db.copies import whole_or_not
from mlrtui_db.errors import MergeConflict, StoreLocked
from mlrtui_db.lock import is_held
from mlrtui_db.models import CellState
from mlrtui_db.store import Store

__all__ = ["Held", "Joined", "Merged", "merge"]

Row = dict[str, Any]
_SHARDS = re.compile(r"([0-9]{1,6}(?:,[0-9]{1,6})*)/([0-9]{1,6})")
_RANK = {"queued": 0, "open": 1, "failed": 2, "done": 3}


@dataclass(frozen=True)
class Held:
    """A stored sweep, as far as it takes to compare it with another of its name."""

    spec: str  # canonical JSON
    cells: tuple[CellState, ...]


@dataclass(frozen=True)
class Joined:
    """What two sweeps of one name and other settings come to."""

    conflicts: tuple[str, ...] = ()
    """Why they cannot be one."""

    spec: str = ""
    """Settings of the one that holds both; "": those that are there do, since nothing differs that matters."""

    sweep_key: str = ""
    places: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Position and label of every cell in it, by the cell's settings."""

    shard: str | None = None
    """As in `SweepRecord`; None: no net is missing."""

    answered: tuple[str, ...] = ()
    """Of which sweep, "known" or "added", the searches that are done have asked for all that it wants."""

    changes: tuple[str, ...] = ()
    """What differed, in words."""


Join = Callable[[Held, Held], Joined]


@dataclass(frozen=True)
class Merged:
    """What a merged store holds."""

    sweeps: int
    trials: int
    steps: int


def merge(
    out: Path,
    sources: Sequence[Path],
    refit: Callable[[Store, Sequence[int]], None] | None = None,
    *,
    join: Join | None = None,
) -> Merged:
    """Make a store that holds everything of ``sources``, which stay as they are.

    Shards of one sweep become one sweep. It is done when all nets are; until then `mlrtui run` trains those that lack.

    Args:
        out: path of the new store.
        sources: paths of the stores; what they have in common is taken from the first.
        refit: fits anew, given the new store and the numbers of the sweeps whose rows come from several stores. These
            have lost their fits, each of which was of one store's rows. It runs before the new store has its name.
        join: what a sweep that is there and another of its name come to; without it their settings must be equal.

    Raises:
        MergeConflict: two stores contradict each other; the message says in what. Nothing is made.
        StoreError: another of its kinds; nothing is made.
    """
    with whole_or_not(out) as draft:
        mixed: set[int] = set()
        with Store.open(draft) as store:
            for source in sources:
                if is_held(source):
                    raise StoreLocked(f"{source} is being written: stop its driver first, or merge a backup of it")
                path, connection = _opening.open_to_read(source)
                with closing(connection), translated(path), store.maintenance() as tx:
                    refuse_if_incomplete(path, connection)
                    mixed |= _Merge(connection, tx, path, join).run()
            if refit is not None and mixed:
                refit(store, sorted(mixed))
            with store.maintenance() as tx:
                counted = [
                    tx.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("sweep", "trial", "step")
                ]
        return Merged(*counted)


class _Merge:
    """Copies one source into the open transaction of the store that is made."""

    def __init__(
        self,
        source: sqlite3.Connection,
        tx: Transaction,
        path: Path,
        join: Join | None,
    ) -> None:
        self._source, self._tx, self._target, self._path = source, tx, tx.connection, path
        self._join = join
        self._joined = Joined()  # of the sweep at hand
        self._changed = False  # whether a row of nets or trials was written
        self._series: dict[int, int] = {}  # numbers of measures and their parts: of the source, and in the new store

    def run(self) -> set[int]:
        """Sweep by sweep, in the order of their making. Returns the sweeps to whose rows this source added some."""
        mixed = set()
        _opening.refuse_older(self._path, self._source)
        _opening.refuse_newer(self._path, self._source)
        self._source.execute("BEGIN")  # all of it from one moment
        self._series = self._series_here()
        for sweep in dict_rows(self._source, "SELECT * FROM sweep ORDER BY sweep_id"):
            known, sweep_id = self._sweep(sweep)
            if known and (self._changed or self._only_source_is_fitted(sweep["sweep_id"], sweep_id)):
                self._target.execute("DELETE FROM fit WHERE sweep_id = ?", (sweep_id,))
                mixed.add(sweep_id)
        self._events(None, None)
        for trial_id in lost_trials(self._target):
            if is_recorded(self._target, trial_id):
                finish_recording(self._tx, trial_id, "lost", "the script died before the merge")
                continue
            self._target.execute(
                "UPDATE attempt SET ended_at = ?, outcome = 'lost', detail = 'its driver died before the merge'"
                " WHERE trial_id = ? AND ended_at IS NULL",
                (self._tx.now, trial_id),
            )
            self._target.execute("UPDATE trial SET status = 'queued' WHERE trial_id = ?", (trial_id,))
        return mixed

    def _sweep(self, sweep: Row) -> tuple[bool, int]:
        """(whether it was there before, its number in the new store)."""
        self._joined = Joined()
        if sweep["mode"] == "recorded":  # runs of one name are runs of their own
            known = _one(self._target, "SELECT * FROM sweep WHERE sweep_key = ?", sweep["sweep_key"])
            if known is None:
                sweep = sweep | {"name": free_name(self._target, sweep["name"], sweep["created_at"])}
        else:
            known = _one(self._target, "SELECT * FROM sweep WHERE name = ?", sweep["name"])
        if known is not None and known["sweep_key"] != sweep["sweep_key"]:
            self._joined = self._compared(sweep, known)
        if known is None:
            sweep_id = self._insert("sweep", sweep, "sweep_id")
        else:
            sweep_id = known["sweep_id"]
            if known["code_id"] != sweep["code_id"]:
                raise MergeConflict(
                    f"{self._path}: sweep {sweep['name']!r} was trained by other code ({sweep['code_id']}) than in the "
                    f"stores before it ({known['code_id']}): merge them into two stores"
                )
            if sweep["repeatable"] is not None and known["repeatable"] != 0:
                self._target.execute(
                    "UPDATE sweep SET repeatable = ? WHERE sweep_id = ?", (sweep["repeatable"], sweep_id)
                )
            self._make_way(sweep_id)
        self._changed = bool(self._joined.spec)
        cells = "SELECT * FROM cell WHERE sweep_id = ? ORDER BY position"
        for cell in dict_rows(self._source, cells, sweep["sweep_id"]):
            self._cell(cell, sweep_id)
        if known is None:
            for fit in dict_rows(self._source, "SELECT * FROM fit WHERE sweep_id = ?", sweep["sweep_id"]):
                self._insert("fit", fit | {"sweep_id": sweep_id})
        self._annotations(sweep["sweep_id"], sweep_id)
        self._events(sweep["sweep_id"], sweep_id)
        if known is not None:
            self._end(sweep, known)
        return known is not None, sweep_id

    def _compared(self, sweep: Row, known: Row) -> Joined:
        """What the two come to. Raises MergeConflict where they cannot be one."""
        sides = (self._target, known), (self._source, sweep)
        held = [Held(row["spec"], read_cell_states(connection, row["sweep_id"])) for connection, row in sides]
        joined = Joined(conflicts=("",)) if self._join is None else self._join(*held)
        if joined.conflicts:
            what = f" ({'; '.join(joined.conflicts)})" if any(joined.conflicts) else ""
            raise MergeConflict(
                f"{self._path} holds a sweep {sweep['name']!r} with other settings than the stores before "
                f"it{what}: merge them into two stores"
            )
        return joined

    def _make_way(self, sweep_id: int) -> None:
        """Give a sweep that becomes a larger one that one's settings, and its cells their places in it."""
        joined, execute = self._joined, self._target.execute
        if not joined.spec:
            return
        execute(
            "UPDATE sweep SET spec = ?, sweep_key = ? WHERE sweep_id = ?", (joined.spec, joined.sweep_key, sweep_id)
        )
        cells = execute("SELECT cell_id, settings FROM cell WHERE sweep_id = ?", (sweep_id,)).fetchall()
        move_cells(self._tx, sweep_id, {cell_id: joined.places[settings] for cell_id, settings in cells})
        if "known" not in joined.answered:
            search_again(self._tx, sweep_id)
        execute(
            "INSERT INTO event (at, level, sweep_id, text) VALUES (?, 'info', ?, ?)",
            (self._tx.now, sweep_id, f"merged with another that differed: {'; '.join(joined.changes)}"),
        )

    def _end(self, sweep: Row, known: Row) -> None:
        """A sweep of two stores is done when all their nets are."""
        left = "SELECT 1 FROM cell JOIN net USING (cell_id) WHERE sweep_id = ? AND net.status IN ('queued', 'open')"
        ends = [row["finished_at"] for row in (sweep, known) if row["finished_at"] is not None]
        is_done = bool(ends) and _one(self._target, left, known["sweep_id"]) is None
        self._target.execute(
            "UPDATE sweep SET status = ?, finished_at = ?, shard = ? WHERE sweep_id = ?",
            (
                "done" if is_done else "stopped",
                max(ends) if is_done else None,
                self._joined.shard if self._joined.spec else both_shards(known["shard"], sweep["shard"]),
                known["sweep_id"],
            ),
        )

    def _only_source_is_fitted(self, source_id: int, target_id: int) -> bool:
        fitted = "SELECT 1 FROM fit WHERE sweep_id = ?"
        return _one(self._target, fitted, target_id) is None and _one(self._source, fitted, source_id) is not None

    def _cell(self, cell: Row, sweep_id: int) -> None:
        if self._joined.spec:
            position, label = self._joined.places[cell["settings"]]
            cell = cell | {"position": position, "label": label}
        known = _one(self._target, "SELECT * FROM cell WHERE sweep_id = ? AND settings = ?", sweep_id, cell["settings"])
        if known is not None and known["data_id"] != cell["data_id"]:
            raise MergeConflict(
                f"{self._path}: cell {cell['label']} was trained on other data than in the stores before it, under the "
                "same name: merge them into two stores"
            )
        cell_id = known["cell_id"] if known else self._insert("cell", cell | {"sweep_id": sweep_id}, "cell_id")
        for net in dict_rows(self._source, "SELECT * FROM net WHERE cell_id = ? ORDER BY seed", cell["cell_id"]):
            refresh_cell(self._tx, self._net(net, cell_id))

    def _net(self, net: Row, cell_id: int) -> int:
        if self._joined.spec and "added" not in self._joined.answered and net["status"] == "done":
            net = net | {"status": "open"}  # more is wanted of it now
        known = _one(self._target, "SELECT * FROM net WHERE cell_id = ? AND seed = ?", cell_id, net["seed"])
        if known is None:
            net_id = self._insert("net", net | {"cell_id": cell_id}, "net_id")
        else:
            net_id = int(known["net_id"])
            further = self._progress(self._source, net) > self._progress(self._target, known)
            apart = known["lambda0"] != net["lambda0"] or self._given_up_otherwise(net["net_id"], net_id)
            if apart and not further:
                return net_id
            if apart:
                self._target.execute("DELETE FROM trial WHERE net_id = ?", (net_id,))
            if further:
                self._update("net", net | {"cell_id": cell_id, "net_id": net_id}, "net_id")
        for trial in dict_rows(self._source, "SELECT * FROM trial WHERE net_id = ? ORDER BY trial_id", net["net_id"]):
            self._trial(trial, net_id)
        return net_id

    def _progress(self, connection: sqlite3.Connection, net: Row) -> tuple[int, int]:
        done = _one(connection, "SELECT count(*) AS n FROM trial WHERE net_id = ? AND status = 'done'", net["net_id"])
        if net["status"] not in _RANK:
            raise Unreadable(f"net {net['net_id']}: status is {str(net['status'])[:40]!r}")
        return _RANK[net["status"]], done["n"] if done else 0

    def _given_up_otherwise(self, source_id: int, target_id: int) -> bool:
        """Whether a training of both nets has two verdicts because it was given up in one: their searches differ."""
        query = "SELECT eta, verdict, given_up_epoch FROM trial WHERE net_id = ? AND status = 'done'"
        known = {trial["eta"]: trial for trial in dict_rows(self._target, query, target_id)}
        return any(
            trial["verdict"] != known[trial["eta"]]["verdict"] and (_given_up(trial) or _given_up(known[trial["eta"]]))
            for trial in dict_rows(self._source, query, source_id)
            if trial["eta"] in known
        )

    def _trial(self, trial: Row, net_id: int) -> None:
        known = _one(self._target, "SELECT * FROM trial WHERE net_id = ? AND eta = ?", net_id, trial["eta"])
        if known is not None:
            if trial["status"] == known["status"] == "done":
                self._same(trial, known)
            better = _given_up(known) and not _given_up(trial)  # it was trained to its own end
            better |= is_derived(self._target, known["trial_id"]) and not is_derived(self._source, trial["trial_id"])
            if trial["status"] != "done" or (known["status"] == "done" and not better):
                return
            self._target.execute("DELETE FROM trial WHERE trial_id = ?", (known["trial_id"],))
        trial_id = self._insert("trial", trial | {"net_id": net_id}, "trial_id")
        for table in tables_of_trials(self._source):
            if table != "event":
                names = columns(self._source, table)
                values = self._source.execute(f"SELECT * FROM {table} WHERE trial_id = ?", (trial["trial_id"],))
                at = names.index("trial_id")
                moved = ((*row[:at], trial_id, *row[at + 1 :]) for row in values)
                if "series_id" in names:
                    of = names.index("series_id")
                    moved = ((*row[:of], self._series[row[of]], *row[of + 1 :]) for row in moved)
                self._target.executemany(insertion(table, names), moved)

    def _series_here(self) -> dict[int, int]:
        """The names of all that the source has measured, with their numbers there and in the new store."""
        numbers = {}
        for row in dict_rows(self._source, "SELECT * FROM series ORDER BY series_id"):
            name = (row["measure"], row["part"])
            known = _one(self._target, "SELECT * FROM series WHERE measure = ? AND part = ?", *name)
            numbers[row["series_id"]] = known["series_id"] if known else self._insert("series", row, "series_id")
        return numbers

    def _same(self, trial: Row, known: Row) -> None:
        for name in ("trial_key", "verdict"):
            if trial[name] != known[name]:
                raise MergeConflict(
                    f"{self._path}: the training at rate {trial['eta']} (trial {trial['trial_id']}) has another "
                    f"{name.replace('_', ' ')} than in the stores before it: merge them into two stores"
                )

    def _annotations(self, sweep_id: int, new_id: int) -> None:
        """Notes and tags of a sweep that are not there yet."""
        for row in dict_rows(self._source, "SELECT * FROM annotation WHERE sweep_id = ?", sweep_id):
            change(self._tx, Change(ADD, new_id, row["kind"], row["text"], row["at"]))

    def _events(self, sweep_id: int | None, new_id: int | None) -> None:
        """Events of a sweep, or of none, that are not there yet; they no longer name a trial."""
        self._target.executemany(
            "INSERT INTO event (at, level, sweep_id, host, text) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS"
            " (SELECT 1 FROM event WHERE at = ?1 AND text = ?5 AND host IS ?4 AND sweep_id IS ?3)",
            [
                (at, level, new_id, host, text)
                for at, level, host, text in self._source.execute(
                    "SELECT at, level, host, text FROM event WHERE sweep_id IS ? ORDER BY event_id", (sweep_id,)
                )
            ],
        )

    def _insert(self, table: str, row: Row, numbered: str = "") -> int:
        """Insert a row; the column ``numbered`` gets a new number, which is returned. ``rev`` is that of the merge."""
        self._changed |= table in ("cell", "net", "trial")
        kept = {name: value for name, value in row.items() if name != numbered}
        if "rev" in kept:
            kept["rev"] = self._tx.rev
        return self._target.execute(insertion(table, list(kept)), tuple(kept.values())).lastrowid or 0

    def _update(self, table: str, row: Row, key: str) -> None:
        self._changed = True
        kept = {name: value for name, value in row.items() if name != key} | {"rev": self._tx.rev}
        setting = ", ".join(f"{name} = ?" for name in kept)
        self._target.execute(f"UPDATE {table} SET {setting} WHERE {key} = ?", (*kept.values(), row[key]))


def both_shards(one: str | None, other: str | None) -> str | None:
    """Which shards two stores of one sweep hold together; None: all of it.

    >>> both_shards("0/3", "2/3")
    '0,2/3'
    >>> both_shards("0,2/3", "1/3") is None
    True
    """
    if one is None or other is None:
        return None
    first, second = _SHARDS.fullmatch(one), _SHARDS.fullmatch(other)
    if first is None or second is None or first[2] != second[2]:
        return one if one == other else f"{one}+{other}"
    count = int(first[2])
    indices = sorted({int(index) for index in f"{first[1]},{second[1]}".split(",")})
    return None if len(indices) >= count else f"{','.join(map(str, indices))}/{count}"


def _given_up(trial: Row) -> bool:
    return trial["given_up_epoch"] is not None


def _one(connection: sqlite3.Connection, query: str, *values: object) -> Row | None:
    return next(dict_rows(connection, query, *values), None)
