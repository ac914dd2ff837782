"""From a checked sweep file to what will be trained: cells, nets, keys. Loads data only when given a loader."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import groupby, product
from typing import Any, Literal, NamedTuple

from mlrtui import data
from mlrtui.config import AnySweep, LoopSweep, SweepSpec, read_sweep
from mlrtui.config.forks import ForkSection
from mlrtui.config.sections import DataSection, MapSection, ModelSection, SharpnessSection
from mlrtui.data import DataShape, DataSpec, DataTrouble
from mlrtui.errors import BadInput
from mlrtui.fork_planning import ForkPlan, fork_label, fork_plan, fork_settings, fork_steps, fork_train
from mlrtui.garbage import uncollected
from mlrtui.keys import canonical_json, code_id, digest
from mlrtui.loop_planning import LoopCell, planned
from mlrtui.map_planning import MapRow, axis_field, map_train
from mlrtui_db.axes import AXES, AXIS, SIZES, label
from mlrtui_db.records import CellRecord, NetRecord, SweepRecord
from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.curvature.schedule import rule_text
from mlrtui_trainer.losses import LOSS_KINDS
from mlrtui_trainer.models.kinds import MODEL_KINDS, forward_work, n_params
from mlrtui_trainer.models.sources import is_factory, module_of, source_hash, source_of
from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.spec import (
    NUMERICS_VERSION,
    Dataset,
    MeasureSpec,
    NetSpec,
    SharpnessSpec,
    TrainSpec,
)

__all__ = ["Cell", "CellPlan", "LoopCell", "Plan", "at_size", "code_id", "measure_spec", "plan", "trial_key"]

LATER = {
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup_steps": 0,
    "clip": 0.0,
    "precision": "",
    "curves": True,
    "code": (),
    "code_path": "",
}
"""Settings that a version without them had at these values: those are left out of keys, so that they stay the same."""

LATER_OF_NETS = {"tokens": 0, "mode": "function"}

_ALWAYS = object()


def _in_key(settings: Mapping[str, object], later: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value != later.get(name, _ALWAYS)}


@dataclass(frozen=True)
class CellPlan:
    """One grid point as the trainer gets it. ``data_id`` is empty when the data was not loaded."""

    position: int
    label: str  # "8x256 ce in=0.1": depth x width, then the other axes that vary
    net: NetSpec
    train: TrainSpec
    sharpness: SharpnessSpec
    data: DataSpec
    data_id: str
    samples: int  # how many train
    seeds: tuple[int, ...] = ()  # of its nets; in a shard, of its own
    fork: ForkPlan | None = None  # of forks; None: its trainings start at initialisation
    row: MapRow | None = None  # of a map; None: it is no row of one

    @property
    def max_steps(self) -> int:
        """Budget of a training in steps."""
        return self.train.max_steps

    @property
    def width(self) -> int:
        """Units of every hidden layer."""
        return self.net.width

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return self.net.depth

    @cached_property
    def work(self) -> int:
        """`forward_work` of its net, computed once: a grid may have a hundred thousand cells."""
        return forward_work(self.net)

    @cached_property
    def in_keys(self) -> dict[str, object]:
        """What the keys of all its trials have in common."""
        forked = {} if self.fork is None else {"fork": asdict(self.fork.start)}
        return forked | {
            "data": self.data_id,
            "net": _in_key(asdict(self.net), LATER_OF_NETS),
            "train": _in_key(asdict(self.train), LATER),
            "sharpness": asdict(self.sharpness),
        }


Cell = CellPlan | LoopCell


@dataclass(frozen=True)
class Plan:
    """All of a sweep. ``datasets`` by data_id; empty when the data was not loaded."""

    spec: AnySweep
    sweep: SweepRecord
    cells: tuple[Cell, ...]
    datasets: Mapping[str, Dataset]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the sweep's nets; of a shard's see `CellPlan.seeds`."""
        return self.spec.sweep.seeds

    @property
    def nets(self) -> int:
        """How many there are."""
        return sum(len(cell.seeds) for cell in self.cells)


