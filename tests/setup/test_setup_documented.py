"""Nothing that users can name is undocumented, and nothing documented is missing.

Elsewhere: sweep-file keys (tests/config), columns and views (tests/db, test_setup_docs), JSON (tests/cli), keys of
screens (tests/tui), commands and variables (test_setup_docs).
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from test_setup_docs import PAGES, ROOT
from test_setup_tidiness import python_files
from typer.main import get_command

from mlrtui.cli import app
from mlrtui.figures.kinds import FIGURES
from mlrtui.tui.keymap import KEYS
from scripts.gallery import commands as gallery_commands

GUIDES = ROOT / "docs" / "guides"
COMMANDS: dict[str, Any] = getattr(get_command(app), "commands")  # noqa: B009 - typer's own type does not show it
CODE = re.compile(r"^ {4}mlrtui (.+)$|^mlrtui (.+)$|`mlrtui ([^`\n]+)`", flags=re.MULTILINE)
OF_MLRTUI = {"--debug", "--version", "--help"}


def command_lines(path: Path) -> list[list[str]]:
    """What pages show as commands of mlrtui, without what stands behind a pipe or a comment."""
    found = []
    for match in CODE.finditer(path.read_text(encoding="utf-8")):
        line = re.split(r" [|#>] | {2,}#", next(filter(None, match.groups())))[0].rstrip("\\ ")
        try:
            words = shlex.split(line)
        except ValueError:
            continue  # prose with an apostrophe
        if (words and words[0] in COMMANDS) or (words[:1] and words[0].startswith("--")):
            found.append(words)
    return found


def unknown_options(words: list[str]) -> list[str]:
    """Options of a line that its command does not have."""
    name = next((word for word in words if word in COMMANDS), None)
    known = OF_MLRTUI if name is None else {opt for p in COMMANDS[name].params for opt in p.opts} | OF_MLRTUI
    return [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_exist_with_their_options(path: Path) -> None:
    wrong = {shlex.join(words): unknown_options(words) for words in command_lines(path)}
    assert {line: options for line, options in wrong.items() if options} == {}


def test_command_lines_are_found_and_wrong_ones_noticed(tmp_path: Path) -> None:
    assert sum(len(command_lines(path)) for path in PAGES) > 100
    page = tmp_path / "page.md"
    page.write_text("Run `mlrtui run --dry-run`, or\n\n    mlrtui status --no-such-thing | head\n")
    assert [unknown_options(words) for words in command_lines(page)] == [[], ["--no-such-thing"]]


def test_the_page_of_the_python_api_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.api_page"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == done.stdout, "run: python -m scripts.api_page > docs/api.md"


def test_every_figure_is_in_the_guide_and_in_the_gallery() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \| .+ \| `mlrtui plot \1 ", (GUIDES / "figures.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(FIGURES.ours)
    drawn = gallery_commands()
    assert sorted(words[1] for words in drawn) == sorted(FIGURES.ours)
    shown = re.findall(r"\]\(\.\./figures/(\S+)\)", (GUIDES / "gallery.md").read_text(encoding="utf-8"))
    assert shown == [words[words.index("--out") + 1] for words in drawn]


def test_the_guide_names_every_command_that_a_key_can_be_set_for() -> None:
    table = (GUIDES / "screens.md").read_text(encoding="utf-8").split("\nCommands: ")[1].split("## Terminals")[0]
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(key.id for key in KEYS)


def test_every_extra_of_a_user_is_in_the_guide_of_installing() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    rows = re.findall(r"^\| (`.+`) \| ", (GUIDES / "install.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([a-z0-9]+)`", row)}
    assert listed == extras - {"test", "check", "docs", "oracle"}  # for work on mlrtui itself


def test_the_examples_of_docstrings_are_true() -> None:
    """In one process: each module's examples, as doctest reads them."""
    names = [
        ".".join(path.relative_to(ROOT / folder if folder != "mlrtui" else ROOT).with_suffix("").parts)
        for folder in ("mlrtui", "trainer", "db")
        for path in python_files()
        if path.is_relative_to(ROOT / folder) and re.search(r"^ +>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(names) > 20
    script = (
        "import doctest, importlib, sys\n"
        "tried = failed = 0\n"
        "for name in sys.argv[1:]:\n"
        "    done = doctest.testmod(importlib.import_module(name))\n"
        "    tried, failed = tried + done.attempted, failed + done.failed\n"
        "print(tried, failed)\n"
        "sys.exit(failed > 0 or tried < 60)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
