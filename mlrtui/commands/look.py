"""`mlrtui watch`, `browse` and `status`: readers only."""

import dataclasses
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrtui.driver.launch import log_path
from mlrtui.driver.stopping import at_work
from mlrtui.errors import BadInput, DriverDied
from mlrtui.garbage import uncollected
from mlrtui.reading import documents
from mlrtui.report import fit_line, note_line, sweep_line
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import moment
from mlrtui.text.printing import needs_ascii, show
from mlrtui.text.working import doing
from mlrtui_db import lock, processes
from mlrtui_db.models import FitRow, Replica, SweepRow, WriterEnd
from mlrtui_db.reader import Reader
from mlrtui_db.work import WorkRow

if TYPE_CHECKING:
    from mlrtui.tui.state import Mark, Reading, Wanted

__all__ = ["How", "browse", "in_folders", "printed_size", "status", "store_object", "watch"]


@dataclass(frozen=True)
class How:
    """What `watch` and `browse` show, and how. ``screen`` is one of `mlrtui.tui.once.SCREENS`."""

    screen: str = "live"
    sweeps: tuple[str, ...] = ()  # by name; none: the newest; several: for Compare
    trials: tuple[int, ...] = ()  # the one to look at; on Compare, all of them
    shown: tuple[str, ...] = ()  # how the screen is set, "x=depth"
    once: bool = False  # print the screen as text
    size: str | None = None  # columns and rows of that, "120x36"; None: the terminal's
    as_json: bool = False  # print the data behind it
    ascii_only: bool = False
    refresh: float | None = None
    mouse: bool = True


def watch(stores: Sequence[Path], how: How) -> int:
    """A screen; where there is no terminal, progress lines until the driver ends. Several stores: for Compare.

    Raises:
        BadInput: several stores or sweeps for another screen, or with trials.
    """
    printed_size(how)
    if how.screen != "compare" and max(len(stores), len(how.sweeps)) > 1:
        name = "--store" if len(stores) > 1 else "--sweep"
        raise BadInput(f"{name}: given more than once, which only --screen compare takes; leave the others out")
    if how.trials and max(len(stores), len(how.sweeps)) > 1:
        name = "stores" if len(stores) > 1 else "sweeps"
        raise BadInput(f"--trial {how.trials[0]}: with several {name}; compare trials of one, or leave --trial out")
    if len(stores) > 1 and not how.sweeps:
        raise BadInput(f"--store: {len(stores)} stores; name the sweep of each, or the one that all have, by --sweep")
    for store in stores:
        Reader.open(store).close()  # an unreadable store gives one line, not a screen
    if how.once or how.as_json:
        return _print_once(stores, how)
    (store, *_) = stores
    if not sys.stdout.isatty():
        from mlrtui.commands.follow import follow

        follow(store, [], lambda: lock.is_held(store), how.ascii_only)
        return _ended(store)
    return _show(stores, how)


def _ended(store: Path) -> int:
    """Print why the driver died, if it did; returns the exit code."""
    with Reader.open(store) as reader:
        end = reader.last_end()
    if end is None:
        return 0
    print(f"mlrtui: {one_line(end.sentence())} (log: {one_line(str(log_path(store)))})", file=sys.stderr)
    return DriverDied.exit_code


def browse(stores: Sequence[Path], how: How) -> int:
    """The list of sweeps; where there is no terminal, as text."""
    printed_size(how)
    for store in stores:
        Reader.open(store).close()
    if how.as_json:
        print(documents.text({"stores": [store_object(store) for store in stores]}))
        return 0
    if how.once:
        return _print_once(stores, how)
    if not sys.stdout.isatty():
        for store in stores:
            with Reader.open(store) as reader:
                end = reader.last_end()
                died = () if end is None else (f"  {one_line(end.sentence())}",)
                work = reader.work()
                lines = [f"{store}:", *died, *(f"  {sweep_line(row, work)}" for row in reader.sweeps())]
            show("\n".join(lines), how.ascii_only)
        return 0
    return _show(stores, how)


def in_folders(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The stores: each path itself, or the stores of a folder, the newest first.

    Raises:
        BadInput: there is none in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.glob("*.db"), key=lambda store: store.stat().st_mtime, reverse=True)
        if not inside:
            raise BadInput(f"{path}: no store (*.db) in this folder; name one, or another folder")
        found += inside
    return tuple(found)


@uncollected()
def _print_once(stores: Sequence[Path], how: How) -> int:
    from mlrtui.tui.modes import read_choices
    from mlrtui.tui.once import data_once, render_once

    choices = read_choices(how.screen, how.shown)
    reading = _screen_reading(stores, how.screen, *_looked_at(stores, how, choices), choices)
    if how.as_json:
        print(documents.text(data_once(reading)))
    else:
        print(render_once(reading, how.screen, printed_size(how), needs_ascii(how.ascii_only), choices))
    return 0


def _screen_reading(
    stores: Sequence[Path], screen: str, wanted: "Wanted", marks: "tuple[Mark, ...]", choices: Mapping[str, str]
) -> "Reading":
    """What a screen shows of these stores; BadInput where they lack what was chosen for it."""
    from mlrtui.tui.modes import check_choices
    from mlrtui.tui.once import read_once
    from mlrtui.tui.starting import store_source

    reading = read_once([store_source(store) for store in stores], screen, wanted, marks, choices=choices)
    check_choices(screen, choices, reading)
    return reading


