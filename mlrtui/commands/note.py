"""`mlrtui note`: notes and tags on sweeps, also while a driver holds the store."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlrtui.commands.opening import open_current
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.reading import documents
from mlrtui.report import note_line
from mlrtui.stores import open_store
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import whole
from mlrtui.text.printing import show
from mlrtui_db import annotations
from mlrtui_db.annotations import ADD, LONGEST_NOTE, LONGEST_TAG, REMOVE, REPLACE, Change
from mlrtui_db.errors import StoreLocked
from mlrtui_db.lock import is_held
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["Asked", "note"]

_PATIENCE = 30.0  # seconds that a driver has to take a change
_LOOK = 0.05


@dataclass(frozen=True)
class Asked:
    """What is to become of the notes and tags of a sweep; nothing at all: list them."""

    words: tuple[str, ...] = ()  # the sweep, the text, or both
    tags: tuple[str, ...] = ()
    untags: tuple[str, ...] = ()
    remove: int | None = None  # number of the note
    replace: int | None = None


def note(store: Path, asked: Asked, *, as_json: bool = False) -> int:
    """Change the notes and tags of a sweep, then list them; returns the exit code.

    Raises:
        BadInput: no such sweep or note, or a text that is none.
        StoreError: the store cannot be used, or its driver does not take the change.
    """
    with Reader.open(store) as reader:
        sweeps = reader.sweeps()
    sweep, text = _meant(asked, sweeps, store)
    changes = [] if sweep is None else _changes(asked, sweep, text)
    if changes:
        open_current(store).close()  # migrates it, and refuses a copy
        _store(store, changes)
        with Reader.open(store) as reader:
            sweeps = reader.sweeps()
    shown = [row for row in sweeps if sweep is None or row.sweep_id == sweep.sweep_id]
    if as_json:
        fields = ("name", "tags", "notes")
        print(documents.text({"sweeps": [{name: asdict(row)[name] for name in fields} for row in shown]}))
    else:
        for line in _lines(shown):
            show(line)
    return 0


def _meant(asked: Asked, sweeps: Sequence[SweepRow], store: Path) -> tuple[SweepRow | None, str]:
    """The sweep and the text that the words mean: a single word is the text, unless it names a sweep."""
    named = {row.name: row for row in sweeps}
    first, *rest = asked.words or ("",)
    for_one = bool(asked.tags or asked.untags or asked.remove is not None or asked.replace is not None)
    if len(rest) > 1:
        raise BadInput(f"{one_line(rest[1])!r}: one word too many; put the text into quotes")
    if first in named:
        return named[first], rest[0] if rest else ""
    if rest:
        raise BadInput(f"{one_line(first)!r}: no sweep of this name in {store}; it has {_names(sweeps)}")
    if not first and not for_one:
        return None, ""
    if len(sweeps) != 1:
        raise BadInput(f"{store} has {len(sweeps)} sweeps: name the one that is meant first; it has {_names(sweeps)}")
    return sweeps[0], first


def _names(sweeps: Sequence[SweepRow]) -> str:
    return ", ".join(repr(one_line(row.name)) for row in sweeps[:8]) or "none"


def _changes(asked: Asked, sweep: SweepRow, text: str) -> list[Change]:
    """What is to be stored. Raises BadInput."""
    at, number = time.time(), asked.remove if asked.remove is not None else asked.replace
    found = [Change(ADD, sweep.sweep_id, "tag", _tag(tag), at) for tag in asked.tags]
    for tag in asked.untags:
        if tag.strip() not in sweep.tags:
            raise BadInput(f"--untag {one_line(tag)}: {one_line(sweep.name)!r} has no such tag")
        found.append(Change(REMOVE, sweep.sweep_id, "tag", tag.strip(), at))
    if number is not None:
        option = "--remove" if asked.remove is not None else "--replace"
        known = next((one for one in sweep.notes if one.number == number), None)
        if asked.remove is not None and asked.replace is not None:
            raise BadInput(f"--remove {asked.remove}: --replace {asked.replace} is given, too; leave one of them out")
        if known is None:
            has = ", ".join(str(one.number) for one in sweep.notes) or "none"
            raise BadInput(f"{option} {number}: no note of {one_line(sweep.name)!r} has this number; it has {has}")
        if (option == "--replace") != bool(text.strip()):
            what = "give the new text" if option == "--replace" else "leave the text out"
            raise BadInput(f"{option} {number}: {what}")
        do = REPLACE if option == "--replace" else REMOVE
        return [*found, Change(do, sweep.sweep_id, "note", _text(text) if text else "", known.at, number)]
    return [*found, Change(ADD, sweep.sweep_id, "note", _text(text), at)] if text else found


def _text(text: str) -> str:
    kept = text.strip()
    if not kept or len(kept) > LONGEST_NOTE:
        raise BadInput(f"a note of {len(kept)} characters: give one of 1 to {LONGEST_NOTE}")
    if not annotations.is_text(kept):
        raise BadInput(f"note {one_line(kept[:60])!r}: has bytes that are no UTF-8; write it in UTF-8")
    return kept


def _tag(tag: str) -> str:
    kept = tag.strip()
    if not kept or len(kept) > LONGEST_TAG or any(sign.isspace() or not sign.isprintable() for sign in kept):
        raise BadInput(f"--tag {one_line(tag)!r}: give a word of 1 to {LONGEST_TAG} characters without spaces")
    return kept


def _store(store: Path, changes: Sequence[Change]) -> None:
    """Leave the changes for the store's writer, and be that where there is none."""
    target = store.resolve()
    file, deadline = annotations.leave(target, changes), time.monotonic() + _PATIENCE
    try:
        while file.exists():
            try:
                if not is_held(target):
                    with open_store(target) as opened:
                        opened.take_changes()
            except StoreLocked:  # by a driver that has just started
                pass
            if time.monotonic() > deadline:
                raise StoreTrouble(
                    f"{store}: who writes it has not taken the note within {whole(_PATIENCE)} s: try again"
                )
            time.sleep(_LOOK)
    except BaseException:
        annotations.taken(target, [file])
        raise


def _lines(sweeps: Sequence[SweepRow]) -> Iterator[str]:
    for row in sweeps:
        yield f"{one_line(row.name)}{''.join(f' #{one_line(tag)}' for tag in row.tags)}"
        for one in row.notes:
            yield f"  {note_line(one)}"
