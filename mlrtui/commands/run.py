"""`mlrtui run`: check everything first, start the driver, then watch."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrtui import planning
from mlrtui.commands import examples
from mlrtui.commands.opening import open_current
from mlrtui.config import SweepSpec, changes, load_sweep
from mlrtui.data.words import data_line
from mlrtui.driver import estimate, launch, stopping
from mlrtui.driver.methods import chosen_as, chosen_for
from mlrtui.engines.code_check import check_factories
from mlrtui.engines.registry import engine_of
from mlrtui.errors import BadInput, DriverDied
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db import filesystem, lock
from mlrtui_db.errors import StoreError
from mlrtui_db.reader import Reader
from mlrtui_trainer.models.sources import is_factory

__all__ = ["RunOptions", "refuse_code", "run", "start"]


@dataclass(frozen=True)
class RunOptions:
    """The options of `mlrtui run`."""

    store: Path
    overrides: tuple[str, ...] = ()
    devices: str = "auto"
    engine: str = "local"
    detach: bool = False
    plain: bool = False
    dry_run: bool = False
    allow_code: bool = False
    ascii_only: bool = False
    refresh: float | None = None
    mouse: bool = True


def run(files: Sequence[Path], options: RunOptions) -> int:
    """Start or resume the sweeps of these files; returns the exit code.

    Raises:
        BadInput: a mistake in a file or an option; all files' mistakes at once.
        StoreError: the store cannot be used.
    """
    specs = _load(files or examples.quickstart(), options.overrides)
    refuse_code(specs, options)
    plans = [planning.plan(spec, None) for spec in specs]
    useful = max(estimate.parallel_lanes(plan) for plan in plans)
    if options.dry_run:
        built = check_factories(specs, _workers(options, useful)[0], timed=True)
        for spec, plan, cells in zip(specs, plans, built, strict=True):
            show(_description(spec, plan, cells), options.ascii_only)
        return 0
    specs, undone = _beside_stored(options.store, specs)
    if not undone:
        _workers(options, useful)  # reports a mistake in an option all the same
        return _finished(options, specs)
    if not options.detach and not options.plain and sys.stdout.isatty():
        from mlrtui.tui.settings import load_settings, settings_path

        load_settings(settings_path())  # report a mistake there before anything is started
    return start(specs, useful, options)


def refuse_code(specs: Sequence[SweepSpec], options: RunOptions) -> None:
    """Refuse sweeps that run code unless it was allowed: a store or a file from a stranger must not run any.

    Raises:
        BadInput: a sweep names a factory, and --allow-code is missing.
    """
    named = [kind for spec in specs for kind in spec.model.kind if is_factory(kind)]
    if named and not options.allow_code:
        raise BadInput(f"model.kind = {named[0]!r}: runs code of that module; if you trust it, add --allow-code")


def start(specs: Sequence[SweepSpec], useful: int, options: RunOptions) -> int:
    """Start a driver for these sweeps and watch it; ``useful`` bounds the workers that are started by themselves."""
    workers = _workers(options, useful)
    specs = [chosen_for(spec, workers) for spec in specs]
    check_factories(specs, workers[0])
    network = filesystem.network_kind(options.store)
    if network is not None:
        print(f"mlrtui: warning: {filesystem.network_warning(options.store, network)}", file=sys.stderr)
    driver = launch.launch(options.store, [spec.canonical() for spec in specs], workers, options.engine)
    if options.detach:
        print(f"driver {driver.pid} writes {options.store}; watch it with: mlrtui watch --store {options.store}")
        return 0
    if options.plain or not sys.stdout.isatty():
        return _plain(options, specs, driver)
    _attach(options)
    return _left(options, driver)


def _workers(options: RunOptions, useful: int) -> Sequence[str]:
    """The device of every worker; ``useful`` bounds those that are started by themselves. Raises BadInput."""
    return engine_of(options.engine).resolve(options.devices, useful)


def _load(files: Sequence[Path], overrides: Sequence[str]) -> list[SweepSpec]:
    specs: list[SweepSpec] = []
    mistakes: list[str] = []
    for path in files:
        try:
            specs.append(load_sweep(path, overrides))
        except BadInput as error:
            mistakes += error.messages
    if mistakes:
        raise BadInput.gather(mistakes)
    names = [spec.sweep.name for spec in specs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise BadInput(f"sweep.name = {twice[0]!r}: two of the files use this name; give each sweep its own")
    return specs


def _beside_stored(store: Path, specs: Sequence[SweepSpec]) -> tuple[list[SweepSpec], bool]:
    """Compare with the store, if it exists: the sweeps with their stored choices, and whether anything is left to do.

    Raises:
        BadInput: the store has a sweep of this name with other settings.
    """
    if not store.exists() or (store.stat().st_size == 0 and store.is_file()):
        return list(specs), True
    with open_current(store) as reader:
        known = {sweep.name: sweep for sweep in reader.sweeps()}
    chosen, undone = [], False
    for spec in specs:
        row = known.get(spec.sweep.name)
        if row is not None and row.mode == "recorded":
            raise BadInput(
                f"sweep.name = {spec.sweep.name!r}: {store} has a recorded run of this name, a script's own: rename "
                "the sweep, or choose another --store"
            )
        undone |= row is None or row.status != "done"
        chosen.append(spec if row is None else chosen_as(spec, row.spec))
        changed = [] if row is None else changes(row.spec, chosen[-1])
        if changed:
            raise BadInput(
                f"sweep.name = {spec.sweep.name!r}: {store} has a sweep of this name with other settings "
                f"({'; '.join(changed)}); change sweep.name, or use another --store"
            )
    return chosen, undone


def _attach(options: RunOptions) -> None:
    """The screens, until the user leaves."""
    from mlrtui.tui.starting import run_app

    ascii_only = options.ascii_only or None
    run_app([options.store], start="live", refresh=options.refresh, ascii=ascii_only, mouse=options.mouse)


def _finished(options: RunOptions, specs: Sequence[SweepSpec]) -> int:
    """Everything is done already: show it, train nothing, write nothing."""
    names = [spec.sweep.name for spec in specs]
    if not options.detach and not options.plain and sys.stdout.isatty():
        _attach(options)
    else:
        from mlrtui.report import report

        plain = needs_ascii(options.ascii_only)

        with Reader.open(options.store) as reader:
            for row in reader.sweeps():
                snapshot = reader.live(row.sweep_id) if row.name in names else None
                if snapshot is not None:
                    show(report(reader, snapshot, ascii_only=plain) + "\n", plain)
        print(f"already done; nothing was trained and {options.store} was not changed")
    return _exit_code(options.store, names)


def _plain(options: RunOptions, specs: Sequence[SweepSpec], driver: launch.DriverProcess) -> int:
    """Progress lines until the driver ends. Ctrl-C also stops the driver: nothing else would show its progress."""
    from mlrtui.commands.follow import follow

    try:
        names = [spec.sweep.name for spec in specs]
        follow(options.store, names, driver.running, options.ascii_only)
    except KeyboardInterrupt:
        print(stopping.stop(options.store), file=sys.stderr)
        return 130
    except StoreError:
        if driver.end().code in (0, 1):
            raise
    return _ended(options, driver)


def _left(options: RunOptions, driver: launch.DriverProcess) -> int:
    """The screen was closed."""
    if driver.running() and lock.is_held(options.store):
        print(
            f"training continues (driver {driver.pid}). Watch: mlrtui watch --store {options.store}   "
            f"Stop: mlrtui stop --store {options.store}"
        )
        return 0
    return _ended(options, driver)


def _ended(options: RunOptions, driver: launch.DriverProcess) -> int:
    """Print why the driver ended, unless all is well; returns the exit code."""
    end = driver.end()
    if end.code not in (0, 1):
        verb = "died" if end.code == DriverDied.exit_code else "stopped"
        log = launch.log_path(options.store)
        print(f"mlrtui: the driver {verb}: {one_line(end.words)} (log: {one_line(str(log))})", file=sys.stderr)
    return end.code


def _exit_code(store: Path, names: Sequence[str]) -> int:
    with Reader.open(store) as reader:
        return 1 if any(row.trials_failed for row in reader.sweeps() if row.name in names) else 0


def _description(spec: SweepSpec, plan: planning.Plan, built: Mapping[str, Sequence[str]]) -> str:
    """What a sweep would do; ``built``: what was found about the nets of factories, by cell."""
    nets = sum(len(cell.nets) for cell in plan.sweep.cells)
    trainings = estimate.expected_trainings(plan)
    about = "" if spec.scan is not None else "about "
    steps = max(cell.train.max_steps for cell in plan.cells)
    lines = [
        f"{spec.sweep.name}: {plan.sweep.mode}, {len(plan.cells)} cells x {len(plan.seeds)} seeds = {nets} nets, "
        f"{about}{trainings} trainings of at most {steps} steps",
        f"  cells: {', '.join(cell.label for cell in plan.cells[:12])}{' ...' if len(plan.cells) > 12 else ''}",
        *(f"  data: {line}" for line in dict.fromkeys(map(data_line, dict.fromkeys(cell.data for cell in plan.cells)))),
        *(line for label, known in built.items() for line in (f"  {label}:", *(f"    {text}" for text in known))),
        f"  time: {estimate.time_estimate(plan)}",
        f"  all settings: {json.dumps(json.loads(spec.canonical()), ensure_ascii=False)}",
    ]
    return "\n".join(lines)
