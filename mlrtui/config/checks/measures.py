"""What [measures] must not say: names that no installed package knows."""

from collections.abc import Iterator

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import Mistake
from mlrtui_trainer.measures import MEASURES
from mlrtui_trainer.registry import UnknownNameError

__all__ = ["CHECKS"]


def _measures(known: Known) -> Iterator[Mistake]:
    for name in known.axis("measures.names"):
        try:
            MEASURES[name]
        except UnknownNameError as error:
            yield Mistake("measures.names", name, str(error))


CHECKS: tuple[Check, ...] = (_measures,)
