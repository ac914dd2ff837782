"""The axes of a grid: what a sweep file may vary between cells, each with its names, where it is stored, its meaning.

The one list of them. Made from it: labels of cells, columns of the views and their documents, the names that conditions
and groups know, the axes that a default fit keeps apart, and the keys that a sweep file may give as a list.

>>> AXIS["momentum"].key, AXIS["loss"].column
('training.momentum', 'training_loss')
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from types import MappingProxyType

__all__ = [
    "ALIASES",
    "AXES",
    "AXIS",
    "NUMBERS",
    "SIZES",
    "TEXTS",
    "Axis",
    "axis_values",
    "label",
    "variant",
    "view_columns",
]

SIZES = ("depth", "width")
"""The axes that a scaling fit explains by; the others are held apart."""


@dataclass(frozen=True)
class Axis:
    """One axis. Rows of `AXES` are all there is to say of it."""

    name: str  # in conditions and groups
    key: str  # of the sweep file: "training.momentum"
    tag: str  # before its value in a cell's label; "" where the value speaks for itself
    is_number: bool
    sql: str  # on the columns of table cell
    unit: str
    text: str  # its meaning, for column_doc
    column: str  # of the views
    follows: bool = False  # computed from other axes: told apart only where these do not
    of: str = ""  # the axis whose values have one each, unless it is given: told apart only where that does not

    @property
    def is_stored(self) -> bool:
        """Whether it is a column of table ``cell``, rather than in its settings or computed."""
        return self.sql == self.name

    @property
    def field(self) -> str:
        """Its name among the settings of one point of a grid: as in its key, a layer's rate by its own name."""
        return self.name if ".layer_lr." in self.key else self.key.rpartition(".")[2]


def _word(name: str, key: str, text: str, column: str = "", sql: str = "") -> Axis:
    """An axis of words, which speak for themselves; in a column of table ``cell`` unless found by ``sql``."""
    return Axis(name, key, "", False, sql or name, "text", text, column or name)


def _number(name: str, key: str, tag: str, unit: str, text: str, sql: str = "", follows: bool = False) -> Axis:
    """An axis of numbers, in a column of table ``cell`` unless computed by ``sql``."""
    return Axis(name, key, tag, True, sql or name, unit, text, column=name, follows=follows)


def _setting(
    name: str, key: str, tag: str, unit: str, text: str, kind: str = "REAL", default: str = "", of: str = ""
) -> Axis:
    """An axis of numbers that is kept in the cell's settings; where the cell has none: NULL, or ``default``."""
    kept = f"CAST(json_extract(settings, '$.{name}') AS {kind})"
    sql = f"coalesce({kept}, {default})" if default else kept
    return Axis(name, key, tag, True, sql, unit, text, column=name, of=of)


def _own(name: str, tag: str, text: str) -> Axis:
    """A setting of some optimizers, each of which has its own default."""
    key, text = f"training.{name}", f"{text}; NULL where the optimizer has none."
    return _setting(name, key, tag, "1", text, of="optimizer")


AXES: tuple[Axis, ...] = (
    _word("data", "data.name", "Name of the data set."),
    _number("samples", "data.samples", "N=", "1", "Training samples used, without those held out."),
    _word(
        "target",
        "data.target",
        "What is learnt from the data: classes, parity, tokens, or regression on its own real targets.",
    ),
    _word("standardize", "data.standardize", "How inputs were scaled: global, feature or none."),
    _word(
        "model",
        "model.kind",
        "Kind of network: mlp, two-layer-linear, cnn, transformer, or package.module:factory; package.module:train_fn "
        "of a user's training; of a recorded run its class.",
    ),
    _word("activation", "model.activation", "Activation of the hidden layers; own: a factory's."),
    _number("bias", "model.bias", "bias=", "0 or 1", "Whether layers have biases."),
    _word(
        "parametrization",
        "model.parametrization",
        "How initial weights and rates scale with width: sp is the standard one.",
    ),
    _setting(
        *("base_width", "model.base_width", "base=", "units"),
        "Width at which every parametrization is the standard one.",
        "INTEGER",
    ),
    _setting(
        *("init_variance", "model.init_variance", "var=", "1"),
        "Variance of the initial weights times fan-in; NULL: the activation's own.",
    ),
    _number(
        *("input_lr", "model.layer_lr.input", "in=", "1"),
        "Multiplier of the learning rate in the input layer.",
    ),
    _setting(
        *("hidden_lr", "model.layer_lr.hidden", "hid=", "1"),
        "Multiplier of the learning rate in the layers between hidden layers.",
    ),
    _setting(
        *("output_lr", "model.layer_lr.output", "out=", "1"),
        "Multiplier of the learning rate in the output layer.",
    ),
    _word(
        "loss", "training.loss", "Training loss: ce, mse, mse-softmax, or package.module:thing.", column="training_loss"
    ),
    _word("optimizer", "training.optimizer", "Optimizer of the training."),
    _own("momentum", "momentum=", "Share of the last update in the next"),
    _own("beta1", "beta1=", "Decay of the mean of gradients"),
    _own("beta2", "beta2=", "Decay of the mean of squared gradients"),
    _own("eps", "eps=", "Added to the root of that mean"),
    _setting(
        *("weight_decay", "training.weight_decay", "decay=", "1"),
        "Weight decay; coupled or not by the optimizer.",
        default="0.0",
        of="optimizer",
    ),
    _word(
        "schedule",
        "training.schedule",
        "How the learning rate goes along a training; eta is its peak.",
        sql="coalesce(json_extract(settings, '$.schedule'), 'constant')",
    ),
    _setting(
        *("warmup_steps", "training.warmup_steps", "warmup=", "steps"),
        "Steps until the learning rate is at its peak.",
        "INTEGER",
        default="0",
    ),
    _number("batch", "training.batch", "batch=", "1", "Samples per step; equal to samples: full batch."),
    _number(
        *("epochs", "training.epochs", "epochs=", "epochs", "Budget of a trial: max_steps / steps_per_epoch."),
        "max_steps * 1.0 / steps_per_epoch",
        follows=True,
    ),
    _number("max_steps", "training.steps", "steps=", "steps", "Budget of a trial."),
    _word("dtype", "training.dtype", "Floating-point type of weights and training."),
    _number("depth", "model.depth", "", "layers", "Hidden layers."),
    _number("width", "model.width", "", "units", "Units of each hidden layer."),
)
"""All axes, the slowest of a grid first, width the fastest."""

