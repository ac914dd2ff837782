"""Contradictions between the keys that say at which learning rates nets are trained."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlrtui.config.mistakes import NO_VALUE, Mistake, enumerate_words

if TYPE_CHECKING:
    from mlrtui.config.contradictions import Known

__all__ = ["RATE_CHECKS"]

SCAN_KEYS = ("eta", "eta_lambda0", "eta_width")


def _one_list(known: "Known") -> Iterator[Mistake]:
    """A scan has its rates from one place."""
    if "scan" not in known.given:
        return
    given = [key for key in SCAN_KEYS if f"scan.{key}" in known.given]
    if len(given) > 1:
        both = "both" if len(given) == 2 else "all"
        yield Mistake("scan", NO_VALUE, f"{enumerate_words(given, 'and')} are {both} given; keep one of them")
    if not given and "scan.eta" in known.values:
        yield Mistake("scan", NO_VALUE, "no learning rates; write e.g. eta_lambda0 = [0.5, 1.9, 2.1, 4.5]")


def _points(known: "Known") -> Iterator[Mistake]:
    method, points = known.one("search.method"), known.one("search.points")
    if method is not None and method != "section" and points is not None:
        yield Mistake("search.points", points, f'is for method = "section"; method = "{method}" has its own, remove it')


RATE_CHECKS: tuple[Callable[["Known"], Iterator[Mistake]], ...] = (_one_list, _points)
