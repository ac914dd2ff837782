"""What a sweep file must not say in two places: checks between keys that are sound by themselves.

The grid is a full product, so an axis value contradicts another key as soon as one cell would hold both.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from math import prod
from typing import Any

from mlrtui.analysis.expressions import ExpressionError, cell_condition, cell_number
from mlrtui.config.data_checks import DATA_CHECKS
from mlrtui.config.mistakes import NO_VALUE, Mistake, bare, toml_text
from mlrtui.config.model_checks import MODEL_CHECKS
from mlrtui.config.optimizer_checks import OPTIMIZER_CHECKS
from mlrtui.config.rate_checks import RATE_CHECKS
from mlrtui.config.sections import FitSection
from mlrtui.config.start_checks import START_CHECKS
from mlrtui.data.shapes import DataSpec, source_of
from mlrtui.data.sources import DataTrouble, Source

__all__ = ["MAX_CELLS", "MAX_NETS", "MAX_PARAMETERS", "MAX_TRAININGS", "Known", "contradictions"]

MAX_CELLS = 100_000
MAX_NETS = 1_000_000
MAX_TRAININGS = 10_000_000
MAX_PARAMETERS = 10_000_000_000

AXES = (
    *(f"data.{key}" for key in ("name", "samples", "target", "standardize")),
    *(f"model.{key}" for key in ("kind", "depth", "width", "activation", "bias", "parametrization", "base_width")),
    "model.init_variance",
    *(f"training.{key}" for key in ("loss", "optimizer", "momentum", "beta1", "beta2", "eps")),
    *(f"training.{key}" for key in ("batch", "epochs", "steps", "dtype")),
)


@dataclass(frozen=True)
class Known:
    """The sound part of a file: values by dotted key, defaults included; what is written in it; its sound fits."""

    values: Mapping[str, Any]
    given: frozenset[str]
    fits: Mapping[str, FitSection]

    def axis(self, key: str) -> tuple[Any, ...]:
        """The values of an axis; none when it is wrong or missing."""
        return self.values.get(key) or ()

    def one(self, key: str) -> Any:
        """The value of a key that is no axis, or None."""
        return self.values.get(key)

    def source(self, name: str) -> Source | None:
        """What is known of a data set; None where its files cannot be used."""
        try:
            return source_of(DataSpec(name, path=self.one("data.path") or "", which=self.one("data.which") or ""))
        except DataTrouble:
            return None

    @property
    def rates(self) -> dict[str, tuple[float, ...]]:
        """The layer multipliers that are axes, by key."""
        layers = self.values.get("model.layer_lr")
        roles = () if layers is None else ("input", "hidden", "output")
        rates = {f"model.layer_lr.{role}": getattr(layers, role) for role in roles}
        if self.axis("model.input_lr"):
            rates["model.layer_lr.input"] = self.axis("model.input_lr")
        return rates

    @property
    def lengths(self) -> dict[str, int]:
        """How many values each axis has; a wrong one counts as none."""
        return {key: len(self.axis(key)) for key in AXES} | {key: len(rates) for key, rates in self.rates.items()}

    @property
    def class_losses(self) -> list[str]:
        """The losses that need classes."""
        return [loss for loss in self.axis("training.loss") if loss != "mse"]

    @property
    def scan_rates(self) -> int:
        """Trainings of each net in a scan, as far as their list is sound."""
        by_width = self.values.get("scan.eta_width")
        lists = (self.axis("scan.eta"), self.axis("scan.eta_lambda0"), () if by_width is None else by_width.factor)
        return sum(map(len, lists))

    @property
    def cells(self) -> int:
        """Number of grid points."""
        return prod(max(length, 1) for length in self.lengths.values())


def contradictions(known: Known) -> Iterator[Mistake]:
    """Every contradiction between the sound values."""
    for check in _CHECKS:
        yield from check(known)


def _mode(known: Known) -> Iterator[Mistake]:
    given = {"search", "scan"} & known.given
    keep = "[search] to find eta*, or [scan] to train at given rates"
    if len(given) == 2:
        yield Mistake("[search], [scan]", NO_VALUE, f"both are given; keep {keep}")
    if not given:
        yield Mistake("[search], [scan]", NO_VALUE, f"neither is given; add {keep}")


def _budget(known: Known) -> Iterator[Mistake]:
    given = {"training.epochs", "training.steps"} & known.given
    if "training" in known.given and len(given) != 1:
        how = "are both given; keep one of them" if given else "are both missing; write e.g. epochs = 5"
        yield Mistake("training", NO_VALUE, f"epochs and steps {how}")


def _search(known: Known) -> Iterator[Mistake]:
    if "search" not in known.given:
        return
    low, high = known.one("search.eta_min"), known.one("search.eta_max")
    if low is not None and high is not None and low >= high:
        yield Mistake("search.eta_min", low, f"must be below eta_max = {toml_text(high)}; lower it or raise eta_max")
    success = known.one("search.success")
    if success in {"loss-below-initial", "finite"} and "search.threshold" in known.given:
        yield Mistake(
            "search.threshold", known.one("search.threshold"), f'success = "{success}" has no threshold; remove it'
        )
    give_up = known.one("search.give_up")
    if success in {"loss-below-initial", "finite"} and give_up:
        yield Mistake(
            "search.give_up", give_up, f'is for success = "accuracy"; "{success}" has no threshold; remove it'
        )


def _targets(known: Known) -> Iterator[Mistake]:
    if "parity" in known.axis("data.target"):
        for loss in known.class_losses:
            yield Mistake("training.loss", loss, 'target = "parity" has one output of ±1; use loss = "mse"')


def _packages(known: Known) -> Iterator[Mistake]:
    for name in known.axis("data.name"):
        source = known.source(name)
        if source is not None and source.package and find_spec(source.package) is None:
            remedy = f"needs the package {source.package}, which is not installed; pip install 'mlrtui[{source.extra}]'"
            yield Mistake("data.name", name, remedy)


def _one_sample(known: Known) -> Iterator[Mistake]:
    """What goes with data "unit", whose target is a number."""
    if "unit" not in known.axis("data.name"):
        return
    if "data.target" in known.given:
        for target in known.axis("data.target"):
            yield Mistake("data.target", target, 'data "unit" has its own target, y = 0; remove it')
    for how in known.axis("data.standardize"):
        if "data.standardize" in known.given and how != "none":
            yield Mistake("data.standardize", how, 'data "unit" has one sample; use "none" or remove it')
    if "mlp" in known.axis("model.kind"):
        yield Mistake("model.kind", "mlp", 'data "unit" is for the solvable model; use kind = "two-layer-linear"')
    for loss in known.class_losses:
        yield Mistake("training.loss", loss, 'data "unit" has a real-valued target; use loss = "mse"')
    for batch in known.axis("training.batch"):
        if batch not in {"full", 1}:
            yield Mistake("training.batch", batch, 'data "unit" has one sample; use batch = "full"')
    if "search" in known.given and known.one("search.success") == "accuracy":
        yield Mistake(
            "search.success",
            "accuracy",
            'data "unit" has a real-valued target and no accuracy; use "loss-below-initial" or "finite"',
        )


def _solvable_model(known: Known) -> Iterator[Mistake]:
    """What kind "two-layer-linear" fixes, and what all others need."""
    kinds = known.axis("model.kind")
    if set(kinds) - {"two-layer-linear"} and "model.depth" not in known.given:
        yield Mistake("model.depth", NO_VALUE, "missing; write e.g. depth = [2, 4, 8]")
    if "two-layer-linear" not in kinds:
        return
    for depth in known.axis("model.depth"):
        if depth != 1:
            yield Mistake("model.depth", depth, 'kind "two-layer-linear" has one hidden layer; use depth = 1')
    if True in known.axis("model.bias"):
        yield Mistake("model.bias", True, 'kind "two-layer-linear" has no biases; use bias = false')
    for parametrization in known.axis("model.parametrization"):
        if parametrization != "sp":
            yield Mistake("model.parametrization", parametrization, 'kind "two-layer-linear" has its own; use "sp"')
    for activation in known.axis("model.activation"):
        if "model.activation" in known.given and activation != "linear":
            yield Mistake("model.activation", activation, 'kind "two-layer-linear" has none; use "linear" or remove it')


def _layer_rates(known: Known) -> Iterator[Mistake]:
    if {"model.input_lr", "model.layer_lr.input"} <= known.given:
        yield Mistake(
            "model.input_lr", bare(known.axis("model.input_lr")), "layer_lr.input is given too; keep one of them"
        )
    elif len(known.rates) == 3 and all(0.0 in rates for rates in known.rates.values()):
        yield Mistake("model.layer_lr", NO_VALUE, "all layers have rate 0, so nothing would train; raise one of them")


def _base_width(known: Known) -> Iterator[Mistake]:
    if "model.base_width" in known.given and set(known.axis("model.parametrization")) == {"sp"}:
        base = bare(known.axis("model.base_width"))
        yield Mistake("model.base_width", base, 'parametrization "sp" does not use it; remove it')


def _samples(known: Known) -> Iterator[Mistake]:
    """Sample counts against what the data sets have, and batches against sample counts."""
    asked = known.axis("data.samples")
    for name, samples in product(known.axis("data.name"), asked):
        source = known.source(name)
        if samples == "all" or source is None:
            continue
        if samples > source.most:
            yield Mistake("data.samples", samples, f'data "{name}" has {source.most} samples; use that or "all"')
        if samples == source.samples and "all" in asked:
            yield Mistake("data.samples", samples, f'data "{name}" has just so many, as "all" says; keep one of them')
        if samples == 1 and name != "unit" and {"global", "feature"} & set(known.axis("data.standardize")):
            yield Mistake(
                "data.samples", 1, 'standardised by itself it is zero; use 2 or more, or standardize = "none"'
            )


def _sharpness(known: Known) -> Iterator[Mistake]:
    """What is measured along training needs measurements along training; what rests is rarer."""
    every, rest = known.one("sharpness.every"), known.one("sharpness.rest_every")
    if every == 0:
        for key, plain in (("rest_every", 0), ("top", 1)):
            value = known.one(f"sharpness.{key}")
            if value is not None and value != plain:
                yield Mistake(f"sharpness.{key}", value, "is for λ along training; set every = 1, or remove it")
        operators = known.axis("sharpness.operator")
        if len(operators) > 1:
            yield Mistake(
                "sharpness.operator",
                list(operators),
                "several are measured along training only; set every = 1, or give one",
            )
    elif every is not None and rest is not None and 0 < rest <= every:
        yield Mistake("sharpness.rest_every", rest, f"must be above every = {every}; raise it, or use 0")
    if known.one("sharpness.exact") and "sharpness.tolerance" in known.given:
        tolerance = known.one("sharpness.tolerance")
        yield Mistake("sharpness.tolerance", tolerance, "exact = true has its own, 1e-8; remove one of them")


def _batches(known: Known) -> Iterator[Mistake]:
    if known.cells > MAX_CELLS:
        return
    counts = _sample_counts(known)
    batches = known.axis("training.batch")
    for batch in batches:
        if batch == "full":
            continue
        short = [(name, count) for name, count in counts if batch > count and name != "unit"]
        if short:
            name, count = short[0]
            yield Mistake("training.batch", batch, f'data "{name}" gives {count} samples; lower it or use "full"')
        if "full" in batches and any(batch == count for _, count in counts):
            yield Mistake("training.batch", batch, 'just the number of samples, as "full" says; keep one of them')
    if "search" in known.given and known.one("search.success") == "accuracy" and counts and batches:
        epoch = max(1 if batch == "full" else count // batch for (_, count), batch in product(counts, batches))
        for steps in known.axis("training.steps"):
            if steps < epoch:
                yield Mistake(
                    "training.steps",
                    steps,
                    f"shorter than an epoch of {epoch} steps, at whose end success is checked; raise it or use epochs",
                )


def _sample_counts(known: Known) -> list[tuple[str, int]]:
    """(data, training samples) of every cell, as far as they are possible."""
    counts = []
    for name, samples in product(known.axis("data.name"), known.axis("data.samples")):
        source = known.source(name)
        if source is not None and (samples == "all" or samples <= source.most):
            count = source.samples if samples == "all" else samples
            counts.append((name, count - round(count * (known.one("data.validation") or 0.0))))
    return counts


def _size(known: Known) -> Iterator[Mistake]:
    lengths, cells = known.lengths, known.cells
    spelled = " x ".join(f"{length} {key}" for key, length in lengths.items() if length > 1)
    nets = cells * max(len(known.axis("sweep.seeds")), 1)
    trainings = nets * max(known.scan_rates, 1)
    if cells > MAX_CELLS:
        yield Mistake("grid", NO_VALUE, f"{cells} cells ({spelled}); at most {MAX_CELLS}, shorten an axis")
    elif nets > MAX_NETS:
        yield Mistake("grid", NO_VALUE, f"{nets} nets ({cells} cells x seeds); at most {MAX_NETS}, use fewer")
    elif trainings > MAX_TRAININGS:
        many = f"{trainings} trainings ({nets} nets x rates)"
        yield Mistake("grid", NO_VALUE, f"{many}; at most {MAX_TRAININGS}, use fewer")


def _parameters(known: Known) -> Iterator[Mistake]:
    widths, depths = known.axis("model.width"), known.axis("model.depth")
    sources = [known.source(name) for name in known.axis("data.name")]
    if not widths or not any(sources):
        return
    width, depth = max(widths), max(depths, default=1)
    inputs = max(source.inputs for source in sources if source is not None)
    parameters = width * (inputs + width * (depth - 1))
    if parameters > MAX_PARAMETERS:
        yield Mistake(
            "model.width",
            width,
            f"a net of depth {depth} would have {parameters:.1e} weights; at most {MAX_PARAMETERS:.0e}, "
            "use a smaller width or depth",
        )


def _fits(known: Known) -> Iterator[Mistake]:
    seen: dict[FitSection, str] = {}
    for where, fit in known.fits.items():
        if "scan" in known.given and "search" not in known.given and fit.y in ("eta_star", "eta_last"):
            yield Mistake(f"{where}.y", fit.y, f'a [scan] finds no {fit.y}; use y = "lambda0"')
        for text in fit.x:
            yield from _expression(f"{where}.x", text, fit.y)
        if fit.where:
            yield from _condition(f"{where}.where", fit.where)
        if fit in seen:
            yield Mistake(where, NO_VALUE, f"the same fit as {seen[fit]}; remove one of them")
        seen.setdefault(fit, where)


def _expression(field: str, text: str, y: str) -> Iterator[Mistake]:
    try:
        names = cell_number(text).names
    except ExpressionError as error:
        yield Mistake(field, text, str(error))
        return
    if not names:
        yield Mistake(field, text, 'the same number in every cell; write e.g. "depth*width"')
    if y.startswith("lambda0") and "lambda0" in names:
        yield Mistake(field, text, 'explains lambda0 by itself; write e.g. "depth*width"')


def _condition(field: str, text: str) -> Iterator[Mistake]:
    try:
        names = cell_condition(text).names
    except ExpressionError as error:
        yield Mistake(field, text, str(error))
        return
    if "lambda0" in names:
        yield Mistake(field, text, 'lambda0 is measured, not chosen; write e.g. "width >= 16 * depth"')


_CHECKS: tuple[Callable[[Known], Iterator[Mistake]], ...] = (
    _mode,
    _budget,
    _search,
    _targets,
    _packages,
    _one_sample,
    _solvable_model,
    _layer_rates,
    _base_width,
    _samples,
    _sharpness,
    _batches,
    _size,
    _parameters,
    _fits,
    *RATE_CHECKS,
    *START_CHECKS,
    *DATA_CHECKS,
    *MODEL_CHECKS,
    *OPTIMIZER_CHECKS,
)
