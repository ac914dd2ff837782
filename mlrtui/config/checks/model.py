"""What [model] must not say together with other keys, and what each kind of model needs."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from mlrtui.analysis.expressions import ExpressionError, cell_number
from mlrtui.config.checks.known import CODE_KEYS, MAX_PARAMETERS, Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake, bare, toml_text
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.models.sources import is_factory, module_of, source_of

__all__ = ["CHECKS"]


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


def _own_start(known: Known) -> Iterator[Mistake]:
    """Only an mlp, or its expansion, can be told the variance of its initial weights."""
    if "model.init_variance" in known.given:
        for kind in known.axis("model.kind"):
            if kind not in ("mlp", "mlp-linearized"):
                text = f"kind = {toml_text(kind)} has initial weights of its own; remove it"
                yield Mistake("model.init_variance", bare(known.axis("model.init_variance")), text)


def _factories(known: Known) -> list[str]:
    return [kind for kind in known.axis("model.kind") if MODEL_KINDS[kind].is_tried]


def _images(known: Known) -> Iterator[Mistake]:
    """Convolutions and rows of pixels need images."""
    for kind, name in product(known.axis("model.kind"), known.axis("data.name")):
        source = known.source(name)
        if MODEL_KINDS[kind].images and source is not None and not source.image:
            yield Mistake("model.kind", kind, f'data "{name}" has no images; use kind = "mlp", or data such as digits')


def _general(known: Known) -> Iterator[Mistake]:
    """What is built for our kinds only, and what a kind fixes."""
    for name in known.axis("model.kind"):
        kind = MODEL_KINDS[name]
        if name == "two-layer-linear":  # told apart: `_solvable_model`
            continue
        if known.one("record.layers") and not kind.layers:
            yield Mistake("record.layers", True, f'is not built for kind "{name}"; remove it')
        if kind.biases and True in known.axis("model.bias"):
            yield Mistake("model.bias", True, f'kind "{name}" {kind.biases}; use bias = false')
        if kind.activation is not None and "model.activation" in known.given:
            yield Mistake("model.activation", NO_VALUE, f'kind "{name}" has its own; remove it')


def _factory(known: Known) -> Iterator[Mistake]:
    """Of a factory's net only the module is known before it is built."""
    factories, path = _factories(known), known.one("model.path")
    coded = [kind for kind in factories if MODEL_KINDS[kind].coded]
    things = [name for key in CODE_KEYS for name in known.axis(f"training.{key}") if is_factory(name)]
    if known.one("model.code_hash") is not None and known.axis("model.kind") and not coded:
        yield Mistake("model.code_hash", NO_VALUE, "is of a factory's source, and kind names none; remove it")
    if path is not None and known.axis("model.kind") and not coded and not things:
        yield Mistake(
            "model.path", Path(path).name, "is the folder of a factory's package, and kind names none; remove it"
        )
    for kind in factories:
        module = module_of(kind)
        if kind in coded and path is not None and source_of(module, path) is None:
            remedy = f"no module {module} in the folder {Path(path).name} or installed; set model.path to its folder"
            yield Mistake("model.kind", kind, remedy)
        for where, fit in known.fits.items():
            if any("n_params" in _names(text) for text in fit.x):
                yield Mistake(f"{where}.x", list(fit.x), f'n_params of "{kind}" is not known; use depth and width')


def _mode(known: Known) -> Iterator[Mistake]:
    """Training mode is for modules."""
    if known.one("model.mode") != "train":
        return
    for name in known.axis("model.kind"):
        if not MODEL_KINDS[name].is_tried:
            yield Mistake("model.mode", "train", f'kind "{name}" is the same in training and evaluation; remove it')


def _names(text: str) -> frozenset[str]:
    try:
        return frozenset(cell_number(text).names)
    except ExpressionError:
        return frozenset()  # told elsewhere


CHECKS: tuple[Check, ...] = (
    _solvable_model,
    _layer_rates,
    _base_width,
    _parameters,
    _own_start,
    _images,
    _general,
    _factory,
    _mode,
)
