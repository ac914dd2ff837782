"""Contradictions between an optimizer, its own keys and what goes with it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlrtui.config.mistakes import Mistake, bare, enumerate_words, toml_text
from mlrtui_trainer.spec import OPTIMIZER_SETTINGS

if TYPE_CHECKING:
    from mlrtui.config.contradictions import Known

__all__ = ["OPTIMIZER_CHECKS"]

OWNERS = {key: optimizer for optimizer, keys in OPTIMIZER_SETTINGS.items() for key in keys}


def _own_keys(known: "Known") -> Iterator[Mistake]:
    """A key of one optimizer is for that one; several values would give the others the same cell again."""
    optimizers = known.axis("training.optimizer")
    for key, owner in OWNERS.items():
        field, values = f"training.{key}", known.axis(f"training.{key}")
        if field not in known.given or not optimizers or not values:
            continue
        others = [toml_text(name) for name in optimizers if name != owner]
        if owner not in optimizers:
            yield Mistake(field, bare(values), f'is for optimizer = "{owner}"; remove it')
        elif others and len(values) > 1:
            yield Mistake(
                field,
                list(values),
                f"optimizer {enumerate_words(others, 'and')} would be trained again for each; give one value, or keep "
                f'optimizer = "{owner}" alone',
            )


def _rates(known: "Known") -> Iterator[Mistake]:
    if "adam" in known.axis("training.optimizer") and "ntk" in known.axis("model.parametrization"):
        yield Mistake(
            "model.parametrization", "ntk", 'has no rates under optimizer = "adam"; use "sp", "mup" or "sp-full-align"'
        )


OPTIMIZER_CHECKS: tuple[Callable[["Known"], Iterator[Mistake]], ...] = (_own_keys, _rates)
