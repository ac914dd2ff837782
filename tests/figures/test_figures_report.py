"""Reports: text of strangers stays text, nothing is asked of a network, the sweep file in it repeats the sweep."""

import base64
import re
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="reports need the extra plot")

from browser import CHROMIUM, Browser, opened
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui

from mlrtui.config import parse_sweep, read_sweep
from mlrtui.reporting.content import sweep_file
from mlrtui_db.reader import Reader

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'\u202e|`*_[a](javascript:1)\n# b"


@pytest.fixture
def store(made: Callable[..., Path]) -> Path:
    return made(SMALL_SEARCH, SMALL_SCAN)


@pytest.fixture
def hostile(store: Path) -> Path:
    """A store whose texts are markup, all of them."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE sweep SET name = name || ?", (HOSTILE,))
        connection.execute("UPDATE cell SET label = label || ?", (HOSTILE,))
        connection.execute("UPDATE event SET text = ?", (HOSTILE,))
        connection.execute("UPDATE attempt SET host = ?, env = json_object('torch', ?)", (HOSTILE, HOSTILE))
        connection.execute("UPDATE trial SET phase_reason = ?", (HOSTILE,))
        connection.execute("UPDATE fit SET where_expr = ?, warnings = ?", (HOSTILE, HOSTILE))
        connection.execute("UPDATE sweep SET spec = json_set(spec, '$.sweep.name', name)")
        connection.commit()
    return store


class Tags(HTMLParser):
    """Which tags and attributes a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def report(mlrtui: Mlrtui, store: Path, name: str, *options: str) -> Path:
    out = store.with_name(name)
    done = mlrtui("report", "--store", store, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    return out


def test_a_report_has_everything_and_asks_for_nothing(mlrtui: Mlrtui, store: Path) -> None:
    text = report(mlrtui, store, "r.html").read_text()
    tags = Tags(text)
    assert "http" not in text.replace("http-equiv", "")
    assert (tags.tags.count("h1"), tags.tags.count("h2"), tags.tags.count("svg")) == (1, 2, 6)
    assert {value.split(":")[0] for name, value in tags.attributes if name in ("src", "href")} <= {
        "data",
        *anchors(tags),
    }
    for words in (
        "Question: ",
        "95 % interval",
        "Onsets",
        "Where it ran",
        "mlrtui run sweep.toml",
        "fake",
        "Every net",
    ):
        assert words in text, words
    names = [value for name, value in tags.attributes if name == "id"]
    assert len(names) == len(set(names))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(names)


def anchors(tags: Tags) -> set[str]:
    return {value for name, value in tags.attributes if name in ("href", "xlink:href") and value.startswith("#")}


def test_the_tables_come_along_to_the_bit(mlrtui: Mlrtui, store: Path) -> None:
    text = report(mlrtui, store, "r.html").read_text()
    mlrtui("export", "--store", store, "--out", store.with_name("csv"), "--sweep", "small search")
    found = {base64.b64decode(data).decode() for data in re.findall(r"data:text/csv;base64,([^\"]*)", text)}
    assert store.with_name("csv").joinpath("eta_star.csv").read_text() in found


def test_text_of_a_stranger_stays_text(mlrtui: Mlrtui, hostile: Path) -> None:
    text = report(mlrtui, hostile, "r.html").read_text()
    tags = Tags(text)
    assert tags.tags.count("script") == 1
    assert "img" not in tags.tags
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text
    shown = report(mlrtui, hostile, "r.md").read_text()
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", shown, flags=re.DOTALL | re.MULTILINE)
    assert "<script" not in outside
    assert "<img" not in outside
    assert "\u202e" not in shown
    assert "javascript" in outside
    assert not re.search(r"(?<!\\)\]\(javascript", outside)
    for file in hostile.with_name("r_files").glob("*.svg"):
        assert "<script" not in file.read_text()


def test_the_same_report_twice_is_the_same_bytes(mlrtui: Mlrtui, store: Path) -> None:
    first = report(mlrtui, store, "a.html").read_bytes()
    assert report(mlrtui, store, "b.html").read_bytes() == first


def test_the_sweep_file_in_it_is_the_sweep(store: Path) -> None:
    with Reader.open(store) as reader:
        for row in reader.sweeps():
            spec = read_sweep(row.spec)
            document = tomllib.loads(sweep_file(row))
            assert parse_sweep(document, "sweep.toml").settled == spec.settled


def test_markdown_names_files_that_are_there(mlrtui: Mlrtui, store: Path) -> None:
    text = report(mlrtui, store, "r.md", "small search").read_text()
    linked = re.findall(r"\]\((r_files/[^)]+)\)", text)
    assert sorted(linked) == sorted(f"r_files/{path.name}" for path in store.with_name("r_files").iterdir())
    assert any(name.endswith(".svg") for name in linked)


def test_what_cannot_be_done_is_said_in_one_line(mlrtui: Mlrtui, store: Path) -> None:
    there = store.with_name("there.html")
    there.write_text("mine")
    for options, words in (
        (["--out", "r.docx"], "use one of .html, .md"),
        (["--out", there], "--force"),
        (["nothing", "--out", "r.html"], "no sweep of this name"),
    ):
        done = mlrtui("report", "--store", store, *options)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert words in done.stderr
    assert there.read_text() == "mine"
    assert mlrtui("report", "--store", store, "--out", "no/r.html").returncode == 3
    assert not [path for path in store.parent.iterdir() if path.name.endswith(".part")]


# In a browser ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: `apt-get install chromium` brings one")
    with opened(tmp_path_factory.mktemp("browser")) as running:
        yield running


def test_a_browser_has_nothing_to_complain_of(mlrtui: Mlrtui, hostile: Path, browser: Browser) -> None:
    page = report(mlrtui, hostile, "r.html")
    grounds = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.open(page)
        assert browser.requests() == [page.absolute().as_uri()]
        assert browser.complaints() == []
        assert browser.value("document.title") == "2 sweeps of mlrtui.db"
        sizes = browser.value("[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)")
        assert len(sizes) == 6
        assert sum(size > 100 for size in sizes) >= 5  # one is folded
        grounds[scheme] = browser.value("getComputedStyle(document.body).backgroundColor")
        strokes = "[...document.querySelectorAll('figure svg [id*=law] path')].map(p => getComputedStyle(p).stroke)[0]"
        grounds[f"{scheme} law"] = browser.value(strokes)
    assert grounds == {
        "light": "rgb(255, 255, 255)", "light law": "rgb(0, 114, 178)",
        "dark": "rgb(18, 20, 23)", "dark law": "rgb(86, 180, 233)",
    }  # fmt: skip


def test_a_click_sorts_numbers_as_numbers(mlrtui: Mlrtui, store: Path, browser: Browser) -> None:
    browser.open(report(mlrtui, store, "r.html"))
    table = "[...document.querySelectorAll('table')].find(t => t.caption.textContent.startsWith('Every net'))"
    column = f"[...{table}.tBodies[0].rows].map(row => Number(row.cells[2].dataset.v))"
    browser.value(f"{table}.querySelectorAll('th button')[2].click()")
    up = browser.value(column)
    assert up == sorted(up)
    browser.value(f"{table}.querySelectorAll('th button')[2].click()")
    assert browser.value(column) == up[::-1]
    assert browser.value(f"{table}.querySelectorAll('th')[2].getAttribute('aria-sort')") == "descending"
