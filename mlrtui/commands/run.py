"""`mlrtui run`: check everything first, start the driver, then watch."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlrtui import planning
from mlrtui.commands import examples
from mlrtui.commands.foreground import Signals, attend, follow_driver, watching
from mlrtui.commands.opening import open_current
from mlrtui.config import AnySweep, LoopSweep, load_sweep, read_sweep
from mlrtui.config.changes import differences
from mlrtui.data.words import data_line
from mlrtui.driver import estimate, launch, stopping
from mlrtui.driver.backups import refuse_other_backup
from mlrtui.driver.deriving import Aside, aside_name, asides, decided, threshold_of
from mlrtui.driver.foreseen import time_foreseen
from mlrtui.driver.gpu_workers import shared_out
from mlrtui.driver.growth import Growth, growth
from mlrtui.driver.methods import chosen_as, chosen_for
from mlrtui.driver.shards import Shard, part
from mlrtui.driver.terms import Terms
from mlrtui.engines.code_check import check_factories
from mlrtui.engines.devices import FAKE
from mlrtui.engines.loop_check import check_loops
from mlrtui.engines.registry import engine_of
from mlrtui.errors import BadInput, DriverDied
from mlrtui.report import report
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db import filesystem, lock
from mlrtui_db.models import NamedSweep, SweepRow
from mlrtui_db.reader import Reader

if TYPE_CHECKING:
    from mlrtui.tui.state import Starting

__all__ = ["RunOptions", "refuse_code", "run", "run_specs", "start"]


@dataclass(frozen=True)
class RunOptions:
    """The options of `mlrtui run`."""

    store: Path
    devices: str = "auto"
    workers: int | None = None
    engine: str = "local"
    detach: bool = False
    plain: bool = False
    allow_code: bool = False
    overrides: tuple[str, ...] = ()
    dry_run: bool = False
    ascii_only: bool = False
    refresh: float | None = None
    mouse: bool = True
    shard: str | None = None
    terms: Terms = field(default_factory=Terms)
    engine_options: Mapping[str, str] = field(default_factory=dict)


def run(files: Sequence[Path], options: RunOptions) -> int:
    """Start or resume the sweeps of these files; returns the exit code.

    Raises:
        BadInput: a mistake in a file or an option; all files' mistakes at once.
        StoreError: the store cannot be used.
    """
    return run_specs(_load(files or examples.quickstart(), options.overrides), options)


def run_specs(specs: Sequence[AnySweep], options: RunOptions) -> int:
    """The same for sweeps that were read already."""
    refuse_code(specs, options)
    stored = _beside_stored(options, specs)
    if options.dry_run:
        workers = _workers(options, stored.plans)
        _refuse_loops(specs, workers, options)
        built, loops = check_factories(specs, workers[0], timed=True), check_loops(specs)
        for plan, cells, known in zip(stored.plans, built, loops, strict=True):
            show(_description(plan, {"": known} if known else cells, workers), options.ascii_only)
    for line in stored.lines:
        print(line)
    if options.dry_run:
        return 0
    specs = stored.specs
    if not stored.undone:
        _workers(options, ())  # reports a mistake in an option all the same
        return _finished(options, specs)
    if _shows_screen(options):
        from mlrtui.tui.settings import load_settings, settings_path

        load_settings(settings_path())  # report a mistake there before anything is started
    return start(specs, stored.plans, options)


def refuse_code(specs: Sequence[AnySweep], options: RunOptions) -> None:
    """Refuse sweeps that run code unless it was allowed: a store or a file from a stranger must not run any.

    Raises:
        BadInput: a sweep names a factory or a training, and --allow-code is missing.
    """
    named = [pair for spec in specs for pair in spec.code]
    if named and not options.allow_code:
        key, name = named[0]
        raise BadInput(f"{key} = {name!r}: runs code of that module; if you trust it, add --allow-code")


def _refuse_loops(specs: Sequence[AnySweep], workers: Sequence[str], options: RunOptions) -> None:
    if not any(isinstance(spec, LoopSweep) for spec in specs):
        return
    if FAKE in workers:
        raise BadInput("--devices fake: makes up the numbers of nets, not those of training.loop; use another device")
    if not engine_of(options.engine).runs_loops:
        raise BadInput(
            f"--engine {options.engine}: does not run training.loop, which needs the driver's machine; "
            "use --engine local there, and `mlrtui run --shard` for several machines"
        )


def start(
    specs: Sequence[AnySweep],
    plans: Sequence[planning.Plan],
    options: RunOptions,
    shards: Sequence[str | None] = (),
) -> int:
    """Start a driver for these sweeps and watch it.

    Args:
        specs: the sweeps.
        plans: of the sweeps: for the number of workers, and for the screen until the store has them.
        options: of the command.
        shards: of each sweep the shard that is trained; none at all: that of the options.
    """
    if options.terms.foreground:
        with watching() as signals:
            return _attended(specs, lambda: _workers(options, plans), options, shards, signals)
    workers = _workers(options, plans)
    driver = _launched(specs, workers, options, shards)
    if options.detach:
        print(f"driver {driver.pid} writes {options.store}; watch it with: mlrtui watch --store {options.store}")
        return 0
    if not _shows_screen(options):
        return _plain(options, specs, driver)
    _attach(options, _starting(plans, workers, options.store))
    return _left(options, driver)


def _attended(
    specs: Sequence[AnySweep],
    workers: Callable[[], Sequence[str]],
    options: RunOptions,
    shards: Sequence[str | None],
    signals: Signals,
) -> int:
    """The same with a driver that ends with this command; returns the exit code."""
    names = [spec.sweep.name for spec in specs]
    driver, code = attend(
        lambda: _launched(specs, workers(), options, shards), signals, options.store, names, options.ascii_only
    )
    if driver is not None:
        _ended(options, driver)
    return code


def _launched(
    specs: Sequence[AnySweep], workers: Sequence[str], options: RunOptions, shards: Sequence[str | None]
) -> launch.DriverProcess:
    specs = [chosen_for(spec, workers) for spec in specs]
    _refuse_loops(specs, workers, options)
    check_factories(specs, workers[0])
    check_loops(specs)
    refuse_other_backup(options.terms.backup, options.store)
    network = filesystem.network_kind(options.store)
    if network is not None:
        print(f"mlrtui: warning: {filesystem.network_warning(options.store, network)}", file=sys.stderr)
    shards = shards or [options.shard] * len(specs)
    texts = [spec.canonical() for spec in specs]
    return launch.launch(
        options.store,
        texts,
        workers,
        options.engine,
        options=options.engine_options,
        shards=shards,
        terms=options.terms,
    )


def _shows_screen(options: RunOptions) -> bool:
    return not options.detach and not options.plain and not options.terms.foreground and sys.stdout.isatty()


def _workers(options: RunOptions, plans: Sequence[planning.Plan]) -> Sequence[str]:
    """The device of every worker, as the options ask for. Raises BadInput.

    Where they leave it open the plans bound the CPU workers, and decide whether two workers share a GPU.
    """
    useful = max([1, *(estimate.parallel_lanes(plan) for plan in plans)])
    engine = engine_of(options.engine, options.engine_options)
    if options.workers is not None and not engine.shares_devices:
        raise BadInput(f"--workers: --engine {options.engine} has one worker a device; choose them by --devices")
    found = engine.resolve(options.devices, useful, options.engine_options)
    if FAKE in found:
        return found
    if options.workers is None:
        return shared_out(found, plans) if engine.shares_devices else found
    return [device for device in dict.fromkeys(found) for _ in range(options.workers)]


def _load(files: Sequence[Path], overrides: Sequence[str]) -> list[AnySweep]:
    specs: list[AnySweep] = []
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


@dataclass(frozen=True)
class _Stored:
    """The sweeps beside what the store has of them."""

    plans: list[planning.Plan]
    """Without data, and with their stored choices."""

    undone: bool
    lines: list[str]
    """What is added to sweeps that are there, in words."""

    @property
    def specs(self) -> list[AnySweep]:
        """The sweeps themselves."""
        return [plan.spec for plan in self.plans]


def _beside_stored(options: RunOptions, specs: Sequence[AnySweep]) -> _Stored:
    """Compare with the store, if it exists.

    Raises:
        BadInput: the store has a sweep of this name that cannot become this one by growing.
    """
    store = options.store
    if not store.exists() or (store.stat().st_size == 0 and store.is_file()):
        return _Stored([_plan(spec, options) for spec in specs], undone=True, lines=[])
    plans, undone, lines = [], False, []
    with Reader.open(store) if options.dry_run else open_current(store) as reader:  # only the former never migrates
        reader.refuse_if_incomplete()
        known = {sweep.name: sweep for sweep in reader.sweeps()}
        for spec in specs:
            row = known.get(spec.sweep.name)
            if row is None:
                plans.append(_plan(spec, options))
                undone = True
                continue
            if row.mode == "recorded":
                raise BadInput(
                    f"sweep.name = {spec.sweep.name!r}: {store} has a recorded run of this name, a script's own: "
                    "rename the sweep, or choose another --store"
                )
            plans.append(_plan(chosen_as(spec, row.spec), options))
            lacks = _lacks(options, plans[-1], row, reader)
            undone |= lacks.adds or row.status != "done" or row.shard != options.shard
            if lacks.threshold is not None:
                lines.append(f"{one_line(row.name)}: {_rethresholded(plans[-1], row, lacks.changes, reader)}")
            elif lacks.adds:
                lines.append(f"{one_line(row.name)}: {lacks.text}; what is stored stays")
    return _Stored(plans, undone, lines)


def _lacks(options: RunOptions, plan: planning.Plan, row: SweepRow, reader: Reader) -> Growth:
    """What a stored sweep lacks."""
    name = plan.spec.sweep.name
    if options.shard is not None and row.shard != options.shard:
        holds = "all of it" if row.shard is None else f"shard {row.shard}"
        raise BadInput(
            f"--shard {options.shard}: {options.store} holds {holds} of {name!r}; give every shard a "
            "--store of its own, or leave --shard out to train what is missing"
        )
    if row.shard == options.shard and not differences(row.spec, plan.spec):
        return Growth()
    lacks = growth(row.spec, reader.cell_states(row.sweep_id), plan)
    if lacks.refused:
        raise BadInput(
            f"sweep.name = {name!r}: {options.store} has a sweep of this name with other settings "
            f"({'; '.join(lacks.refused)}); change sweep.name, or use another --store"
        )
    if lacks.changes and options.shard is not None:
        raise BadInput(
            f"--shard {options.shard}: a shard cannot grow ({'; '.join(lacks.changes)}): merge the shards first, then "
            "run the larger sweep, or give it another sweep.name"
        )
    return lacks


def _rethresholded(plan: planning.Plan, row: SweepRow, changes: Sequence[str], reader: Reader) -> str:
    """What a sweep comes to at the threshold of its file, which it was not trained to."""
    stored = read_sweep(row.spec)
    old, wanted = threshold_of(stored), threshold_of(plan.spec)
    assert old is not None
    assert wanted is not None
    change, aside, back = "; ".join(changes), aside_name(row.name, old), aside_name(row.name, wanted)
    sweeps = {one.name: one for one in reader.sweeps()}
    if aside in sweeps:
        raise BadInput(
            f"sweep.name = {row.name!r}: {reader.path} holds {aside!r}, the name for the sweep as it was; "
            "give the sweep with the other threshold a name of its own"
        )
    if back in sweeps:
        return f"{change}: goes on with {back!r}; the sweep as it was stays as {aside!r}"
    named = [NamedSweep(one.sweep_id, one.spec) for name, one in sweeps.items() if name.startswith(f"{row.name} (")]
    others = [Aside(row.sweep_id, stored, old), *asides(plan.spec, named)]
    return decided(plan, others, reader.ended, reader.cell_states).text(change, aside)


def _plan(spec: AnySweep, options: RunOptions) -> planning.Plan:
    """Without data."""
    plan = planning.plan(spec, None)
    return plan if options.shard is None else part(plan, Shard.parse(options.shard))


def _attach(options: RunOptions, starting: "Starting | None" = None) -> None:
    """The screens, until the user leaves."""
    from mlrtui.tui.starting import run_app

    run_app(
        [options.store],
        start="live",
        refresh=options.refresh,
        ascii=options.ascii_only or None,
        mouse=options.mouse,
        starting=starting,
    )


def _starting(plans: Sequence[planning.Plan], workers: Sequence[str], store: Path) -> "Starting":
    """What a driver that was just started does, for the screen."""
    from mlrtui.tui.state import Starting

    first = next(iter(plans), None)
    counts = Counter(workers)
    many = ", ".join(f"{count} x {device}" if count > 1 else device for device, count in counts.items())
    log = str(launch.log_path(store))
    if first is None:
        return Starting(workers=many, log=log)
    nets = sum(len(cell.nets) for cell in first.sweep.cells)
    then = f"then {len(plans) - 1} more sweeps" if len(plans) > 2 else "then another sweep" if len(plans) > 1 else ""
    sizes = {
        name: list(dict.fromkeys(getattr(cell, name) for cell in first.sweep.cells)) for name in ("depth", "width")
    }
    axes = [f"{name} {', '.join(map(str, values))}" for name, values in sizes.items() if values != [None]]
    grid = (_grid_words(first, nets), *axes, *filter(None, (then,)))
    return Starting(one_line(first.spec.sweep.name), grid, many, log)


def _finished(options: RunOptions, specs: Sequence[AnySweep]) -> int:
    """Everything is done already: show it, train nothing, write nothing."""
    names = [spec.sweep.name for spec in specs]
    if _shows_screen(options):
        _attach(options)
    else:
        plain = needs_ascii(options.ascii_only)
        with Reader.open(options.store) as reader:
            for row in reader.sweeps():
                snapshot = reader.live(row.sweep_id) if row.name in names else None
                if snapshot is not None:
                    show(report(reader, snapshot, ascii_only=plain) + "\n", plain)
        print(f"already done; nothing was trained and {options.store} was not changed")
    return _exit_code(options.store, names)


def _plain(options: RunOptions, specs: Sequence[AnySweep], driver: launch.DriverProcess) -> int:
    """Progress lines until the driver ends. Ctrl-C also stops the driver: nothing else would show its progress."""
    try:
        follow_driver(driver, options.store, [spec.sweep.name for spec in specs], options.ascii_only)
    except KeyboardInterrupt:
        print(stopping.stop(options.store), file=sys.stderr)
        return 130
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
    if end.words:
        verb = "died" if end.code == DriverDied.exit_code else "stopped"
        log = launch.log_path(options.store)
        print(f"mlrtui: the driver {verb}: {one_line(end.words)} (log: {one_line(str(log))})", file=sys.stderr)
    return end.code


def _exit_code(store: Path, names: Sequence[str]) -> int:
    with Reader.open(store) as reader:
        return 1 if any(row.trials_failed for row in reader.sweeps() if row.name in names) else 0


def _description(plan: planning.Plan, built: Mapping[str, Sequence[str]], workers: Sequence[str]) -> str:
    """What a sweep would do; ``built``: what was found about the nets of factories, by cell; ``workers``: devices."""
    spec = plan.spec
    nets = sum(len(cell.nets) for cell in plan.sweep.cells)
    mapped = estimate.map_range(plan)
    steps = max((cell.max_steps for cell in plan.cells), default=0)
    data = dict.fromkeys(cell.data for cell in plan.cells if isinstance(cell, planning.CellPlan))
    lines = [
        f"{spec.sweep.name}: {'map' if mapped else plan.sweep.mode}, {_grid_words(plan, nets)}, "
        f"{_trainings_words(plan, mapped)}{f' of at most {steps} steps' if steps else ''}",
        f"  cells: {', '.join(cell.label for cell in plan.cells[:12])}{' ...' if len(plan.cells) > 12 else ''}",
        *(f"  data: {line}" for line in dict.fromkeys(map(data_line, data))),
        *(line for label, known in built.items() for line in (*_head(label), *(f"    {text}" for text in known))),
        f"  time: {time_foreseen(plan, workers)}",
        *(f"  store: {remark}" for remark in [estimate.writer_remark(plan, workers)] if remark),
        f"  all settings: {json.dumps(json.loads(spec.canonical()), ensure_ascii=False)}",
    ]
    return "\n".join(lines)


def _trainings_words(plan: planning.Plan, mapped: tuple[int, int] | None) -> str:
    """How many trainings; ``mapped``: the fewest and the most of a map, which depend on its boundary."""
    count = estimate.expected_trainings(plan)
    if mapped is None:
        return f"{'' if plan.spec.scan is not None else 'about '}{count} trainings"
    return f"{mapped[0]} to {mapped[1]} trainings (about {count} for a boundary that crosses a map once)"


def _grid_words(plan: planning.Plan, nets: int) -> str:
    if plan.sweep.shard is not None:
        return f"shard {plan.sweep.shard}: {counted(nets, 'net')} in {counted(len(plan.cells), 'cell')}"
    return f"{counted(len(plan.cells), 'cell')} x {counted(len(plan.seeds), 'seed')} = {counted(nets, 'net')}"


def _head(label: str) -> list[str]:
    """Above what is known of a cell; of the training function of a whole sweep there is none."""
    return [f"  {label}:"] if label else []