@uncollected()
def plan(spec: AnySweep, load: Callable[[DataSpec], Dataset] | None = data.load) -> Plan:
    """The cells in order (other axes slowest, then depth, then width), with all that store and trainer need.

    ``load=None`` plans from the known sizes of the data sets and is cheap: no data, empty data_ids.

    Raises:
        BadInput: files of data cannot be used, or have become others than the sweep was made for.
    """
    if isinstance(spec, LoopSweep):
        cells, records = zip(*planned(spec), strict=True)
        return Plan(spec, _recorded(spec, records), cells, {})
    assert isinstance(spec, SweepSpec)
    try:
        return _planned(spec, load)
    except DataTrouble as trouble:
        raise BadInput(f"data.path = {spec.data.path!r}: {trouble}") from None


def _planned(spec: SweepSpec, load: Callable[[DataSpec], Dataset] | None) -> Plan:
    points = list(_points(spec))
    columns = dict(zip(_Point._fields, zip(*points, strict=True), strict=True))
    varying = [axis.name for axis in AXES if len(set(columns[axis.field])) > 1]
    named = {name: AXIS[name].field for name in {*SIZES, *varying}}
    datasets: dict[str, Dataset] = {}
    ids: dict[DataSpec, str] = {}
    shapes: dict[DataSpec, DataShape] = {}
    cells: list[CellPlan] = []
    records: list[CellRecord] = []
    for _, grid in groupby(points, key=_Point.kin):
        first, *others = grid
        wanted = first.data(spec.data)
        if wanted not in ids:  # each is looked at once: files may lie on slow disks
            shapes[wanted] = data.describe(wanted)
            loaded = None if load is None else load(wanted)
            ids[wanted] = "" if loaded is None else loaded.data_id
            if loaded is not None:
                datasets[loaded.data_id] = loaded
        kin = _Kin.of(spec, first, wanted, shapes[wanted], ids[wanted])
        for point in (first, *others):
            name = label({name: getattr(point, field) for name, field in named.items()}, varying)
            cell = kin.cell(point, len(cells), name)
            cells.append(cell)
            records.append(kin.record(cell))
    if spec.map is not None:
        cells, records = _map_rows(spec.map, points, cells, records)
    if spec.fork is not None:
        forked = list(_fork_cells(spec.fork, cells, records))
        cells += [cell for cell, _ in forked]
        records += [record for _, record in forked]
    return Plan(spec, _recorded(spec, records), tuple(cells), datasets)


def _fork_cells(
    section: ForkSection, cells: Sequence[CellPlan], records: Sequence[CellRecord]
) -> Iterator[tuple[CellPlan, CellRecord]]:
    """The cells of forks of these cells, by step, then in their order; they come after all of them."""
    by_step = sorted((step, at) for at, cell in enumerate(cells) for step in fork_steps(section, cell.train.max_steps))
    for number, (step, at) in enumerate(by_step, start=len(cells)):
        cell, record = cells[at], records[at]
        label, train = fork_label(cell.label, step), fork_train(section, cell.train)
        settings = json.loads(record.settings) | {"max_steps": train.max_steps, "fork": fork_settings(section, step)}
        yield (
            replace(cell, position=number, label=label, train=train, fork=fork_plan(section, step, cell.position)),
            replace(
                record,
                position=number,
                label=label,
                settings=canonical_json(settings),
                max_steps=train.max_steps,
                fork_step=step,
            ),
        )


def _map_rows(
    section: MapSection, points: Sequence["_Point"], cells: Sequence[CellPlan], records: Sequence[CellRecord]
) -> tuple[list[CellPlan], list[CellRecord]]:
    """The cells, each the row of a map; those that agree in all else are one map."""
    field, homes = axis_field(section), dict[tuple[object, ...], list[int]]()
    place = _Point._fields.index(field)
    found: list[CellPlan] = []
    for point, cell in zip(points, cells, strict=True):
        rows = homes.setdefault((*point[:place], *point[place + 1 :]), [])
        rows.append(cell.position)
        value = cell.train.batch if field == "batch" else getattr(point, field)
        found.append(replace(cell, row=MapRow(rows[0], len(rows) - 1, float(value))))
    values = (cell.row.value for cell in found if cell.row is not None)
    return found, [replace(record, map_value=value) for record, value in zip(records, values, strict=True)]


def _recorded(spec: AnySweep, cells: Iterable[CellRecord]) -> SweepRecord:
    return SweepRecord(spec.sweep.name, spec.sweep_key, spec.canonical(), spec.mode, code_id(), tuple(cells))


