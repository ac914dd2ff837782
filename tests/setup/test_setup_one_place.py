"""What has one home has no second: axes of the grid, bits of the flags, views, formats of numbers."""

import ast
import re
from pathlib import Path

from test_setup_tidiness import ROOT, checkout, python_files

from mlrtui_db._schema import schema_names, view_names
from mlrtui_db._store_page import WHAT
from mlrtui_db.axes import AXES
from mlrtui_db.column_docs import TABLES, VIEWS
from mlrtui_db.flags import FLAGS
from mlrtui_db.view_columns import BY_STEP

PACKAGES = ("mlrtui", "trainer", "db")
NAMES_OF_AXES = {name for axis in AXES for name in (axis.name, axis.field, axis.column)}
MOST_AXES = 6
FOR_PEOPLE = ("mlrtui/tui/", "mlrtui/commands/", "mlrtui/claims/", "mlrtui/text/", "mlrtui/report.py")
FORMATS = "mlrtui/text/numbers.py"
FLOAT = re.compile(r"[gfeG%]$")  # the end of a format of floats; widths and alignment are the caller's
FILLS_RECORDS = "mlrtui/planning.py"  # names each column of a cell's record once, to say what goes into it


def ours() -> list[Path]:
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in PACKAGES]


def lists_of_names(path: Path) -> list[int]:
    """Lines of the tuples, lists, sets and dicts that name many axes as text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        inside = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
        names = {part.value for part in inside if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        if len(names & NAMES_OF_AXES) > MOST_AXES:
            found.append(getattr(node, "lineno", 0))
    return found


def test_no_second_list_of_axes() -> None:
    found = {path.relative_to(ROOT).as_posix(): lists_of_names(path) for path in ours()}
    assert {name: lines for name, lines in found.items() if lines and name != FILLS_RECORDS} == {}


def test_a_second_list_of_axes_would_be_found(tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(f"AXES = {tuple(axis.name for axis in AXES)}\n", encoding="utf-8")
    assert lists_of_names(copy) == [1]


def test_no_bit_of_the_flags_is_written_as_a_number() -> None:
    assert [flag.bit for flag in FLAGS] == [1 << place for place in range(len(FLAGS))]
    sources = [path for path in checkout() if path.suffix in (".py", ".sql") and "versions" not in path.parts]
    bare = re.compile(r"\bflags\b[^\n\w]*[&|][^\n\w]*\d")
    assert [path for path in sources if bare.search(path.read_text(encoding="utf-8"))] == []
    assert bare.search(f"CASE WHEN p.flags & {FLAGS[-1].bit} > 0")


def test_every_list_of_views_is_the_one_of_views_sql() -> None:
    """The README's is compared in test_setup_docs, the contract's columns in test_db_reader."""
    assert set(VIEWS) == {*view_names(), "axes", "measured"}
    assert set(TABLES) == set(schema_names()) - set(VIEWS)
    assert set(WHAT) == set(schema_names())
    assert set(BY_STEP) <= set(view_names())


def formats(node: ast.AST) -> list[str]:
    """What a node formats by: the ends of f-strings' fields, format(x, …), "…".format and "…" % x."""
    match node:
        case ast.FormattedValue(format_spec=ast.JoinedStr(values=[*_, ast.Constant(value=str(last))])):
            return [last]
        case ast.Call(func=ast.Name(id="format"), args=[_, ast.Constant(value=str(spec))]):
            return [spec]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return re.findall(r"\{\w*:([^{}]*)\}", text)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return re.findall(r"%[-+ 0-9.]*[a-z]", text)
    return []


def float_formats(source: str) -> list[int]:
    """Lines on which a float is formatted."""
    nodes = ast.walk(ast.parse(source))
    return [getattr(node, "lineno", 0) for node in nodes if any(FLOAT.search(spec) for spec in formats(node))]


def test_every_kind_of_number_for_people_has_one_formatter() -> None:
    shown = {path.relative_to(ROOT).as_posix(): path for path in ours()}
    shown = {name: path for name, path in shown.items() if name.startswith(FOR_PEOPLE) and name != FORMATS}
    assert len(shown) > 50
    found = {name: float_formats(path.read_text(encoding="utf-8")) for name, path in shown.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert float_formats((ROOT / FORMATS).read_text(encoding="utf-8"))


def test_a_second_formatter_would_be_found() -> None:
    for second in ('f"{x:.4g}"', 'f"{x:+.{n}f}"', 'f"{x:g}"', 'format(x, ".3e")', '"%.3f" % x', '"{:.2f}".format(x)'):
        assert float_formats(second) == [1], second
    for other in ('f"{x:>8}"', 'f"{x:{width}}"', 'f"{x:<12} {y}"', '"50 % of all"'):
        assert float_formats(other) == [], other
