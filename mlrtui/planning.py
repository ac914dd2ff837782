"""From a checked sweep file to what will be trained: cells, nets, keys. Loads data only when given a loader."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, Literal

from mlrtui import data
from mlrtui.config import SweepSpec
from mlrtui.config.sections import DataSection, ModelSection, SharpnessSection
from mlrtui.data import DataShape, DataSpec, DataTrouble
from mlrtui.errors import BadInput
from mlrtui.keys import canonical_json, code_id, digest
from mlrtui_db.records import CellRecord, NetRecord, SweepRecord
from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.curvature.schedule import rule_text
from mlrtui_trainer.models.parameters import n_params
from mlrtui_trainer.models.sources import is_factory, module_of, source_hash, source_of
from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.spec import NUMERICS_VERSION, Dataset, NetSpec, SharpnessSpec, TrainSpec

__all__ = ["LOSS_CONVENTIONS", "CellPlan", "Plan", "code_id", "plan", "trial_key"]

LOSS_CONVENTIONS = {
    "mse": "1/(2N) sum_i |f_i - y_i|^2",
    "ce": "mean over samples",
    "mse-softmax": "1/(2N) sum_i |softmax(f_i) - y_i|^2",
}


LATER = {"weight_decay": 0.0, "schedule": "constant", "warmup_steps": 0}
"""Settings that a version without them had at these values: those are left out of keys, so that they stay the same."""

_ALWAYS = object()


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

    @cached_property
    def in_keys(self) -> dict[str, object]:
        """What the keys of all its trials have in common."""
        return {
            "data": self.data_id,
            "net": asdict(self.net),
            "train": {name: value for name, value in asdict(self.train).items() if value != LATER.get(name, _ALWAYS)},
            "sharpness": asdict(self.sharpness),
        }


@dataclass(frozen=True)
class Plan:
    """All of a sweep. ``datasets`` by data_id; empty when the data was not loaded."""

    spec: SweepSpec
    sweep: SweepRecord
    cells: tuple[CellPlan, ...]
    datasets: Mapping[str, Dataset]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the nets of every cell."""
        return self.spec.sweep.seeds


def plan(spec: SweepSpec, load: Callable[[DataSpec], Dataset] | None = data.load) -> Plan:
    """The cells in order (other axes slowest, then depth, then width), with all that store and trainer need.

    ``load=None`` plans from the known sizes of the data sets and is cheap: no data, empty data_ids.

    Raises:
        BadInput: files of data cannot be used, or have become others than the sweep was made for.
    """
    try:
        return _planned(spec, load)
    except DataTrouble as trouble:
        raise BadInput(f"data.path = {spec.data.path!r}: {trouble}") from None


def _planned(spec: SweepSpec, load: Callable[[DataSpec], Dataset] | None) -> Plan:
    described = _Described()
    points = list(_points(spec, described))
    varying = {field.name for field in fields(_Point) if len({getattr(point, field.name) for point in points}) > 1}
    datasets: dict[str, Dataset] = {}
    ids: dict[DataSpec, str] = {}
    cells: list[CellPlan] = []
    records: list[CellRecord] = []
    nets: dict[Hashable, tuple[NetRecord, ...]] = {}
    for position, point in enumerate(points):
        wanted = point.data(spec.data)
        if wanted not in ids:
            loaded = None if load is None else load(wanted)
            ids[wanted] = "" if loaded is None else loaded.data_id
            if loaded is not None:
                datasets[loaded.data_id] = loaded
        cell = _cell(spec, point, position, varying, wanted, described.shape(wanted), ids[wanted])
        cells.append(cell)
        alike = cell.sharpness, cell.samples, cell.train.loss
        if alike not in nets:
            nets[alike] = _nets(spec, cell)
        records.append(_record(cell, nets[alike]))
    sweep = SweepRecord(spec.sweep.name, spec.sweep_key, spec.canonical(), spec.mode, code_id(), tuple(records))
    return Plan(spec, sweep, tuple(cells), datasets)


def trial_key(cell: CellPlan, seed: int, eta: float) -> str:
    """SHA-256 over everything that the numbers of a trial depend on. Raises ValueError for a plan without data."""
    if not cell.data_id:
        raise ValueError("a plan without data has no trial keys")
    inside = cell.in_keys | {"numerics": NUMERICS_VERSION, "seed": seed, "eta": float(eta)}
    return digest(canonical_json(inside))


