"""Rules of the whole checkout: short files, one-line descriptions, and nobody's absolute paths."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 600
OF_A_MACHINE = re.compile(r"(?<![\w.~$}-])/(?:home/(?!me/)|work/|root/|Users/|tmp/)[\w.]")  # "me" is nobody
NOT_OURS = {".venv", ".git", "build", "dist", "__pycache__"}


def checkout() -> list[Path]:
    """Every file that git tracks or would track; in an unpacked archive, every file."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file()]


def python_files() -> list[Path]:
    return [path for path in checkout() if path.suffix == ".py"]


def test_no_file_of_code_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert lengths
    assert {path.relative_to(ROOT).as_posix(): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in python_files()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = {}
    for path in checkout():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = [number for number, line in enumerate(text.splitlines(), 1) if OF_A_MACHINE.search(line)]
        if lines:
            found[path.relative_to(ROOT).as_posix()] = lines
    assert found == {}


def test_the_path_rule_sees_paths() -> None:
    assert OF_A_MACHINE.search("see " + "/".join(("", "home", "ann", "x")))
    assert OF_A_MACHINE.search('"' + "/".join(("", "work", "main")) + '"')
    assert not OF_A_MACHINE.search("/home/me/x, docs/home/x and ~/work/x and https://a.org/work/x")
