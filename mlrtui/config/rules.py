"""What a value of a sweep file must be: rules that check a raw TOML value, coerce it and describe themselves."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mlrtui.config.mistakes import enumerate_words, toml_text
from mlrtui_trainer.registry import Registry, UnknownNameError

__all__ = [
    "Fault",
    "Rule",
    "RuleError",
    "axis",
    "choice",
    "either",
    "flag",
    "listed",
    "named",
    "number",
    "or_word",
    "seed_list",
    "text",
    "texts",
    "whole",
]

MAX_LIST = 10_000
"""Longest list that a key takes."""


@dataclass(frozen=True)
class Fault:
    """One wrong value. An empty ``remedy`` asks for the field's own example."""

    value: object
    text: str
    remedy: str = ""


class RuleError(ValueError):
    """A value that breaks its rule, with every fault found in it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Rule:
    """How a field's value is checked; put into the field's annotation, where pydantic runs it.

    ``text`` completes "must be ..."; ``check`` gives the typed value or raises RuleError; ``later`` names values that
    the file format knows and this version does not do yet; ``is_axis``: a list of values spans the grid.
    """

    text: str
    check: Callable[[object], Any]
    later: tuple[str, ...] = ()
    is_axis: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Run before pydantic's own check of the field's type."""
        return core_schema.no_info_before_validator_function(self.check, handler(source))


def whole(low: int, high: int) -> Rule:
    """A whole number in [low, high]; ``1e3`` counts as one, ``true`` and ``"3"`` do not."""
    must = f"a whole number from {low} to {high}"

    def check(value: object) -> int:
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise _refusal(value, must)
        return number

    return Rule(must, check)


def number(low: float, high: float, above: bool = False) -> Rule:
    """A finite number in [low, high], or in (low, high] with ``above``. Whole numbers become floats."""
    must = f"a number {'above' if above else 'from'} {_bound(low)}{' and at most' if above else ' to'} {_bound(high)}"

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refusal(value, must)
        if math.isnan(value) or not low <= value <= high or (above and value == low):
            raise _refusal(value, must)
        return float(value) + 0.0  # -0.0 becomes 0.0, so that equal settings have equal keys

    return Rule(must, check)


def flag() -> Rule:
    """True or false."""
    must = "true or false"

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise _refusal(value, must)
        return value

    return Rule(must, check)


def choice(*built: str, later: tuple[str, ...] = ()) -> Rule:
    """One word of ``built``. Words of ``later`` are known but not built yet."""
    must = enumerate_words(map(toml_text, built))

    def check(value: object) -> str:
        if isinstance(value, str) and value in later:
            raise RuleError(Fault(value, "not built yet", f"use {must}"))
        if not isinstance(value, str) or value not in built:
            raise _refusal(value, must)
        return value

    return Rule(must, check, tuple(toml_text(word) for word in later))


def named(registry: Registry[Any], shown: str = "") -> Rule:
    """A name of a registry, also one that another package adds; the text names those that are ours.

    ``shown``: how messages name things of the user's own code, where the registry takes them.
    """

    def words(names: Iterable[str]) -> str:
        return enumerate_words([*map(toml_text, names), *([shown] if shown else [])])

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in registry:
            raise _refusal(value, words(registry))
        try:
            registry[value]
        except UnknownNameError as error:
            raise RuleError(Fault(value, str(error), "repair the package or remove it")) from error
        return value

    return Rule(words(registry.ours), check)


def text(longest: int, shortest: int = 1) -> Rule:
    """A printable text; spaces around it do not count."""
    must = f"a text of {shortest} to {longest} printable characters"

    def check(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable() or not shortest <= len(value.strip()) <= longest:
            raise _refusal(value, must)
        return value.strip()

    return Rule(must, check)


def or_word(inner: Rule, word: str) -> Rule:
    """What ``inner`` takes, or one fixed word."""
    must = f"{inner.text}, or {toml_text(word)}"
    return Rule(must, lambda value: value if value == word else _reworded(inner, value, must))


def either(one: Rule, other: Rule) -> Rule:
    """What one of two rules takes; the first that does."""
    must = f"{one.text}, or {other.text}"

    def check(value: object) -> Any:
        try:
            return one.check(value)
        except RuleError:
            return _reworded(other, value, must)

    return Rule(must, check)


def axis(inner: Rule) -> Rule:
    """One value or a list of different ones; always becomes a tuple."""

    def check(value: object) -> tuple[Any, ...]:
        return _each(inner, value if isinstance(value, list | tuple) else [value])

    return Rule(inner.text, check, inner.later, is_axis=True)


def listed(inner: Rule) -> Rule:
    """One value or a list of different ones, no axis; always becomes a tuple."""
    return Rule(f"{inner.text}, or a list of them", axis(inner).check, inner.later)


def texts(longest: int, most: int) -> Rule:
    """A list of up to ``most`` different texts, or a single one; always becomes a tuple."""
    must = f"1 to {most} texts"

    def check(value: object) -> tuple[str, ...]:
        typed = axis(text(longest)).check(value)
        if len(typed) > most:
            raise _refusal(value, must)
        return tuple(typed)

    return Rule(must, check)


def seed_list(most: int, highest: int) -> Rule:
    """How many seeds, counted from 0, or the seeds themselves; always becomes a tuple."""
    count = whole(1, most)
    each = whole(0, highest)
    must = f"how many ({count.text}), or a list of seeds"

    def check(value: object) -> tuple[int, ...]:
        if isinstance(value, list | tuple):
            return _each(each, value)
        return tuple(range(_reworded(count, value, must)))

    return Rule(must, check)


def _refusal(value: object, must: str) -> RuleError:
    return RuleError(Fault(value, f"must be {must}"))


def _reworded(rule: Rule, value: object, must: str) -> Any:
    try:
        return rule.check(value)
    except RuleError:
        raise _refusal(value, must) from None


def _each(rule: Rule, values: Sequence[object]) -> tuple[Any, ...]:
    """Every element by its rule; refuses empty and overlong lists and repeated values."""
    if not values:
        raise RuleError(Fault(values, "is an empty list"))
    if len(values) > MAX_LIST:
        raise RuleError(Fault(values, f"a list of {len(values)} values; at most {MAX_LIST}", "shorten it"))
    typed: list[Any] = []
    faults: list[Fault] = []
    for value in values:
        try:
            typed.append(rule.check(value))
        except RuleError as refused:
            faults.extend(refused.faults)
    repeated = [value for value, times in Counter(typed).items() if times > 1]
    faults.extend(Fault(values, f"{toml_text(value)} is given twice", "give each value once") for value in repeated)
    if faults:
        raise RuleError(*faults)
    return tuple(typed)


def _bound(value: float) -> str:
    """A bound as people write it: 65536, 0.5, 1e30."""
    return str(value) if isinstance(value, int) else re.sub(r"e([-+])0*", r"e\1", f"{value:g}").replace("e+", "e")