def trial_key(cell: Cell, seed: int, eta: float, base_eta: float | None = None) -> str:
    """SHA-256 over everything that the numbers of a trial depend on; of a fork also on the rate of its base.

    Raises ValueError for a plan without data.
    """
    if isinstance(cell, CellPlan) and not cell.data_id:
        raise ValueError("a plan without data has no trial keys")
    inside = cell.in_keys | {"numerics": NUMERICS_VERSION, "seed": seed, "eta": float(eta)}
    inside |= {} if base_eta is None else {"base_eta": float(base_eta)}
    return digest(canonical_json(inside))


def measure_spec(spec: AnySweep) -> MeasureSpec:
    """What a sweep's trainings are measured by, beside loss, accuracy and λ."""
    asked = spec.measures if isinstance(spec, SweepSpec) else None
    return MeasureSpec() if asked is None else MeasureSpec(asked.names, asked.every)


class _Point(NamedTuple):
    """One point of the grid in the words of the sweep file, every axis with one value."""

    name: str
    samples: int
    target: str
    standardize: str
    kind: str
    activation: str
    bias: bool
    parametrization: str
    base_width: int
    init_variance: float | None
    input_lr: float
    hidden_lr: float
    output_lr: float
    loss: str
    optimizer: str
    momentum: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float | None
    schedule: str | None
    warmup_steps: int | None
    batch: int | Literal["full"]
    epochs: int | None
    steps: int | None
    dtype: str
    depth: int
    width: int

    def data(self, section: DataSection) -> DataSpec:
        """The data of this point: what is no axis stands in the section."""
        in_files = self.name in data.FILES
        return DataSpec(
            self.name,
            self.samples,
            self.target,
            self.standardize,
            path=(section.path or "") if in_files else "",
            which=(section.which or "") if self.name == "torchvision" else "",
            validation=section.validation or 0.0,
            layout=(section.layout or "") if self.name == "npz" else "",
        )

    def kin(self) -> tuple[object, ...]:
        """All but depth and width, the two fastest axes."""
        return self[:-2]


def _points(spec: SweepSpec) -> Iterator[_Point]:
    """The product of all axes, the first field of `_Point` slowest and width fastest."""
    *slow, depths, widths = _axes(spec)
    whole: dict[DataSpec, DataSpec] = {}  # each is looked at once
    for values in product(*slow):
        point = _Point._make((*values, depths[0], widths[0]))
        wanted = point.data(spec.data)
        if wanted not in whole:
            whole[wanted] = data.resolve(wanted)
        settled = whole[wanted]
        point = point._replace(
            samples=int(settled.samples),
            target=settled.target,
            standardize=settled.standardize,
            activation=_activation(point),
        )
        for depth, width in product(depths, widths):
            yield point._replace(depth=depth, width=width)


def _axes(spec: SweepSpec) -> list[tuple[Any, ...]]:
    """The values of every field of `_Point`, as the file has them."""
    rates = spec.model.layer_lr
    other = {"input_lr": rates.input, "hidden_lr": rates.hidden, "output_lr": rates.output}
    axes: list[tuple[Any, ...]] = []
    for name in _Point._fields:
        homes = (section for section in (spec.data, spec.model, spec.training) if hasattr(section, name))
        values = (other[name] if name in other else getattr(next(homes), name)) or (None,)
        axes.append(spec.map.rows(values) if spec.map is not None and name == axis_field(spec.map) else values)
    return axes


def at_size(spec: SweepSpec, label: str, depth: int, width: int, name: str) -> SweepSpec:
    """A sweep of this name over one cell: of this size, in all else like the cell of this label. It has no fits.

    Raises StopIteration if no cell has this label.
    """
    axes = _axes(spec)
    labels = (cell.label for cell in plan(spec, None).cells)
    values = next(values for values, known in zip(product(*axes), labels, strict=True) if known == label)
    settings = json.loads(spec.canonical())
    for field, value in _Point(*values)._replace(depth=depth, width=width)._asdict().items():
        *path, key = next(axis.key for axis in AXES if axis.field == field).split(".")
        section = settings
        for part in path:
            section = section.get(part, {})
        if key in section:
            section[key] = [value]
    settings["sweep"]["name"] = name
    settings.pop("fit", None)
    settings.pop("fork", None)
    found = read_sweep(canonical_json(settings))
    assert isinstance(found, SweepSpec)
    return found


