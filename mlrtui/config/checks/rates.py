"""What [search] and [scan] must not say: at which learning rates nets are trained."""

from collections.abc import Iterator

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake, enumerate_words, toml_text
from mlrtui.config.sections import FINE
from mlrtui_trainer.phases import SUCCESS_RULES
from mlrtui_trainer.search import SearchSpec

__all__ = ["CHECKS"]


_BY_LOSS = frozenset(SUCCESS_RULES) - {"accuracy"}


def _mode(known: Known) -> Iterator[Mistake]:
    given = [table for table in ("search", "scan", "map") if table in known.given]
    keep = "[search] to find eta*, or [scan] to train at given rates"
    if len(given) > 1:
        keep += ", or [map] for a picture of where training succeeds" if "map" in given else ""
        both = "both" if len(given) == 2 else "all"
        yield Mistake(", ".join(f"[{table}]" for table in given), NO_VALUE, f"{both} are given; keep {keep}")
    if not given:
        yield Mistake("[search], [scan]", NO_VALUE, f"neither is given; add {keep}")


def _search(known: Known) -> Iterator[Mistake]:
    if "search" not in known.given:
        return
    low, high = known.one("search.eta_min"), known.one("search.eta_max")
    if low is not None and high is not None and low >= high:
        yield Mistake("search.eta_min", low, f"must be below eta_max = {toml_text(high)}; lower it or raise eta_max")
    success = known.one("search.success")
    if success in _BY_LOSS and "search.threshold" in known.given:
        yield Mistake(
            "search.threshold", known.one("search.threshold"), f'success = "{success}" has no threshold; remove it'
        )
    give_up = known.one("search.give_up")
    if success in _BY_LOSS and give_up and known.one("training.loop") is None:
        yield Mistake(
            "search.give_up", give_up, f'is for success = "accuracy"; "{success}" has no threshold; remove it'
        )


SCAN_KEYS = ("eta", "eta_lambda0", "eta_width")


def _one_list(known: Known) -> Iterator[Mistake]:
    """A scan has its rates from one place."""
    if "scan" not in known.given:
        return
    given = [key for key in SCAN_KEYS if f"scan.{key}" in known.given]
    if len(given) > 1:
        both = "both" if len(given) == 2 else "all"
        yield Mistake("scan", NO_VALUE, f"{enumerate_words(given, 'and')} are {both} given; keep one of them")
    if not given and "scan.eta" in known.values:
        yield Mistake("scan", NO_VALUE, "no learning rates; write e.g. eta_lambda0 = [0.5, 1.9, 2.1, 4.5]")


def _points(known: Known) -> Iterator[Mistake]:
    method, points = known.one("search.method"), known.one("search.points")
    if method is not None and method != "section" and points is not None:
        yield Mistake("search.points", points, f'is for method = "section"; method = "{method}" has its own, remove it')


def _lattice(known: Known) -> Iterator[Mistake]:
    """A search tries powers of 1 + tolerance: some have to lie within its range."""
    low, high, tolerance = (known.one(f"search.{key}") for key in ("eta_min", "eta_max", "tolerance"))
    if "search" not in known.given or low is None or high is None or not low < high:
        return
    tolerance = tolerance or FINE
    try:
        SearchSpec("finite", tolerance, low, high)
    except ValueError:
        text = f"no power of 1 + tolerance = {1 + tolerance:g} lies between it and eta_max = {toml_text(high)}"
        yield Mistake("search.eta_min", low, f"{text}; use a wider range or a lower tolerance")


CHECKS: tuple[Check, ...] = (
    _mode,
    _search,
    _one_list,
    _points,
    _lattice,
)