AXIS = MappingProxyType({axis.name: axis for axis in AXES})
"""The same by name."""

NUMBERS = tuple(axis.name for axis in AXES if axis.is_number)
TEXTS = tuple(axis.name for axis in AXES if not axis.is_number)

ALIASES = MappingProxyType({axis.column: axis.name for axis in AXES if axis.column != axis.name})
"""Names of columns that are not those of their axes: conditions and groups know both."""


def label(
    values: Mapping[str, object], varying: Iterable[str], own: Mapping[str, object] = MappingProxyType({})
) -> str:
    """A short name of a cell: depth x width where they are known, then the other axes that vary.

    Args:
        values: of depth, width and the varying axes, as the sweep file has them, by the axes' names.
        varying: names of the axes that differ between the cells of the sweep.
        own: settings of a training that is not ours, those that belong into the label.

    >>> label({"depth": 8, "width": 256, "loss": "ce", "input_lr": 0.1}, ["loss", "input_lr"])
    '8x256 in=0.1 ce'
    >>> label({"width": 64}, [], {"heads": 4})
    'width=64 heads=4'
    """
    names = frozenset(varying) - {*SIZES}
    sizes = {name: values[name] for name in SIZES if values.get(name) is not None}
    whole = len(sizes) == len(SIZES)
    size = ["x".join(map(str, sizes.values()))] if whole else [f"{name}={value}" for name, value in sizes.items()]
    axes = [axis.tag + _shown(values[axis.name]) for axis in AXES if axis.name in names] if names else []
    return " ".join([*size, *axes, *(f"{name}={_shown(value)}" for name, value in own.items())])


def variant(label: str, depth: int | None, width: int | None) -> str:
    """What a cell's label says beside its size; "" where only the size varies, all where the size is not known.

    >>> variant("8x256 in=0.1 ce", 8, 256)
    'in=0.1 ce'
    """
    if depth is None or width is None:
        return label
    size = f"{depth}x{width}"
    return label[len(size) :].strip() if label.startswith(size) else ""


def axis_values(row: Mapping[str, object]) -> dict[str, float | str]:
    """The axes of a row of a view, by their names; a number that does not apply to the cell, stored as NULL, is nan.

    >>> axis_values({"training_loss": "ce", "momentum": None, "depth": 2})["loss"]
    'ce'
    """
    return {axis.name: _value(axis, row.get(axis.column)) for axis in AXES}


def view_columns() -> str:
    """SQL of the columns that the axes but depth and width have in every view: those of table ``cell`` first."""
    others = [axis for axis in AXES if axis.name not in SIZES]
    ordered = [axis for axis in others if axis.is_stored], [axis for axis in others if not axis.is_stored]
    stored, computed = (
        [axis.sql if axis.sql == axis.column else f"{axis.sql} AS {axis.column}" for axis in part] for part in ordered
    )
    return ", ".join([*stored, "accuracy_on", *computed, "json_extract(settings, '$.own') AS own"])


def _value(axis: Axis, value: object) -> float | str:
    if not axis.is_number:
        return "" if value is None else str(value)
    return float(value) if isinstance(value, int | float) else nan


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == float(f"{value:g}"):
        return f"{value:g}"
    return f"{value}"  # in full where rounding would give two cells one label
