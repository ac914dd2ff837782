"""What the README and the other pages claim is true: commands, views, links, the sweep file, the two commands."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks.store_writes import write_store
from mlrtui.cli import app
from mlrtui.cli_reference import page
from mlrtui.config import parse_sweep

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SWEEP = (ROOT / "docs" / "guides" / "first-sweep.md").read_text(encoding="utf-8")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")],
    key=lambda path: path.as_posix(),
)


def test_the_readme_names_every_command_and_no_other() -> None:
    told = set(re.findall(r"^\| `mlrtui ([\w-]+)", README, flags=re.MULTILINE))
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer's own type does not show it
    assert told == {name for name, command in commands.items() if not command.hidden}


def test_the_reference_of_the_command_line_is_current() -> None:
    path = ROOT / "docs" / "cli.md"
    assert path.read_text(encoding="utf-8") == page() + "\n", "run: python -m mlrtui.cli_reference > docs/cli.md"


def test_the_reference_of_the_command_line_names_every_variable_that_the_code_reads() -> None:
    code = [
        path.read_text(encoding="utf-8") for name in ("mlrtui", "trainer", "db") for path in (ROOT / name).rglob("*.py")
    ]
    read = set(re.findall(r"\bMLRTUI_[A-Z_]+", "\n".join(code))) - {"MLRTUI_TORCH"}  # of make, in the README
    assert set(re.findall(r"^\| `(MLRTUI_[A-Z_]+)` \|", page(), flags=re.MULTILINE)) == read


def test_the_index_lists_every_page() -> None:
    docs = ROOT / "docs"
    listed = re.findall(r"\]\(([\w/-]+\.md)\)", (docs / "README.md").read_text(encoding="utf-8"))
    pages = {path.relative_to(docs).as_posix() for folder in (docs, docs / "guides") for path in folder.glob("*.md")}
    assert sorted(listed) == sorted(pages - {"README.md"} | {"decisions/README.md", "papers/README.md"})


def test_the_first_guide_names_every_view_and_no_other() -> None:
    sql = (ROOT / "db" / "mlrtui_db" / "views.sql").read_text(encoding="utf-8")
    views = set(re.findall(r"CREATE VIEW (\w+)", sql)) - {"axes", "measured"}
    table = FIRST_SWEEP.split("| view | one row per |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == views


def test_the_readmes_sweep_file_is_valid() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    spec = parse_sweep(tomllib.loads(block), "README.md")
    assert (spec.sweep.name, spec.mode) == ("eta* of small nets", "search")


def test_the_recipes_of_the_first_guide_work_on_a_store(tmp_path: Path) -> None:
    write_store(tmp_path / "mlrtui.db", trials=2, rows=3, transactions=2)
    recipes = re.findall(r"^    sqlite-utils (.+)$", FIRST_SWEEP, flags=re.MULTILINE)
    assert len(recipes) >= 3
    for recipe in recipes:
        words = shlex.split(recipe.split(" > ")[0])
        command = [sys.executable, "-m", "sqlite_utils", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{recipe}\n{done.stderr}"
        assert done.stdout


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!\w+://)([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "docs"])
def test_make_knows_the_documented_targets(target: str) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", target, f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stderr
    assert "scripts/bootstrap.py" in planned.stdout


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
    for name in listed:
        text = (folder / name).read_text(encoding="utf-8")
        assert all(f"**{part}" in text for part in ("Question.", "Options", "Choice.", "What would change it.")), name
