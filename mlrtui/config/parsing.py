"""From a TOML document to a `SweepSpec`, or to every mistake in it at once.

Each table is checked by itself; then the contradictions between what is sound are looked for, so that one bad value
does not hide another mistake.
"""

import difflib
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from mlrtui.config.checks import contradictions
from mlrtui.config.checks.known import Known
from mlrtui.config.loops import (
    MOST_ARGUMENTS,
    RESERVED,
    ArgumentsSection,
    LoopScanSection,
    LoopSearchSection,
    LoopSweep,
    LoopTrainingSection,
    Value,
    argument,
)
from mlrtui.config.mistakes import NO_VALUE, Mistake, enumerate_words, one_line, toml_text
from mlrtui.config.rules import RuleError
from mlrtui.config.sections import (
    AnySweep,
    DataSection,
    FitSection,
    ForkSection,
    MapSection,
    MeasuresSection,
    ModelSection,
    RecordSection,
    ScanSection,
    SearchSection,
    Section,
    SharpnessSection,
    SweepSection,
    SweepSpec,
    TrainingSection,
    section_of,
)
from mlrtui.errors import BadInput

__all__ = ["LOOP_TABLES", "TABLES", "is_loop", "parse_sweep"]

TABLES: Mapping[str, type[Section]] = MappingProxyType(
    {
        "sweep": SweepSection,
        "data": DataSection,
        "model": ModelSection,
        "training": TrainingSection,
        "search": SearchSection,
        "scan": ScanSection,
        "fork": ForkSection,
        "map": MapSection,
        "sharpness": SharpnessSection,
        "record": RecordSection,
        "measures": MeasuresSection,
        "fit": FitSection,
    }
)
LOOP_TABLES: Mapping[str, type[Section]] = MappingProxyType(
    {
        "sweep": SweepSection,
        "training": LoopTrainingSection,
        "arguments": ArgumentsSection,
        "search": LoopSearchSection,
        "scan": LoopScanSection,
        "record": RecordSection,
        "fit": FitSection,
    }
)
"""Those of a sweep over a training of the user's."""

NEEDED = ("sweep", "data", "model", "training")
MOST_FITS = 100
MOST_LINES = 100


def parse_sweep(document: Mapping[str, Any], place: str) -> AnySweep:
    """Check a parsed TOML document. ``place`` stands at the head of every message. Raises BadInput."""
    loop = is_loop(document)
    tables = LOOP_TABLES if loop else TABLES
    mistakes: list[Mistake] = []
    values: dict[str, Any] = {}
    sound: dict[str, Section] = {}
    for name in document:
        if name not in tables:
            shown = len(mistakes) < MOST_LINES
            mistakes.append(
                _unknown_table(name, document[name], tables) if shown else Mistake(name, NO_VALUE, "unknown")
            )
    for name, kind in tables.items():
        if name in ("fit", "arguments") or (name not in document and name not in NEEDED):
            continue
        if name not in document:
            mistakes.append(_missing_table(name, kind))
        elif not isinstance(document[name], Mapping):
            mistakes.append(Mistake(name, document[name], f"must be a table; write [{name}] on a line of its own"))
        else:
            section, good, wrong = _section(name, kind, document[name])
            mistakes.extend(wrong)
            values.update({f"{name}.{key}": value for key, value in good.items()})
            if section is not None:
                sound[name] = section
    arguments, wrong = _arguments(document.get("arguments", {}))
    mistakes.extend(wrong)
    fits, wrong = _fits(document.get("fit", []))
    mistakes.extend(wrong)
    known = Known(values, _given(document), fits, arguments)
    mistakes.extend(contradictions(known, loop=loop))
    if mistakes:
        lines = [mistake.line(place) for mistake in mistakes[:MOST_LINES]]
        more = len(mistakes) - len(lines)
        raise BadInput(*lines, *([f"{one_line(place)}: and {more} more mistakes"] if more else []))
    whole = {**sound, "fit": tuple(fits.values())}
    return (
        LoopSweep.model_validate(whole | {"arguments": arguments})
        if loop
        else _settled(SweepSpec.model_validate(whole))
    )


