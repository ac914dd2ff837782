"""The tour of the code names files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^\| \d+ \| (.+?) \| .+ \|$", PAGE, flags=re.MULTILINE)


def names_in(path: Path) -> set[str]:
    """Functions and classes of a file, methods as Class.method and alone."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {*methods, *(f"{node.name}.{name}" for name in methods)}
    return found


@pytest.mark.parametrize("where", STEPS)
def test_each_step_of_the_tour_is_in_the_code(where: str) -> None:
    quoted = re.findall(r"`([^`]+)`", where)
    paths = [ROOT / name for name in quoted if name.endswith(".py")]
    assert paths
    assert [path for path in paths if not path.is_file()] == []
    known = set().union(*map(names_in, paths))
    assert [name for name in quoted if not name.endswith(".py") and name not in known] == []


def test_both_tours_are_read() -> None:
    assert len(STEPS) >= 20
