"""Contradictions between the keys that say how weights are drawn."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlrtui.config.mistakes import Mistake, bare, toml_text

if TYPE_CHECKING:
    from mlrtui.config.contradictions import Known

__all__ = ["START_CHECKS"]


def _own_start(known: "Known") -> Iterator[Mistake]:
    """Only an mlp can be told the variance of its initial weights."""
    if "model.init_variance" in known.given:
        for kind in known.axis("model.kind"):
            if kind != "mlp":
                text = f"kind = {toml_text(kind)} has initial weights of its own; remove it"
                yield Mistake("model.init_variance", bare(known.axis("model.init_variance")), text)


START_CHECKS: tuple[Callable[["Known"], Iterator[Mistake]], ...] = (_own_start,)
