"""Whatever a document holds, it is a sweep or it is refused, in single lines."""

import copy
from datetime import date
from typing import Any

import pytest
from config_good import GOOD
from conftest import SMALL_SEARCH
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrtui.config import SweepSpec, load_sweep, parse_sweep
from mlrtui.config.files import apply_overrides
from mlrtui.config.mistakes import toml_text
from mlrtui.config.parsing import TABLES
from mlrtui.errors import BadInput

FILE = SMALL_SEARCH.encode()
KEYS = sorted({key for kind in TABLES.values() for key in (*kind.model_fields, *kind.later)})

scalars = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["all", "full", "digits", "unit", "mlp", "two-layer-linear", "ce", "mse", "depth*width", "hessian"]
    ),
    st.integers(),
    st.integers(0, 2000),
    st.floats(),
    st.booleans(),
    st.dates(min_value=date(1, 1, 1)),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(KEYS) | st.text(max_size=8)
tables = st.dictionaries(names, values, max_size=6)
documents = st.dictionaries(
    st.sampled_from(list(TABLES)) | st.text(max_size=8), tables | st.lists(tables, max_size=3) | values, max_size=9
)
changes = st.lists(st.tuples(st.sampled_from(list(TABLES)), names, values), min_size=1, max_size=4)

patient = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def judge(document: dict[str, Any]) -> None:
    try:
        spec = parse_sweep(document, "f")
    except BadInput as error:
        judge_lines(error.messages)
    else:
        assert SweepSpec.from_canonical(spec.canonical()) == spec


def judge_lines(messages: tuple[str, ...], place: str = "f") -> None:
    assert messages
    assert all(message.startswith(f"{place}: ") and message.isprintable() for message in messages)


@patient
@given(documents)
def test_any_document(document: dict[str, Any]) -> None:
    judge(document)


@patient
@given(changes)
def test_a_good_document_with_anything_changed(changed: list[tuple[str, str, Any]]) -> None:
    document = copy.deepcopy(GOOD)
    for table, key, value in changed:
        if table == "fit":
            document.setdefault("fit", []).append({key: value})
        else:
            document.setdefault(table, {})[key] = value
    judge(document)


@patient
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 30))
def test_any_bytes_in_a_file(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, cut: int) -> None:
    """By themselves, and in the place of some of a good file's."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    for content in (junk, FILE[:at] + junk + FILE[at + cut :]):
        path.write_bytes(content)
        try:
            spec = load_sweep(path)
        except BadInput as error:
            judge_lines(error.messages, str(path))
        else:
            assert SweepSpec.from_canonical(spec.canonical()) == spec


@patient
@given(st.text(max_size=30) | st.from_regex(r"\A[a-z]{1,5}\.[a-z]{1,5}=.{0,20}\Z"))
def test_any_override(override: str) -> None:
    document: dict[str, Any] = {"sweep": {"name": "a"}}
    try:
        apply_overrides(document, [override])
    except BadInput as error:
        said = error.messages
    else:
        said = ()
    assert len(said) == (1 if document == {"sweep": {"name": "a"}} else 0) or override.startswith("sweep")
    assert all(message.isprintable() for message in said)


@patient
@given(values)
def test_any_value_is_shown_on_one_short_line(value: object) -> None:
    shown = toml_text(value)
    assert shown.isprintable()
    assert len(shown) <= 60
