"""Arguments have names: nothing of ours takes, or is called with, more than eight by position."""

import ast
from pathlib import Path

from test_setup_one_place import ours
from test_setup_tidiness import ROOT

MOST = 8
GIVEN = {"self", "cls", "typingctx"}  # by Python, or by numba to an intrinsic; no call names them


def long_lists(source: str) -> list[str]:
    """Calls and functions with too many, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and len(node.args) > MOST:
            found.append(f"{node.lineno}: {ast.unparse(node.func)}(…)")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            if len(names) - (bool(names) and names[0] in GIVEN) > MOST:
                found.append(f"{node.lineno}: def {getattr(node, 'name', 'lambda')}")
    return found


def listed(paths: list[Path]) -> dict[str, list[str]]:
    found = {path.relative_to(ROOT).as_posix(): long_lists(path.read_text(encoding="utf-8")) for path in paths}
    return {name: lines for name, lines in found.items() if lines}


def test_no_call_and_no_function_has_more_than_eight_positional_arguments() -> None:
    assert len(ours()) > 100
    assert listed(ours()) == {}


def test_longer_ones_would_be_found() -> None:
    nine = ", ".join("abcdefghi")
    assert long_lists(f"f({nine})") == ["1: f(…)"]
    assert long_lists(f"def f({nine}): ...") == ["1: def f"]
    assert long_lists(f"def f(*, {nine}): ...") == []
    assert long_lists(f"def f(self, {', '.join('abcdefgh')}): ...") == []
