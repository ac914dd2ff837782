"""A small language for fits: ``depth*width``, ``width >= 16 * depth and loss == 'ce'``.

Arithmetic ``+ - * / **``, comparisons ``< <= > >= == !=`` (also chained), ``and or not``, parentheses, numbers, names
and quoted text. Text is compared with ``==`` and ``!=`` only. A text is translated once to a flat program that a stack
evaluates; nothing of Python's own evaluation is reachable.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from types import MappingProxyType
from typing import Literal, NamedTuple

from mlrtui_db.axes import ALIASES, NUMBERS, SIZES, TEXTS

__all__ = [
    "CELL_NAMES",
    "CELL_NUMBERS",
    "CELL_TEXTS",
    "MAX_LENGTH",
    "MAX_NESTING",
    "Expression",
    "ExpressionError",
    "Value",
    "cell_condition",
    "cell_number",
    "parse",
]

MAX_LENGTH = 500
MAX_NESTING = 50

CELL_NUMBERS = (*SIZES, "n_params", "lambda0", *(name for name in NUMBERS if name not in SIZES))
CELL_TEXTS = TEXTS
"""What a fit may say of a cell: the axes of the grid, its parameters, and λ at initialisation (mean over nets)."""

CELL_NAMES = frozenset(CELL_NUMBERS + CELL_TEXTS)

Value = float | bool | str


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated; ``str(error)`` is one line: what, where, remedy."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression. ``names`` are those it uses; ``is_condition`` tells a truth from a number or a name."""

    text: str
    names: frozenset[str]
    is_condition: bool
    program: tuple["Instruction", ...] = field(repr=False)

    def evaluate(self, values: Mapping[str, float | str]) -> Value:
        """Value of the expression for the given names.

        Arithmetic that has no finite real result (division by zero, overflow, an even root of a negative number) gives
        nan, and every comparison with nan is false. Raises ExpressionError for a name without a value and for text
        used as a number.
        """
        stack: list[Value] = []
        for instruction in self.program:
            instruction.run(stack, values)
        return stack.pop()


def parse(text: str, names: frozenset[str], aliases: Mapping[str, str] = MappingProxyType({})) -> Expression:
    """Read an expression over the allowed ``names``, and ``aliases`` of some of them. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(text)} characters is too long; at most {MAX_LENGTH}")
    parser = _Parser(tuple(_tokens(text)), names, aliases)
    kind = parser.climb(0)
    parser.expect_end()
    used = frozenset(step.name for step in parser.program if isinstance(step, _Load))
    return Expression(text, used, kind == "truth", tuple(parser.program))


def cell_number(text: str, own: Mapping[str, float | str] = MappingProxyType({})) -> Expression:
    """Read an expression of a cell's names that must give a number, as ``depth*width``. Raises ExpressionError.

    ``own``: settings of a training that is not ours, which may be named, too, each with one of its values.
    """
    expression = parse(text, CELL_NAMES | own.keys(), ALIASES)
    if expression.is_condition or isinstance(expression.evaluate({**own, **_ANY_CELL}), str):
        raise ExpressionError("a number belongs here, as in depth*width; conditions and text belong into where")
    return expression


def cell_condition(text: str, own: Mapping[str, float | str] = MappingProxyType({})) -> Expression:
    """Read a condition on a cell's names, as ``width >= 16 * depth``; ``own`` is as in `cell_number`.

    Raises ExpressionError.
    """
    expression = parse(text, CELL_NAMES | own.keys(), ALIASES)
    if not expression.is_condition:
        raise ExpressionError("a condition belongs here, as in width >= 16 * depth")
    expression.evaluate({**own, **_ANY_CELL})
    return expression


# Nothing is skipped while evaluating, so any cell's values show every confusion of numbers with text.
_ANY_CELL: dict[str, float | str] = {**dict.fromkeys(CELL_NUMBERS, 1.0), **dict.fromkeys(CELL_TEXTS, "")}


# Reading --------------------------------------------------------------------------------------------------------------

_Kind = Literal["number", "text", "truth", "name"]  # a name may hold a number or text


class _Token(NamedTuple):
    kind: str  # "number" | "name" | "text" | "sign" | "end"
    text: str
    column: int


_LEXICON = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_.])
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'[^'\r\n]*'|"[^"\r\n]*")
      | (?P<sign>\*\*|<=|>=|==|!=|[-+*/()<>])""",
    re.VERBOSE,
)
_HINTS = {
    "=": "compare with ==",
    "^": "powers are written **",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not', or != to compare",
    "'": "close the quote on the same line",
    '"': "close the quote on the same line",
} | dict.fromkeys("0123456789", "separate numbers and names by an operator")