def is_loop(document: Mapping[str, Any]) -> bool:
    """Whether a document is of a sweep over a training of the user's."""
    training = document.get("training")
    return "arguments" in document or (isinstance(training, Mapping) and "loop" in training)


def _settled(spec: SweepSpec) -> SweepSpec:
    """The two spellings of the input layer's rate made one, and the depth that a model fixes filled in."""
    changes: dict[str, Any] = {}
    if spec.model.input_lr is not None:
        changes["layer_lr"] = spec.model.layer_lr.model_copy(update={"input": spec.model.input_lr})
        changes["input_lr"] = None
    if not spec.model.depth:
        changes["depth"] = (1,)
    return spec.model_copy(update={"model": spec.model.model_copy(update=changes)})


# One table ------------------------------------------------------------------------------------------------------------


def _section(
    where: str, kind: type[Section], raw: Mapping[str, Any]
) -> tuple[Section | None, dict[str, Any], list[Mistake]]:
    """The table if it is sound, the values of its sound keys, and its mistakes."""
    try:
        section = kind.model_validate(dict(raw))
    except ValidationError as error:
        details = error.errors(include_url=False)
        mistakes = [mistake for detail in details[:MOST_LINES] for mistake in _mistakes(where, kind, dict(detail))]
        mistakes += [Mistake(where, NO_VALUE, "wrong") for _ in details[MOST_LINES:]]  # these are only counted
        wrong = {str(detail["loc"][0]) for detail in details}
        # the examples are sound values: with them in place of the wrong ones, the other keys get their typed values
        patched = {key: value for key, value in raw.items() if key in kind.model_fields and key not in wrong}
        stand_in = kind.model_validate(patched | {key: _example(kind.model_fields[key]) for key in wrong & _keys(kind)})
        return None, {key: getattr(stand_in, key) for key in kind.model_fields if key not in wrong}, mistakes
    return section, {key: getattr(section, key) for key in kind.model_fields}, []


def _mistakes(where: str, kind: type[Section], detail: dict[str, Any]) -> Iterator[Mistake]:
    """What one complaint of pydantic means to the user."""
    *path, key = (str(step) for step in detail["loc"])
    owner = kind
    for step in path:
        owner = _table_of(owner.model_fields[step])
    field = ".".join([where, *path, key])
    refused = detail.get("ctx", {}).get("error")
    if detail["type"] == "extra_forbidden":
        yield _unknown_key(field, key, owner, detail["input"])
    elif detail["type"] == "missing":
        yield Mistake(field, NO_VALUE, f"missing; {_write(key, owner)}")
    elif isinstance(refused, RuleError):
        for fault in refused.faults:
            yield Mistake(field, fault.value, f"{fault.text}; {fault.remedy or _write(key, owner)}")
    else:
        yield Mistake(field, detail["input"], f"must be a table; {_write(key, owner)}")


def _unknown_key(field: str, key: str, owner: type[Section], value: object) -> Mistake:
    if key in owner.later:
        return Mistake(field, value, "not built yet; remove it")
    if key in owner.never:
        return Mistake(field, value, owner.never[key])
    homes = [name for name, kind in TABLES.items() if key in kind.model_fields and kind is not owner]
    close = difflib.get_close_matches(key, owner.model_fields, n=1)
    if close:
        return Mistake(field, value, f"unknown key; did you mean {close[0]}?")
    if homes:
        return Mistake(field, value, f"unknown key; it belongs in {enumerate_words(map(_bracketed, homes))}")
    return Mistake(field, value, f"unknown key; known are {enumerate_words(owner.model_fields, 'and')}")


def _write(key: str, owner: type[Section]) -> str:
    return f"write e.g. {key} = {toml_text(_example(owner.model_fields[key]))}"


def _example(field: FieldInfo) -> Any:
    assert field.examples
    return field.examples[0]


def _table_of(field: FieldInfo) -> type[Section]:
    kind = section_of(field)
    assert kind is not None
    return kind


def _keys(kind: type[Section]) -> set[str]:
    return set(kind.model_fields)


# The whole document ---------------------------------------------------------------------------------------------------