def printed_size(how: How) -> tuple[int, int]:
    """Columns and rows of a printed screen.

    Raises:
        BadInput: a size that is none, or without a screen that is printed.
    """
    if how.size is None:
        # else what COLUMNS and LINES say: of the terminal from which another machine asks
        size = os.get_terminal_size() if sys.stdout.isatty() else shutil.get_terminal_size((80, 24))
        return size.columns, size.lines
    if not how.once:
        raise BadInput(f"--size {how.size}: it is the size that --once prints; add --once")
    found = re.fullmatch(r"(\d{1,4})[xX×](\d{1,4})", how.size)
    columns, rows = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (20 <= columns <= 1000 and 5 <= rows <= 1000):
        raise BadInput(f"--size {how.size}: give columns and rows, from 20x5 to 1000x1000, such as 120x36")
    return columns, rows


def _show(stores: Sequence[Path], how: How) -> int:
    from mlrtui.tui.modes import read_choices
    from mlrtui.tui.starting import run_app

    choices = read_choices(how.screen, how.shown)
    wanted, marks = _looked_at(stores, how, choices)
    if choices:  # read once more, so that a fault is a line on this terminal and no screen
        _screen_reading(stores, how.screen, wanted, marks, choices)
    return run_app(
        list(stores),
        start=how.screen,
        wanted=wanted,
        marked=marks,
        refresh=how.refresh,
        ascii=how.ascii_only or None,
        mouse=how.mouse,
        choices=choices,
    )


def _looked_at(stores: Sequence[Path], how: How, choices: Mapping[str, str]) -> "tuple[Wanted, tuple[Mark, ...]]":
    """What is looked at, and what is marked for Compare.

    Raises:
        BadInput: there is no such sweep or trial.
    """
    from mlrtui.tui.compare.marking import nets_of, sweeps_named
    from mlrtui.tui.starting import looked_at

    with ExitStack() as opened:
        readers = [opened.enter_context(Reader.open(store)) for store in stores]
        compares = how.screen == "compare" and not how.trials and how.sweeps
        marked = sweeps_named(readers, how.sweeps) if compares else ()  # before: it knows the names of all stores
        wanted, marks = looked_at(readers[0], next(iter(how.sweeps), None), how.trials)
        if choices.get("kind") == "nets":
            marks = nets_of(readers[0], marks)
    return wanted, (*marks, *marked)


@dataclass(frozen=True)
class _State:
    """What a store contains, and who writes it."""

    store: Path
    sweeps: tuple[SweepRow, ...]
    fits: Mapping[int, tuple[FitRow, ...]]  # of each sweep, by its number
    held: bool  # somebody writes it
    holder: lock.LockHolder | None
    end: WriterEnd | None  # how the last writer died
    replica: Replica | None  # whose copy it is
    work: WorkRow | None  # what the driver says of itself

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "store": str(self.store),
            "driver": None if self.holder is None else dataclasses.asdict(self.holder),
            "last_driver": None if self.end is None else dataclasses.asdict(self.end),
            "work": None if self.work is None else dataclasses.asdict(self.work),
            "copy_of": None if self.replica is None else dataclasses.asdict(self.replica),
            "sweeps": [documents.sweep_object(row, self.fits[row.sweep_id]) for row in self.sweeps],
        }


def store_object(store: Path) -> dict[str, Any]:
    """What a store contains and who writes it, for JSON."""
    return _read(store).as_object()


def _read(store: Path) -> _State:
    with Reader.open(store) as reader:
        sweeps = reader.sweeps()
        fits = {row.sweep_id: reader.fits(row.sweep_id) for row in sweeps}
        end, replica, work = reader.last_end(), reader.replica_of(), reader.work()
    held, holder = at_work(store)
    return _State(store, sweeps, fits, held, holder, None if held else end, replica, work)


def status(store: Path, *, as_json: bool) -> int:
    """Sweeps, progress and the driver, as text or JSON. Exit code 1 when trials failed."""
    state = _read(store)
    if as_json:
        print(documents.text(state.as_object()))
    else:
        for line in _lines(state):
            show(line)
    return 1 if any(row.trials_failed for row in state.sweeps) else 0


def _lines(state: _State) -> Iterator[str]:
    store, holder = state.store, state.holder
    who = "a driver that cannot be identified" if holder is None else f"the driver ({one_line(holder.place())})"
    ends = f" until {moment(holder.until)}" if holder is not None and holder.until is not None else ""
    waits = ends + (f"; {one_line(holder.note)}" if holder is not None and holder.note else "")
    if holder is not None and processes.RECORDER in holder.command:
        yield f"{store}: a script is being recorded (by {one_line(holder.place())}){waits}"
    elif state.replica is not None:
        yield f"{store}: {one_line(state.replica.sentence())}"
    else:
        yield f"{store}: {who} is running{waits}" if state.held else f"{store}: no driver is running"
    if state.end is not None:
        yield f"  {one_line(state.end.sentence())}; `mlrtui resume --store {store}` continues (log: {log_path(store)})"
    if state.work is not None and state.work.sweep_id is None:
        yield f"  {doing(state.work)}"
    for row in state.sweeps:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at))
        yield f"  {created}  {sweep_line(row, state.work)}"
        yield from (f"      note {note_line(one)}" for one in row.notes)
        for fit in state.fits[row.sweep_id]:
            yield f"      {fit_line(fit)}"