@dataclass(frozen=True)
class _Point:
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


class _Described:
    """Data sets as a plan finds them, each looked at once: cells are many, and files may lie on slow disks."""

    def __init__(self) -> None:
        self._whole: dict[DataSpec, DataSpec] = {}
        self._shapes: dict[DataSpec, DataShape] = {}

    def whole(self, wanted: DataSpec) -> DataSpec:
        """See `data.resolve`."""
        if wanted not in self._whole:
            self._whole[wanted] = data.resolve(wanted)
        return self._whole[wanted]

    def shape(self, wanted: DataSpec) -> DataShape:
        """See `data.describe`."""
        if wanted not in self._shapes:
            self._shapes[wanted] = data.describe(wanted)
        return self._shapes[wanted]


def _points(spec: SweepSpec, described: _Described) -> Iterator[_Point]:
    """The product of all axes, the first field of `_Point` slowest and width fastest."""
    rates = spec.model.layer_lr
    other = {"input_lr": rates.input, "hidden_lr": rates.hidden, "output_lr": rates.output}
    axes: list[tuple[Any, ...]] = []
    for field in fields(_Point):
        homes = (section for section in (spec.data, spec.model, spec.training) if hasattr(section, field.name))
        values = other[field.name] if field.name in other else getattr(next(homes), field.name)
        axes.append(values or (None,))
    for values in product(*axes):
        point = _Point(*values)
        whole = described.whole(point.data(spec.data))
        settled: dict[str, Any] = {
            "samples": int(whole.samples),
            "target": whole.target,
            "standardize": whole.standardize,
            "activation": _activation(point),
        }
        same = all(getattr(point, name) == value for name, value in settled.items())
        yield point if same else replace(point, **settled)


def _activation(point: _Point) -> str:
    """What a kind fixes; of a factory's net it is not known."""
    fixed = {"mlp": point.activation, "cnn": point.activation, "two-layer-linear": "linear", "transformer": "gelu"}
    return fixed.get(point.kind, "own")


def _cell(
    spec: SweepSpec,
    point: _Point,
    position: int,
    varying: set[str],
    wanted: DataSpec,
    shape: DataShape,
    data_id: str,
) -> CellPlan:
    batch = shape.samples if point.batch == "full" else min(point.batch, shape.samples)
    steps_per_epoch = shape.samples // batch
    max_steps = point.steps if point.steps is not None else (point.epochs or 0) * steps_per_epoch
    search, optimizer = spec.search, OPTIMIZERS[point.optimizer]
    train = TrainSpec(
        loss=point.loss,
        batch=batch,
        max_steps=max_steps,
        steps_per_epoch=steps_per_epoch,
        dtype=point.dtype,
        optimizer=point.optimizer,
        success=None if search is None else search.success,
        threshold=TrainSpec.threshold if search is None else search.threshold,
        on=TrainSpec.on if search is None else search.on,
        record_every=spec.record.every,
        record_layers=spec.record.layers,
        weight_decay=optimizer.default_decay if point.weight_decay is None else point.weight_decay,
        schedule=point.schedule or TrainSpec.schedule,
        warmup_steps=point.warmup_steps or 0,
        **{key: getattr(point, key) for key in optimizer.settings},
    )
    sharpness = _sharpness(spec.sharpness, shape.samples)
    label, net = _label(point, varying), _net(point, shape, spec.model)
    return CellPlan(position, label, net, train, sharpness, wanted, data_id, shape.samples)


def _net(point: _Point, shape: DataShape, section: ModelSection) -> NetSpec:
    factory = is_factory(point.kind)
    return NetSpec(
        kind=point.kind,
        inputs=shape.inputs,
        outputs=shape.outputs,
        depth=point.depth,
        width=point.width,
        activation=point.activation,
        bias=point.bias,
        parametrization=point.parametrization,
        base_width=point.base_width,
        init_variance=point.init_variance,
        layer_lr=(point.input_lr, point.hidden_lr, point.output_lr),
        shape=shape.image if point.kind in ("cnn", "transformer") else (),
        code_path=(section.path or "") if factory else "",
        code_hash=_code_hash(point.kind, section) if factory else "",
    )


