"""What is published beside the code agrees: version, citation, classifiers, workflows, addresses."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_setup_tidiness import checkout

from mlrtui.version import __version__

ROOT = Path(__file__).resolve().parents[2]
with (ROOT / "pyproject.toml").open("rb") as file:
    PROJECT: dict[str, Any] = tomllib.load(file)["project"]
GITHUB = ROOT / ".github"
FORMS = sorted(GITHUB.rglob("*.yml"))
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TESTED = [text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if re.fullmatch(r"Programming .* 3\.\d+", text)]
only_in_a_checkout = pytest.mark.skipif(not FORMS, reason="an unpacked archive has no .github")


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)  # what the format demands
    assert cited["cff-version"] == "1.2.0"
    assert str(cited["version"]) == __version__
    assert cited["license"] == PROJECT["license"]
    assert cited["repository-code"] == PROJECT["urls"]["Repository"]
    newest = re.search(r"^## (\S+)(?: \((\S+)\))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (__version__, str(cited["date-released"]))


def test_the_repository_has_one_address() -> None:
    own = PROJECT["urls"]["Repository"]
    owner, name = own.removeprefix("https://github.com/").split("/")
    other = re.compile(r"github(?:usercontent)?\.com/([\w.-]+)/" + re.escape(name) + r"\b")
    found = [
        (path.name, owner_named)
        for path in checkout()
        if path.suffix in {".md", ".toml", ".cff", ".yml", ".py"}
        for owner_named in other.findall(path.read_text(encoding="utf-8"))
    ]
    assert found
    assert [pair for pair in found if pair[1] != owner] == []


@only_in_a_checkout
def test_the_tested_pythons_are_the_promised_ones() -> None:
    tests = yaml.safe_load((GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    assert tests["jobs"]["tests"]["strategy"]["matrix"]["python"] == TESTED
    assert PROJECT["requires-python"] == f">={TESTED[0]}"


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from job["steps"]


@only_in_a_checkout
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_what_it_uses_and_needs_no_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@v\d+\.\d+\.\d+", name)] == []
    assert "secrets." not in text
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@only_in_a_checkout
@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.relative_to(GITHUB).as_posix())
def test_github_can_read_its_files(path: Path) -> None:
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    if path.parent.name == "ISSUE_TEMPLATE" and path.name != "config.yml":
        assert {"name", "description", "body"} <= set(read)
        assert all({"type", "id", "attributes"} <= set(part) for part in read["body"])
