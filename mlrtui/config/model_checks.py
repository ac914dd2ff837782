"""What [model] must not say of a cnn, a transformer or a factory, and what these need."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mlrtui.analysis.expressions import ExpressionError, cell_number
from mlrtui.config.mistakes import NO_VALUE, Mistake
from mlrtui_trainer.models.sources import is_factory, module_of, source_of

if TYPE_CHECKING:
    from mlrtui.config.contradictions import Known

__all__ = ["MODEL_CHECKS"]


def _factories(known: "Known") -> list[str]:
    return [kind for kind in known.axis("model.kind") if is_factory(kind)]


def _images(known: "Known") -> Iterator[Mistake]:
    """Convolutions and rows of pixels need images."""
    for kind, name in product(known.axis("model.kind"), known.axis("data.name")):
        source = known.source(name)
        if kind in {"cnn", "transformer"} and source is not None and not source.image:
            yield Mistake("model.kind", kind, f'data "{name}" has no images; use kind = "mlp", or data such as digits')


def _general(known: "Known") -> Iterator[Mistake]:
    """What is built for fully connected nets only, and what a kind fixes."""
    for kind in known.axis("model.kind"):
        if kind in {"mlp", "two-layer-linear"}:
            continue
        for parametrization in known.axis("model.parametrization"):
            if parametrization != "sp":
                yield Mistake("model.parametrization", parametrization, f'kind "{kind}" has its own; use "sp"')
        if known.one("record.layers"):
            yield Mistake("record.layers", True, f'is not built for kind "{kind}"; remove it')
        if kind == "cnn":
            continue
        if True in known.axis("model.bias"):
            how = "has none" if kind == "transformer" else "decides by itself"
            yield Mistake("model.bias", True, f'kind "{kind}" {how}; use bias = false')
        if "model.activation" in known.given:
            yield Mistake("model.activation", NO_VALUE, f'kind "{kind}" has its own; remove it')


def _factory(known: "Known") -> Iterator[Mistake]:
    """Of a factory's net only the module is known before it is built."""
    factories, path = _factories(known), known.one("model.path")
    if known.one("model.code_hash") is not None and known.axis("model.kind") and not factories:
        yield Mistake("model.code_hash", NO_VALUE, "is of a factory's source, and kind names none; remove it")
    if path is not None and known.axis("model.kind") and not factories:
        yield Mistake(
            "model.path", Path(path).name, "is the folder of a factory's package, and kind names none; remove it"
        )
    for kind in factories:
        module = module_of(kind)
        if path is not None and source_of(module, path) is None:
            remedy = f"no module {module} in the folder {Path(path).name} or installed; set model.path to its folder"
            yield Mistake("model.kind", kind, remedy)
        if any(rates != (1.0,) for rates in known.rates.values()):
            yield Mistake("model.layer_lr", NO_VALUE, f'the layers\' roles in "{kind}" are not known; remove the rates')
        for where, fit in known.fits.items():
            if any("n_params" in _names(text) for text in fit.x):
                yield Mistake(f"{where}.x", list(fit.x), f'n_params of "{kind}" is not known; use depth and width')


def _names(text: str) -> frozenset[str]:
    try:
        return frozenset(cell_number(text).names)
    except ExpressionError:
        return frozenset()  # told elsewhere


MODEL_CHECKS = (_images, _general, _factory)
