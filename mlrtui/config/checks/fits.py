"""What [[fit]] must not say: quantities that are not measured, expressions that cannot be read."""

from collections.abc import Iterator, Mapping

from mlrtui.analysis.expressions import ExpressionError, cell_condition, cell_number
from mlrtui.analysis.quantities import lacks, of_mode
from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake, enumerate_words, toml_text
from mlrtui.config.sections import FitSection

__all__ = ["CHECKS"]


def _fits(known: Known) -> Iterator[Mistake]:
    seen: dict[FitSection, str] = {}
    for where, fit in known.fits.items():
        given = {"search", "scan"} & known.given
        mode = given.pop() if len(given) == 1 else None
        if mode is not None and (missing := lacks(fit.y, mode, known.scan_rates)):
            others = [name for name in of_mode(mode) if not lacks(name, mode, known.scan_rates)]
            yield Mistake(f"{where}.y", fit.y, f"{missing}; use {enumerate_words(map(toml_text, others))}")
        for text in fit.x:
            yield from _expression(f"{where}.x", text, fit.y, known.own)
        if fit.where:
            yield from _condition(f"{where}.where", fit.where, known.own)
        if fit in seen:
            yield Mistake(where, NO_VALUE, f"the same fit as {seen[fit]}; remove one of them")
        seen.setdefault(fit, where)


def _expression(field: str, text: str, y: str, own: Mapping[str, float | str]) -> Iterator[Mistake]:
    try:
        names = cell_number(text, own).names
    except ExpressionError as error:
        yield Mistake(field, text, str(error))
        return
    if not names:
        yield Mistake(field, text, 'the same number in every cell; write e.g. "depth*width"')
    if y.startswith("lambda0") and "lambda0" in names:
        yield Mistake(field, text, 'explains lambda0 by itself; write e.g. "depth*width"')


def _condition(field: str, text: str, own: Mapping[str, float | str]) -> Iterator[Mistake]:
    try:
        names = cell_condition(text, own).names
    except ExpressionError as error:
        yield Mistake(field, text, str(error))
        return
    if "lambda0" in names:
        yield Mistake(field, text, 'lambda0 is measured, not chosen; write e.g. "width >= 16 * depth"')


CHECKS: tuple[Check, ...] = (_fits,)