def _bracketed(table: str) -> str:
    return "[[fit]]" if table == "fit" else f"[{table}]"


def _unknown_table(name: str, value: object, tables: Mapping[str, type[Section]]) -> Mistake:
    is_table = isinstance(value, Mapping) or (isinstance(value, list) and all(isinstance(v, Mapping) for v in value))
    if name in TABLES:
        return Mistake(
            f"[{name}]", NO_VALUE, "is for nets that mlrtui trains; a training of yours has its own: remove it"
        )
    if is_table:
        close = difflib.get_close_matches(name, tables, n=1)
        known = enumerate_words(map(_bracketed, tables), "and")
        hint = f"did you mean {_bracketed(close[0])}?" if close else f"known are {known}"
        return Mistake(f"[{name}]", NO_VALUE, f"unknown table; {hint}")
    homes = [_bracketed(table) for table, kind in tables.items() if name in kind.model_fields]
    if homes:
        return Mistake(name, value, f"stands outside of any table; put it under {enumerate_words(homes)}")
    return Mistake(name, value, "unknown key outside of any table; remove it, or put it under its table")


def _missing_table(name: str, kind: type[Section]) -> Mistake:
    needed = [key for key, field in kind.model_fields.items() if field.is_required()]
    example = ", ".join(f"{key} = {toml_text(_example(kind.model_fields[key]))}" for key in needed)
    return Mistake(f"[{name}]", NO_VALUE, f"missing; add the table, e.g. with {example}")


def _fits(raw: object) -> tuple[dict[str, FitSection], list[Mistake]]:
    """The sound [[fit]] tables by their place, counted from 1, and the mistakes in the others."""
    if not isinstance(raw, list) or not all(isinstance(table, Mapping) for table in raw):
        return {}, [Mistake("fit", raw, "must be a list of tables; write [[fit]] on a line of its own")]
    if len(raw) > MOST_FITS:
        return {}, [Mistake("[[fit]]", NO_VALUE, f"{len(raw)} of them; at most {MOST_FITS}, remove some")]
    fits: dict[str, FitSection] = {}
    mistakes: list[Mistake] = []
    for number, table in enumerate(raw, start=1):
        where = f"fit#{number}"
        section, _, wrong = _section(where, FitSection, table)
        mistakes.extend(wrong)
        if isinstance(section, FitSection):
            fits[where] = section
    return fits, mistakes


def _arguments(raw: object) -> tuple[dict[str, tuple[Value, ...]], list[Mistake]]:
    """The sound arguments of a training of the user's, and the mistakes in the others."""
    if not isinstance(raw, Mapping):
        return {}, [Mistake("arguments", raw, "must be a table; write [arguments] on a line of its own")]
    if len(raw) > MOST_ARGUMENTS:
        return {}, [Mistake("[arguments]", NO_VALUE, f"{len(raw)} of them; at most {MOST_ARGUMENTS}, remove some")]
    arguments: dict[str, tuple[Value, ...]] = {}
    mistakes: list[Mistake] = []
    for name, value in sorted(raw.items()):
        field = f"arguments.{name}"
        if name in RESERVED:
            mistakes.append(Mistake(field, value, "is given to the function anyway; remove it"))
        elif not name.isidentifier() or iskeyword(name):
            mistakes.append(Mistake(field, value, "is no name of an argument; use letters, digits and _"))
        else:
            try:
                arguments[name] = argument.check(value)
            except RuleError as refused:
                text = "write e.g. width = [64, 128]"
                mistakes += [Mistake(field, one.value, f"{one.text}; {one.remedy or text}") for one in refused.faults]
    return arguments, mistakes


def _given(document: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tables and keys that are written in the file."""
    tables = {name: table for name, table in document.items() if isinstance(table, Mapping)}
    keys = {f"{name}.{key}" for name, table in tables.items() for key in table}
    rates = document.get("model", {})
    rates = rates.get("layer_lr", {}) if isinstance(rates, Mapping) else {}
    inner = {f"model.layer_lr.{key}" for key in rates} if isinstance(rates, Mapping) else set()
    return frozenset(document) | keys | inner