def _activation(point: _Point) -> str:
    """What a kind fixes; of a factory's net it is not known."""
    return MODEL_KINDS[point.kind].activation or point.activation


@dataclass(frozen=True)
class _Kin:
    """What cells share that differ in depth and width alone: made once, since a grid may have a hundred thousand."""

    data: DataSpec
    data_id: str
    samples: int  # how many train
    image: tuple[int, ...]
    code_hash: str  # of a factory's source
    inputs: int
    outputs: int
    tokens: int  # with outputs of their own
    section: ModelSection
    train: TrainSpec
    sharpness: SharpnessSpec
    nets: tuple[NetRecord, ...]
    columns: Mapping[str, Any]  # of a cell's record
    settings: tuple[str, ...]  # its canonical text, between the values of `SIZED`
    edge: float  # of η·λ; 0 where there is none

    @classmethod
    def of(cls, spec: SweepSpec, point: _Point, wanted: DataSpec, shape: DataShape, data_id: str) -> "_Kin":
        """Of a point and its kin."""
        train, sharpness = _train(spec, point, shape), _sharpness(spec.sharpness, shape.samples)
        origin = {name: value for name in ("path", "which", "validation", "layout") if (value := getattr(wanted, name))}
        own: dict[str, Any] = {**OPTIMIZERS[train.optimizer].settings_of(train)}
        own |= {name: value for name, unset in LATER.items() if (value := getattr(train, name, unset)) != unset}
        own.pop("code_path", None)
        own |= {} if spec.model.mode in (None, NetSpec.mode) else {"mode": spec.model.mode}
        own |= {} if point.init_variance is None else {"init_variance": point.init_variance}
        rates = {"hidden_lr": point.hidden_lr, "output_lr": point.output_lr}
        columns = {
            "data": wanted.name,
            "samples": shape.samples,
            "data_id": data_id,
            "target": wanted.target,
            "standardize": wanted.standardize,
            "model": point.kind,
            "activation": point.activation,
            "bias": point.bias,
            "parametrization": point.parametrization,
            "input_lr": point.input_lr,
            "loss": train.loss,
            "optimizer": train.optimizer,
            "batch": train.batch,
            "max_steps": train.max_steps,
            "steps_per_epoch": train.steps_per_epoch,
            "dtype": train.dtype,
            "accuracy_on": train.on,
        }
        return cls(
            data=wanted,
            data_id=data_id,
            samples=shape.samples,
            image=shape.image if MODEL_KINDS[point.kind].images else (),
            code_hash=_code_hash(point.kind, spec.model.path, spec.model.code_hash, "model.kind")
            if is_factory(point.kind)
            else "",
            inputs=shape.inputs,
            outputs=shape.outputs,
            tokens=shape.tokens if shape.kind == "tokens" else 0,
            section=spec.model,
            train=train,
            sharpness=sharpness,
            nets=_nets(spec, sharpness, shape.samples, train.loss),
            columns=columns,
            edge=edge_of(train) or 0.0,
            settings=_between_sizes({**columns, **rates, **origin, **own, "base_width": point.base_width}),
        )

    def cell(self, point: _Point, position: int, label: str) -> CellPlan:
        """One of them as the trainer gets it."""
        net = NetSpec(
            kind=point.kind,
            inputs=self.inputs,
            outputs=self.outputs,
            depth=point.depth,
            width=point.width,
            activation=point.activation,
            bias=point.bias,
            parametrization=point.parametrization,
            base_width=point.base_width,
            init_variance=point.init_variance,
            layer_lr=(point.input_lr, point.hidden_lr, point.output_lr),
            shape=self.image,
            tokens=self.tokens,
            mode=self.section.mode or NetSpec.mode,
            code_path=(self.section.path or "") if self.code_hash else "",
            code_hash=self.code_hash,
        )
        return CellPlan(
            position=position,
            label=label,
            net=net,
            train=self.train,
            sharpness=self.sharpness,
            data=self.data,
            data_id=self.data_id,
            samples=self.samples,
            seeds=tuple(net.seed for net in self.nets),
        )

    def record(self, cell: CellPlan) -> CellRecord:
        """One of them as the store gets it."""
        size: dict[str, Any] = {"depth": cell.net.depth, "width": cell.net.width, "n_params": n_params(cell.net)}
        first, *later = self.settings
        settings = first + "".join(f"{size[name]}{text}" for name, text in zip(SIZED, later, strict=True))
        return CellRecord(
            position=cell.position,
            label=cell.label,
            settings=settings,
            nets=self.nets,
            edge=self.edge,
            **self.columns,
            **size,
        )