_COMPARE = 4
_LEVELS = (
    {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "**": 8}
    | dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _COMPARE)
)  # fmt: skip
_PREFIX_LEVELS = {"not": 3, "-": 7, "+": 7}


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _LEXICON.match(text, position)
        if match is None:
            character = text[position]
            remedy = _HINTS.get(character, "use numbers, names, + - * / **, comparisons, and, or, not")
            raise ExpressionError(f"cannot read {character!r} at column {position + 1}; {remedy}")
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match[0], position + 1)
        position = match.end()
    yield _Token("end", "", position + 1)


class _Parser:
    """Precedence climbing over the tokens; writes the program in postfix order as it reads."""

    def __init__(self, tokens: tuple[_Token, ...], names: frozenset[str], aliases: Mapping[str, str]) -> None:
        self.tokens = tokens
        self.names = names
        self.aliases = aliases
        self.position = 0
        self.nesting = 0
        self.program: list[Instruction] = []

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.next
        self.position += 1
        return token

    def operator(self) -> str | None:
        """The next token when it can join two operands."""
        token = self.next
        return token.text if token.kind in ("sign", "name") and token.text in _LEVELS else None

    def expect_end(self) -> None:
        if self.next.kind != "end":
            raise self.unexpected(self.next, "join parts with an operator")

    def unexpected(self, token: _Token, remedy: str) -> ExpressionError:
        what = "the expression ends" if token.kind == "end" else f"unexpected {token.text!r}"
        return ExpressionError(f"{what} at column {token.column}; {remedy}")

    def climb(self, floor: int) -> _Kind:
        """Read operands joined by operators of level ``floor`` or higher."""
        if self.nesting >= MAX_NESTING:
            raise ExpressionError(f"nested too deep at column {self.next.column}; at most {MAX_NESTING} levels")
        self.nesting += 1
        left = self.operand()
        while (sign := self.operator()) is not None and (level := _LEVELS[sign]) >= floor:
            if level == _COMPARE:
                left = self.comparison(left)
                continue
            token = self.take()
            right = self.climb(level if sign == "**" else level + 1)
            left = self.join(token, left, right)
        self.nesting -= 1
        return left

    def operand(self) -> _Kind:
        token = self.take()
        if token.text in _PREFIX_LEVELS and token.kind != "text":
            return self.prefix(token)
        if token.kind == "number":
            value = float(token.text)
            if not isfinite(value):
                raise ExpressionError(f"number too large at column {token.column}; at most 1e308")
            self.program.append(_Push(value))
            return "number"
        if token.kind == "text":
            self.program.append(_Push(token.text[1:-1]))
            return "text"
        if token.text == "(":
            kind = self.climb(0)
            if self.next.text != ")":
                raise self.unexpected(self.next, f"close the parenthesis of column {token.column}")
            self.take()
            return kind
        if token.kind == "name" and token.text not in _LEVELS:
            return self.name(token)
        raise self.unexpected(token, "a number, a name or a parenthesis belongs here")

    def name(self, token: _Token) -> _Kind:
        name = self.aliases.get(token.text, token.text)
        if name not in self.names:
            known = ", ".join(sorted(self.names))
            raise ExpressionError(f"unknown name {token.text!r} at column {token.column}; use one of: {known}")
        self.program.append(_Load(name))
        return "name"

    def prefix(self, token: _Token) -> _Kind:
        kind = self.climb(_PREFIX_LEVELS[token.text])
        if token.text == "not":
            self.demand_truth(token, kind)
            self.program.append(_Not())
            return "truth"
        self.demand_number(token, kind)
        if token.text == "-":
            self.program.append(_Negate())
        return "number"

    def join(self, token: _Token, left: _Kind, right: _Kind) -> _Kind:
        for kind in (left, right):
            if token.text in ("and", "or"):
                self.demand_truth(token, kind)
            else:
                self.demand_number(token, kind)
        if token.text in ("and", "or"):
            self.program.append(_Logic(token.text))
            return "truth"
        self.program.append(_Arithmetic(token.text))
        return "number"

    def comparison(self, first: _Kind) -> _Kind:
        """One comparison or a chain ``a <= b < c``."""
        kinds, signs = [first], []
        while (sign := self.operator()) is not None and _LEVELS[sign] == _COMPARE:
            token = self.take()
            kinds.append(self.climb(_COMPARE + 1))
            signs.append(sign)
            pair = kinds[-2:]
            if "truth" in pair:
                raise ExpressionError(f"{sign!r} at column {token.column} compares a condition; use and, or, not")
            if "text" in pair and ("number" in pair or sign not in ("==", "!=")):
                raise ExpressionError(f"{sign!r} at column {token.column} cannot compare text; text == text only")
        self.program.append(_Compare(tuple(signs)))
        return "truth"

    def demand_truth(self, token: _Token, kind: _Kind) -> None:
        if kind != "truth":
            raise ExpressionError(f"{token.text!r} at column {token.column} needs comparisons, as in depth > 2")

    def demand_number(self, token: _Token, kind: _Kind) -> None:
        if kind in ("truth", "text"):
            raise ExpressionError(f"{token.text!r} at column {token.column} needs numbers, not text or comparisons")


