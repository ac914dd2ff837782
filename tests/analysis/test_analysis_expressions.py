"""The expression language against Python's own arithmetic, and against hostile text."""

import ast
from math import isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrtui.analysis.expressions import MAX_LENGTH, MAX_NESTING, ExpressionError, cell_condition, cell_number, parse

NAMES = frozenset({"depth", "width", "lambda0", "loss"})
VALUES: dict[str, float | str] = {"depth": 3, "width": 128.0, "lambda0": 20.5, "loss": "ce"}


def value_of(text: str) -> object:
    return parse(text, NAMES).evaluate(VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth*width", 384.0),
        ("(depth-1)*width", 256.0),
        ("depth + width * 2 ** 3 ** 0.5 / 4 - 1", 3 + 128 * 2**3**0.5 / 4 - 1),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("- - +3", 3.0),
        ("10 - 4 - 3", 3.0),
        ("100 / 5 / 2", 10.0),
        (".5e1 + 1.", 6.0),
        ("width >= 16 * depth", True),
        ("not width >= 16 * depth", False),
        ("not width < 4 and depth == 3", True),
        ("depth == 1 or depth == 3 and width > 1000", False),
        ("(depth == 1 or depth == 3) and width > 100", True),
        ("16 <= width < 256 == 256", True),
        ("loss == 'ce'", True),
        ('loss != "ce"', False),
        ("'ce' == loss and depth > 2", True),
        ("loss", "ce"),
        ("\twidth\n", 128.0),
    ],
)
def test_values(text, expected):
    result = value_of(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("text", ["1/0", "0 ** -1", "(0-8) ** 0.5", "1e308 * 10", "10 ** 400", "1/0 + 1"])
def test_what_has_no_finite_value_is_nan(text):
    result = value_of(text)
    assert isinstance(result, float)
    assert isnan(result)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_a_comparison_with_nan_is_false(sign):
    assert parse(f"lambda0 {sign} 1", NAMES).evaluate({"lambda0": nan}) is False


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "the expression ends at column 1"),
        ("depth *", "the expression ends at column 8"),
        ("dept * width", "unknown name 'dept' at column 1; use one of: depth, lambda0, loss, width"),
        ("depth width", "unexpected 'width' at column 7"),
        ("depth = 3", "cannot read '=' at column 7; compare with =="),
        ("depth ^ 2", r"powers are written \*\*"),
        ("depth > 2 & width > 2", "write 'and'"),
        ("(depth", "close the parenthesis of column 1"),
        ("depth)", r"unexpected '\)' at column 6"),
        ("16depth", "cannot read '1' at column 1; separate"),
        ("1.2.3", "cannot read '1' at column 1"),
        ("1e999", "number too large"),
        ("loss == 'ce", "close the quote"),
        ("loss < 'ce'", "cannot compare text"),
        ("'ce' == 3", "cannot compare text"),
        ("'ce' + 3", "needs numbers"),
        ("depth and width", "needs comparisons"),
        ("not depth", "needs comparisons"),
        ("(depth > 1) * 2", "needs numbers"),
        ("(depth > 1) == (width > 1)", "compares a condition"),
        ("__import__('os')", "unknown name '__import__'"),
        ("depth.real", "cannot read '.' at column 6"),
        ("depth[0]", r"cannot read '\['"),
        ("and", "unexpected 'and' at column 1"),
        ("lambda: 0", "cannot read ':'"),
        ("ⅷ + 1", "cannot read 'ⅷ'"),
    ],
)
def test_mistakes_are_named(text, part):
    with pytest.raises(ExpressionError, match=part) as caught:
        parse(text, NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [("loss * 2", "is text"), ("loss == 3", "text with a number"), ("loss < loss", "order text"), ("-loss", "is text")],
)
def test_text_is_no_number(text, part):
    with pytest.raises(ExpressionError, match=part):
        value_of(text)


def test_a_name_without_a_value_is_refused():
    with pytest.raises(ExpressionError, match="'width' has no value"):
        parse("width", NAMES).evaluate({})


def test_what_an_expression_tells_of_itself():
    assert parse("depth*width", NAMES).names == {"depth", "width"}
    assert not parse("depth*width", NAMES).is_condition
    assert not parse("loss", NAMES).is_condition
    assert parse("width > 1", NAMES).is_condition


@pytest.mark.parametrize(
    ("read", "text", "part"),
    [
        (cell_number, "width > 3", "a number belongs here"),
        (cell_number, "loss", "a number belongs here"),
        (cell_number, "loss * 2", "is text"),
        (cell_number, "seed", "unknown name 'seed'"),
        (cell_condition, "width", "a condition belongs here"),
        (cell_condition, "width > 3 or loss == 3", "text with a number"),
        (cell_condition, "width > 3 and depth == 'ce'", "text with a number"),
    ],
)
def test_expressions_of_a_cell_are_checked_before_any_cell_is_there(read, text, part):
    with pytest.raises(ExpressionError, match=part):
        read(text)


def test_expressions_of_a_cell():
    assert cell_number("(depth - 1) * width").evaluate({"depth": 3, "width": 64}) == 128.0
    assert (
        cell_condition("width >= 16*depth and loss == 'ce'").evaluate({"depth": 3, "width": 64, "loss": "ce"}) is True
    )


@pytest.mark.parametrize("opener", ["(", "-", "not ", "2**", "(-"])
def test_nesting_is_bounded(opener):
    with pytest.raises(ExpressionError, match="nested too deep"):
        parse(opener * (MAX_NESTING + 1) + "1", NAMES)


def test_length_is_bounded_and_long_flat_sums_work():
    assert value_of("+".join(["1"] * 250)) == 250.0
    with pytest.raises(ExpressionError, match="too long"):
        parse("1+" * MAX_LENGTH + "1", NAMES)


SIGNS = ["+", "-", "*", "/", "**", "(", ")", "<", "==", "!="]
WORDS = ["depth", "width", "loss", "'ce'", "2", "0", "1e300", "and", "or", "not", *SIGNS]
SOUP = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), SOUP))
def test_any_text_gives_a_value_or_one_line(text):
    try:
        outcome = value_of(text)
    except ExpressionError as error:
        outcome = str(error)
        lines = outcome.splitlines()
    else:
        lines = ["a value"]
    assert isinstance(outcome, float | bool | str)
    assert len(lines) == 1


ARITHMETIC = st.recursive(
    st.sampled_from(["depth", "width", "2", "0.5", "3"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        inner.map(lambda t: f"-{t}"),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ARITHMETIC)
def test_arithmetic_is_that_of_python(text):
    tree = ast.parse(text, mode="eval")
    try:
        expected = float(eval(compile(tree, "oracle", "eval"), {"depth": 3.0, "width": 128.0}))
    except ZeroDivisionError:
        expected = nan
    result = value_of(text)
    assert isinstance(result, float)
    assert result == expected or (isnan(result) and isnan(expected))
