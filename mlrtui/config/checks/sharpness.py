"""What [sharpness] must not say: λ along training goes with measurements along training."""

from collections.abc import Iterator

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import Mistake

__all__ = ["CHECKS"]


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


CHECKS: tuple[Check, ...] = (_sharpness,)