def _code_hash(kind: str, section: ModelSection) -> str:
    """Of the source that a factory's net will be made by, which is not run here."""
    module, folder = module_of(kind), section.path or ""
    origin = source_of(module, folder)
    if origin is None:
        raise BadInput(f"model.kind = {kind!r}: no module {module} in {folder} or installed; put it there again")
    found = source_hash(origin)
    if section.code_hash is not None and found not in section.code_hash:
        raise BadInput(
            f"model.kind = {kind!r}: {origin} is not the code that the sweep began with (model.code_hash); put that "
            "back, or give the sweep another sweep.name"
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


def _nets(spec: SweepSpec, cell: CellPlan) -> tuple[NetRecord, ...]:
    how, all_samples = cell.sharpness, cell.samples
    probe = f"first {how.samples} of {all_samples}: another loss" if how.samples else "all"
    convention, schedule = LOSS_CONVENTIONS[cell.train.loss], rule_text(how)
    return tuple(NetRecord(seed, how.operator, convention, probe, schedule) for seed in spec.sweep.seeds)


def _record(cell: CellPlan, nets: tuple[NetRecord, ...]) -> CellRecord:
    shown = {
        "depth": cell.net.depth,
        "width": cell.net.width,
        "n_params": n_params(cell.net),
        "data": cell.data.name,
        "samples": cell.samples,
        "data_id": cell.data_id,
        "target": cell.data.target,
        "standardize": cell.data.standardize,
        "model": cell.net.kind,
        "activation": cell.net.activation,
        "bias": cell.net.bias,
        "parametrization": cell.net.parametrization,
        "input_lr": cell.net.layer_lr[0],
        "loss": cell.train.loss,
        "optimizer": cell.train.optimizer,
        "batch": cell.train.batch,
        "max_steps": cell.train.max_steps,
        "steps_per_epoch": cell.train.steps_per_epoch,
        "dtype": cell.train.dtype,
        "accuracy_on": cell.train.on,
    }
    rates = {"hidden_lr": cell.net.layer_lr[1], "output_lr": cell.net.layer_lr[2]}
    origin = {name: value for name in ("path", "which", "validation", "layout") if (value := getattr(cell.data, name))}
    own: dict[str, Any] = {**OPTIMIZERS[cell.train.optimizer].settings_of(cell.train)}
    own |= {name: value for name, unset in LATER.items() if (value := getattr(cell.train, name)) != unset}
    own |= {} if cell.net.init_variance is None else {"init_variance": cell.net.init_variance}
    edge, constant = edge_of(cell.train) or 0.0, cell.train.schedule == TrainSpec.schedule
    own |= {} if constant else {"optimizer_edge": edge}  # ratios need the rate of their step, which views have not
    settings = canonical_json(shown | rates | origin | own | {"base_width": cell.net.base_width})
    columns: dict[str, Any] = shown | {"edge": edge if constant else 0.0}
    return CellRecord(position=cell.position, label=cell.label, settings=settings, nets=nets, **columns)


_TAGS: dict[str, str] = {
    "samples": "N=",
    "bias": "bias=",
    "base_width": "base=",
    "init_variance": "var=",
    "input_lr": "in=",
    "hidden_lr": "hid=",
    "output_lr": "out=",
    "momentum": "momentum=",
    "beta1": "beta1=",
    "beta2": "beta2=",
    "eps": "eps=",
    "weight_decay": "decay=",
    "warmup_steps": "warmup=",
    "batch": "batch=",
    "epochs": "epochs=",
    "steps": "steps=",
}
"""What stands before a value in a label; words speak for themselves."""

_OTHER_AXES = tuple(field.name for field in fields(_Point) if field.name not in ("depth", "width"))


def _label(point: _Point, varying: set[str]) -> str:
    words = [f"{point.depth}x{point.width}"]
    words += [_TAGS.get(name, "") + _shown(getattr(point, name)) for name in _OTHER_AXES if name in varying]
    return " ".join(words)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == float(f"{value:g}"):
        return f"{value:g}"
    return f"{value}"  # in full where rounding would give two cells one label
