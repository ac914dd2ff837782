"""Filtering and sorting of the sweeps in Browse: pure functions on entries."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlrtui.analysis.expressions import ExpressionError, parse
from mlrtui.tui.state import Mark, StoreState
from mlrtui_db.models import FitRow, SweepRow
from mlrtui_db.own import own_values

__all__ = ["NAMES", "SORTS", "SORT_NAMES", "Entry", "Found", "complete", "entries_of", "find"]

_TEXTS = ("name", "status", "mode", "store")
_NUMBERS = ("cells", "nets", "nets_done", "trials", "trials_done", "trials_running", "trials_failed", "exponent")
NAMES = (*_TEXTS, *_NUMBERS, "marked", "bookmarked", "tag", "notes")
"""What a filter may speak of. `marked` and `bookmarked` are 0 or 1; `exponent` is that of the main fit; `tag` equals
each of the tags of a sweep; `notes` is their number.

Besides, the settings of recorded runs by their own names; a run that lacks one is left out.
"""

_VALUES = {"status": ("open", "done", "stopped"), "mode": ("search", "scan", "recorded")}
_OPERATORS = re.compile(r"[<>=!*/()'\"+]|\b(and|or|not)\b")
_LAST_WORD = re.compile(r"[A-Za-z_]*$")
_VALUE_OF = re.compile(r"(\w+)\s*(?:==|!=)\s*(['\"])([^'\"]*)$")


@dataclass(frozen=True)
class Entry:
    """One sweep of one store."""

    store: int
    label: str
    place: str  # tells stores of equal names apart
    sweep: SweepRow
    fit: FitRow | None
    is_afar: bool = False  # on another machine
    driver_died: bool = False  # that of its store, which has none now

    @property
    def mark(self) -> Mark:
        """The sweep as something to compare."""
        return Mark(self.store, self.sweep.sweep_id, None)

    @property
    def words(self) -> str:
        """What words are looked for in: name, tags and notes."""
        sweep = self.sweep
        tags, notes = (f"#{tag}" for tag in sweep.tags), (note.text for note in sweep.notes)
        return "\n".join((sweep.name, *tags, *notes)).lower()

    @property
    def key(self) -> str:
        """What a bookmark remembers."""
        return f"{self.place}#{self.sweep.name}"


@dataclass(frozen=True)
class Found:
    """The entries that a filter keeps, sorted; `trouble` says what could not be read of it (then all are kept)."""

    entries: tuple[Entry, ...]
    trouble: str = ""


class _Tags(str):
    """Several tags as a text that is equal to each of them."""

    def __new__(cls, tags: Sequence[str]) -> "_Tags":
        made = super().__new__(cls, " ".join(tags))
        made.tags = frozenset(tags)
        return made

    tags: frozenset[str]

    def __eq__(self, other: object) -> bool:
        return other in self.tags

    def __ne__(self, other: object) -> bool:
        return other not in self.tags

    __hash__ = str.__hash__


def _exponent(entry: Entry) -> float:
    return float("inf") if entry.fit is None else entry.fit.exponent


SORTS: tuple[tuple[str, Callable[[Entry], float | str], bool], ...] = (
    ("when", lambda entry: entry.sweep.created_at, True),
    ("name", lambda entry: entry.sweep.name.lower(), False),
    ("status", lambda entry: entry.sweep.status, False),
    ("nets", lambda entry: entry.sweep.nets, True),
    ("trials", lambda entry: entry.sweep.trials_done, True),
    ("failed", lambda entry: entry.sweep.trials_failed, True),
    ("exponent", _exponent, False),
)
"""(name, key, whether the largest comes first)."""

SORT_NAMES = tuple(name for name, _, _ in SORTS)


def entries_of(stores: Sequence[StoreState]) -> list[Entry]:
    """All sweeps of all stores."""
    found = []
    for index, store in enumerate(stores):
        fits = dict(store.headlines)
        found += [
            Entry(
                index,
                store.label,
                store.place,
                sweep,
                fits.get(sweep.sweep_id),
                store.is_afar,
                bool(store.driver_end),
            )
            for sweep in store.sweeps
        ]
    return found


def find(
    entries: Sequence[Entry],
    text: str,
    sort: int = 0,
    reverse: bool = False,
    marked: Sequence[Mark] = (),
    bookmarks: frozenset[str] = frozenset(),
) -> Found:
    """The entries that fit a filter: text with an operator is an expression over `NAMES`, other text parts of names."""
    _, key, largest_first = SORTS[sort]
    ordered = sorted(entries, key=key, reverse=largest_first != reverse)
    words = text.strip()
    if not words:
        return Found(tuple(ordered))
    if not _OPERATORS.search(words):
        parts = words.lower().split()
        return Found(tuple(entry for entry in ordered if all(part in entry.words for part in parts)))
    try:
        settings = {entry.key: _settings(entry.sweep) for entry in ordered}
        own = {name: value for each in settings.values() for name, value in each.items() if name not in NAMES}
        absent = {name: "" if isinstance(value, str) else float("nan") for name, value in own.items()}
        expression = parse(words, frozenset(NAMES) | own.keys())
        if not expression.is_condition:
            raise ExpressionError("a condition belongs here, as in trials_failed > 0 or status == 'open'")
        return Found(
            tuple(
                entry
                for entry in ordered
                if expression.names & own.keys() <= settings[entry.key].keys()
                and expression.evaluate(absent | settings[entry.key] | _values(entry, marked, bookmarks)) is True
            )
        )
    except ExpressionError as error:
        return Found(tuple(ordered), str(error))


def complete(text: str) -> tuple[str, ...]:
    """The texts that the last word of a filter may be completed to: names, or after `name == '` its values."""
    inside = _VALUE_OF.search(text)
    if inside is not None:
        name, quote, begun = inside.groups()
        stem = text[: len(text) - len(begun)]
        return tuple(stem + value + quote for value in _VALUES.get(name, ()) if value.startswith(begun))
    word = _LAST_WORD.search(text)
    begun = word[0] if word is not None else ""
    if not begun:
        return ()
    stem = text[: len(text) - len(begun)]
    return tuple(stem + name for name in NAMES if name.startswith(begun) and name != begun)


def _settings(sweep: SweepRow) -> dict[str, float | str]:
    """A recorded run's own settings."""
    return _recorded_settings(sweep.spec) if sweep.mode == "recorded" else {}


@lru_cache(maxsize=4096)  # a filter is tried at each letter
def _recorded_settings(spec: str) -> dict[str, float | str]:
    recorded = json.loads(spec).get("recorded", {})
    return own_values(json.dumps(recorded.get("settings", {}))) if isinstance(recorded, dict) else {}


def _values(entry: Entry, marked: Sequence[Mark], bookmarks: frozenset[str]) -> dict[str, float | str]:
    sweep = entry.sweep
    values: dict[str, float | str] = {name: getattr(sweep, name) for name in (*_TEXTS[:3], *_NUMBERS[:-1])}
    values["store"] = entry.label
    values["exponent"] = float("nan") if entry.fit is None else entry.fit.exponent
    values["marked"] = float(entry.mark in marked)
    values["tag"], values["notes"] = _Tags(sweep.tags), float(len(sweep.notes))
    values["bookmarked"] = float(entry.key in bookmarks)
    return values
