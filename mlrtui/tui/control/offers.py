"""What a control key offers: the command line that it would start, what that does, or why it cannot be done here."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mlrtui.text.numbers import counted
from mlrtui.tui.state import Reading
from mlrtui_db.models import SweepRow

__all__ = ["KINDS", "Offer", "Target", "offer", "target_of"]

_SEEDS = re.compile(r"sweep\.seeds=(\d{1,5}(?![\d.])|\[[\d, ]*\])")
_AT_WORK = "A driver is at work on this store now; until it has ended, this command refuses."


@dataclass(frozen=True)
class Target:
    """What a command would act on."""

    store: str  # the file
    sweep: SweepRow | None
    driver: bool | None = None  # whether one is at work on the store; None: not known here
    copied: bool = False  # the store is a copy that `mlrtui pull` brings up to date
    afar: bool = False  # the store is on another machine
    window: str = ""  # of a map that is looked at: the options of `mlrtui map` for a part of it

    @property
    def option(self) -> str:
        """The store as an option of a command that starts in this folder."""
        path, here = Path(self.store), Path.cwd()
        return f"--store {shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))}"

    @property
    def name(self) -> str:
        """The file without its folder."""
        return Path(self.store).name


@dataclass(frozen=True)
class Offer:
    """A command of the command line, ready to be changed and started; with a refusal it cannot be."""

    title: str
    command: str = ""
    arguments: str = ""  # may be changed before it is started
    at: int | None = None  # where typing goes on; None: at their end
    sentences: tuple[str, ...] = ()
    refusal: str = ""
    target: Target | None = None

    def about(self, arguments: str) -> str:
        """What the arguments, as they are typed now, come to; "" where there is nothing to count."""
        if self.command == "run" and arguments.lstrip().startswith("-"):
            return "Without a file this trains the quick start."
        found, sweep = _SEEDS.search(arguments), None if self.target is None else self.target.sweep
        if self.command != "resume" or found is None or sweep is None:
            return ""
        known, asked = set(_seeds(sweep)), _asked(found[1])
        if asked <= known:
            return f"{counted(len(known), 'seed')} {'is' if len(known) == 1 else 'are'} stored; ask for more."
        if left_out := known - asked:
            return f"Stored seed {min(left_out)} is not among these, so it will be refused; list all stored seeds, too."
        added = len(asked - known)
        grown = f"{counted(sweep.cells, 'cell')} × {counted(added, 'new seed')}"
        return f"{grown} = {counted(added * sweep.cells, 'new net')}."


def target_of(reading: Reading | None, store: int | None = None, sweep: SweepRow | None = None) -> Target | None:
    """What a reading shows, or of it this sweep of that store; None where no store is open."""
    if reading is None or not reading.stores:
        return None
    at = reading.wanted.store if store is None else store
    snapshot = reading.snapshot if at == reading.wanted.store else None
    known = reading.stores[at]
    driver: bool | None = None
    if known.has_driver or not known.sweeps:
        driver = known.has_driver
    elif snapshot is not None and not reading.wanted.browsing:  # the list of sweeps does not ask for drivers
        driver = snapshot.writer_alive
    return Target(
        known.place or known.label,
        sweep if sweep is not None or snapshot is None else snapshot.sweep,
        driver=driver,
        copied=snapshot is not None and snapshot.copied_at is not None,
        afar=known.is_afar,
    )


def offer(kind: str, target: Target | None) -> Offer:
    """What a key of control offers on this target."""
    if target is None:
        return Offer(_TITLES[kind], refusal="no store is open here")
    if target.afar:
        why = "is on another machine: enter one of its sweeps; the screen there has this key"
        return Offer(_TITLES[kind], refusal=f"{target.store} {why}")
    if target.copied:
        why = "a copy made by `mlrtui pull`: its driver is where the original is; use `mlrtui` on that machine"
        return Offer(_TITLES[kind], refusal=f"{target.name} is {why}")
    return KINDS[kind](target)


def _stop(target: Target) -> Offer:
    now = () if target.driver is not False else ("No driver is seen at work on it now.",)
    does = (
        f"Asks the driver of {target.name} to end after its current commit; its workers end with it.",
        "Trainings under way start again with `mlrtui resume`. With --now it is killed at once.",
    )
    return Offer(_TITLES["stop"], "stop", target.option, sentences=(*does, *now), target=target)


def _resume(target: Target) -> Offer:
    sweep = target.sweep
    named = f"{shlex.quote(sweep.name)} " if sweep is not None and sweep.status != "done" else ""
    what = f"sweep {sweep.name!r}" if named and sweep is not None else "all unfinished sweeps"
    does = (f"Starts a driver that goes on with {what} of {target.name}.", _OPTIONS)
    return Offer(
        _TITLES["resume"],
        "resume",
        f"{named}{target.option} --detach",
        sentences=(*does, *_busy(target)),
        target=target,
    )


def _run(target: Target) -> Offer:
    does = (f"Type the path of a sweep file. Starts a driver that trains it into {target.name}.", _OPTIONS)
    arguments = f" {target.option} --detach"
    return Offer(_TITLES["run"], "run", arguments, at=0, sentences=(*does, *_busy(target)), target=target)


def _extend(target: Target) -> Offer:
    sweep = target.sweep
    if sweep is None:
        return Offer(_TITLES["extend"], refusal=f"{target.name} has no sweep yet")
    if sweep.mode == "recorded":
        return Offer(_TITLES["extend"], refusal=f"{sweep.name!r} is a recorded run: its own script trains it")
    seeds = _seeds(sweep)
    counted = seeds == list(range(len(seeds)))
    more = str(len(seeds) + 1) if counted else json.dumps([*seeds, max(seeds, default=0) + 1])
    does = (
        f"Asks sweep {sweep.name!r} for more seeds than its {len(seeds)}: new nets are trained, what is stored stays.",
        _OPTIONS,
    )
    arguments = f"{shlex.quote(sweep.name)} {target.option} --detach --set {shlex.quote(f'sweep.seeds={more}')}"
    return Offer(_TITLES["extend"], "resume", arguments, sentences=(*does, *_busy(target)), target=target)


def _window(target: Target) -> Offer:
    if target.sweep is None or not target.window:
        return Offer(
            _TITLES["window"], refusal="only a sweep with [map] has windows; its map is shown here once it trains"
        )
    does = (
        f"Trains a part of the map of {target.sweep.name!r} as finely as the whole, as a sweep of its own. The numbers "
        "are the ends of each axis.",
        _OPTIONS,
    )
    arguments = f"{shlex.quote(target.sweep.name)} {target.window} {target.option} --detach"
    return Offer(_TITLES["window"], "map", arguments, sentences=(*does, *_busy(target)), target=target)


_OPTIONS = "More options may be added, such as --devices cuda:0 or --until +6h."
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "stop": "stop training",
        "resume": "resume training",
        "run": "run a sweep file",
        "extend": "extend seeds",
        "window": "map a window",
    }
)
KINDS: Mapping[str, Callable[[Target], Offer]] = MappingProxyType(
    {"stop": _stop, "resume": _resume, "run": _run, "extend": _extend, "window": _window}
)
"""By the argument of the action `control`."""


def _busy(target: Target) -> Sequence[str]:
    return (_AT_WORK,) if target.driver else ()


def _asked(typed: str) -> set[int]:
    """The seeds of a count, or of a list as it is typed."""
    return set(map(int, re.findall(r"\d+", typed))) if typed.startswith("[") else set(range(int(typed)))


def _seeds(sweep: SweepRow) -> list[int]:
    """Those that the sweep's stored settings ask for."""
    found = json.loads(sweep.spec).get("sweep", {}).get("seeds", [])
    return found if isinstance(found, list) else list(range(int(found)))
