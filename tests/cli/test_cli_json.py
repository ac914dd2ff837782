"""One contract for the JSON of all commands: what docs/json.md says, with its number, and no JSON inside of texts."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_SEARCH, Mlrtui

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
ASKED = (
    "status --json", "browse --json", "doctor --json mlrtui.db", "fit --json", "rethreshold 0.4 --json",
    "watch --json", "watch --json --screen trial", "watch --json --screen exponents", "watch --json --screen phases",
    "watch --json --screen log", "watch --json --screen compare --trial 1 --trial 2",
    "export --format json --view curves -o -", "export --format json --view exponents -o -",
)  # fmt: skip


def said(mlrtui: Mlrtui, words: str) -> dict[str, Any]:
    done = mlrtui(*shlex.split(words))
    assert done.returncode in (0, 1), done.stderr  # 1: a check of doctor failed, or no net is decided
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for part in value.values() for text in texts(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in texts(part))
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("words", ASKED)
def test_every_answer_has_its_number_and_no_json_in_a_text(
    made: Callable[..., Path], mlrtui: Mlrtui, words: str
) -> None:
    made(SMALL_SEARCH)
    found = said(mlrtui, words)
    assert found["schema"] == 1
    inner = [text for text in texts(found) if text[:1] in ("{", "[")]
    assert inner == []
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `mlrtui {words.split()[0]} "))
    assert set(found) - {"schema"} <= set(re.findall(r"`(\w+)`", row.split("|")[2]))


def fields(title: str) -> set[str]:
    (section,) = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    lines = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for line in lines for name in re.findall(r"`(\w+)`", line)}


def test_the_page_has_every_field(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    made(SMALL_SEARCH)
    (sweep,) = said(mlrtui, "status --json")["sweeps"]
    assert set(sweep) == fields("Sweep")
    assert sweep["fits"]
    assert set(sweep["fits"][0]) == fields("Fit of a sweep")
    assert said(mlrtui, "browse --json")["stores"][0]["sweeps"] == [sweep]
    watched = said(mlrtui, "watch --json")
    assert watched["sweep"] == sweep
    assert set(watched) - {"schema"} == set(re.findall(r"`(\w+)`", PAGE.split("watch --json` |")[1].split(";")[0]))
    assert set(said(mlrtui, "doctor --json")["findings"][0]) == fields("Finding")
    exported = said(mlrtui, "export --format json --view grid -o -")
    assert set(exported["columns"][0]) == fields("Column")
    assert [*exported["rows"][0]] == [column["name"] for column in exported["columns"]]