SIZED = ("depth", "n_params", "width")
"""Integers in which kin differ, in the order in which canonical text has them."""


def _between_sizes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Canonical text of these settings and those of `SIZED`, cut where the values of the latter stand.

    >>> _between_sizes({"batch": 8, "loss": "ce"})
    ('{"batch":8,"depth":', ',"loss":"ce","n_params":', ',"width":', '}')
    """
    parts, text = [], "{"
    for number, name in enumerate(sorted({*settings, *SIZED})):
        text += f"{',' if number else ''}{canonical_json(name)}:"
        if name in SIZED:
            parts.append(text)
            text = ""
        else:
            text += canonical_json(settings[name])
    return (*parts, text + "}")


def _train(spec: SweepSpec, point: _Point, shape: DataShape) -> TrainSpec:
    batch = shape.samples if point.batch == "full" else min(point.batch, shape.samples)
    steps_per_epoch = shape.samples // batch
    max_steps = point.steps if point.steps is not None else (point.epochs or 0) * steps_per_epoch
    search, optimizer = spec.search, OPTIMIZERS[point.optimizer]
    named = {key: getattr(point, key) for key in ("loss", "optimizer", "schedule")}
    code = tuple(
        (name, _code_hash(name, spec.model.path, spec.training.code_hash, f"training.{key}"))
        for key, name in named.items()
        if name is not None and is_factory(name)
    )
    train = TrainSpec(
        loss=point.loss,
        batch=batch,
        max_steps=max_steps,
        steps_per_epoch=steps_per_epoch,
        dtype=point.dtype,
        optimizer=point.optimizer,
        success=None if search is None else search.success,
        threshold=TrainSpec.threshold if search is None else search.threshold,
        on=_accuracy_on(spec),
        record_every=spec.record.every,
        record_layers=spec.record.layers,
        weight_decay=optimizer.default_decay if point.weight_decay is None else point.weight_decay,
        schedule=point.schedule or TrainSpec.schedule,
        warmup_steps=point.warmup_steps or 0,
        clip=spec.training.clip or 0.0,
        precision=spec.training.precision or "",
        code=code,
        code_path=(spec.model.path or "") if code else "",
        **{key: getattr(point, key) for key in optimizer.settings},
    )
    return train if spec.map is None else map_train(spec.map, train)


def _accuracy_on(spec: SweepSpec) -> str:
    asked = spec.scan.on if spec.search is None and spec.scan is not None else spec.search and spec.search.on
    return asked or TrainSpec.on


def _code_hash(name: str, path: str | None, hashes: Sequence[str] | None, key: str) -> str:
    """Of the source of a thing of the user's code, which is not run here."""
    module, folder = module_of(name), path or ""
    origin = source_of(module, folder)
    if origin is None:
        raise BadInput(f"{key} = {name!r}: no module {module} in {folder} or installed; put it there again")
    found = source_hash(origin)
    if hashes is not None and found not in hashes:
        raise BadInput(
            f"{key} = {name!r}: {origin} is not the code that the sweep began with "
            f"({key.partition('.')[0]}.code_hash); put that back, or give the sweep another sweep.name"
        )
    return found


def _sharpness(how: SharpnessSection, samples: int) -> SharpnessSpec:
    """How λ is measured on that many training samples; a probe set that holds them all is none."""
    return SharpnessSpec(
        operator=how.operator[0],
        every=how.every,
        tolerance=how.tolerance,
        others=how.operator[1:],
        top=how.top,
        rest_every=how.rest_every,
        samples=0 if how.samples == "all" or how.samples >= samples else how.samples,
        exact=how.exact,
    )


def _nets(spec: SweepSpec, how: SharpnessSpec, all_samples: int, loss: str) -> tuple[NetRecord, ...]:
    probe = f"first {how.samples} of {all_samples}: another loss" if how.samples else "all"
    convention, schedule = LOSS_KINDS[loss].convention, rule_text(how)
    return tuple(NetRecord(seed, how.operator, convention, probe, schedule) for seed in spec.sweep.seeds)
