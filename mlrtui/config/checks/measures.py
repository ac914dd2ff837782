"""What [measures] must not say: names that no installed package knows, or that another key asks for."""

from collections.abc import Iterator

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import Mistake
from mlrtui_trainer.measures import ASKED_BY_NAME, MEASURES
from mlrtui_trainer.registry import UnknownNameError

__all__ = ["CHECKS"]


def _measures(known: Known) -> Iterator[Mistake]:
    for name in known.axis("measures.names"):
        try:
            asked_by = MEASURES[name].asked_by
        except UnknownNameError as error:
            yield Mistake("measures.names", name, str(error))
        else:
            if asked_by != ASKED_BY_NAME:
                yield Mistake("measures.names", name, f"is stored by {asked_by}; write that instead")


CHECKS: tuple[Check, ...] = (_measures,)
