"""What [measures] must not say: names that no installed package knows, or that another key asks for."""

from collections.abc import Iterator

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import Mistake
from mlrtui_trainer.measures import ASKED_BY_NAME, BUILT_IN, MEASURES
from mlrtui_trainer.registry import UnknownNameError

__all__ = ["CHECKS"]


def _measures(known: Known) -> Iterator[Mistake]:
    others = {name: measure.asked_by for name, measure in BUILT_IN.items() if measure.asked_by != ASKED_BY_NAME}
    for name in known.axis("measures.names"):
        if name in others:
            yield Mistake("measures.names", name, f"is stored by {others[name]}; write that instead")
        elif name not in [*MEASURES]:
            names = ", ".join(one for one in MEASURES if one not in others)
            yield Mistake("measures.names", name, f"measure {name!r} is not known; use one of {names}")
        else:
            try:
                MEASURES[name]
            except UnknownNameError as error:  # of a package that cannot be imported
                yield Mistake("measures.names", name, str(error))


CHECKS: tuple[Check, ...] = (_measures,)