# Running --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Push:
    value: float | str

    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        stack.append(self.value)


@dataclass(frozen=True)
class _Load:
    name: str

    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        if self.name not in values:
            raise ExpressionError(f"{self.name!r} has no value here; it is not known for this cell")
        value = values[self.name]
        stack.append(value if isinstance(value, str) else float(value))


@dataclass(frozen=True)
class _Negate:
    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        stack.append(-_number(stack.pop(), "-"))


@dataclass(frozen=True)
class _Not:
    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        stack.append(not stack.pop())


@dataclass(frozen=True)
class _Logic:
    sign: str

    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        right, left = bool(stack.pop()), bool(stack.pop())
        stack.append(left and right if self.sign == "and" else left or right)


@dataclass(frozen=True)
class _Arithmetic:
    sign: str

    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        right, left = _number(stack.pop(), self.sign), _number(stack.pop(), self.sign)
        try:
            result = _ARITHMETIC[self.sign](left, right)
        except ArithmeticError:
            result = nan
        stack.append(result if isfinite(result) else nan)


@dataclass(frozen=True)
class _Compare:
    signs: tuple[str, ...]

    def run(self, stack: list[Value], values: Mapping[str, float | str]) -> None:
        operands = stack[-len(self.signs) - 1 :]
        del stack[-len(operands) :]
        results = [_compare(sign, *operands[i : i + 2]) for i, sign in enumerate(self.signs)]
        stack.append(all(results))


Instruction = _Push | _Load | _Negate | _Not | _Logic | _Arithmetic | _Compare


def _power(base: float, exponent: float) -> float:
    result = base**exponent
    return result if isinstance(result, float) else nan  # a negative base to a fraction is complex


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {"+": add, "-": sub, "*": mul, "/": truediv, "**": _power}
_ORDER: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


def _number(value: Value, sign: str) -> float:
    if isinstance(value, str):
        raise ExpressionError(f"{sign!r} needs numbers, and {value[:40]!r} is text; compare text with == or !=")
    return float(value)


def _compare(sign: str, left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str) and sign in ("==", "!="):
        return (left == right) is (sign == "==")
    if isinstance(left, str) and isinstance(right, str):
        raise ExpressionError(f"{sign!r} cannot order text; compare text with == or !=")
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError(f"{sign!r} compares text with a number; quote the text, or compare with a number")
    if isnan(left) or isnan(right):
        return False
    return _ORDER[sign](left, right)
