"""Two sweeps side by side: every number against the store's, what one lacks named, text of strangers inert."""

import math
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="reports need the extra plot")

from browser import CHROMIUM, Browser, opened
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui

OTHER = (
    SMALL_SEARCH.replace("small search", "other search")
    .replace('loss = "ce"', 'loss = "mse"')
    .replace("width = [16, 32]", "width = [16, 32, 64]")
    .replace("seeds = 2", "seeds = 3")
)
NAMES = ("small search", "other search")


@pytest.fixture
def store(made: Callable[..., Path]) -> Path:
    return made(SMALL_SEARCH, OTHER, SMALL_SCAN)


def compared(mlrtui: Mlrtui, out: Path, *words: object) -> str:
    done = mlrtui("compare-report", *words, "--out", out)
    assert done.returncode == 0, done.stderr
    return out.read_text()


def rows_of(text: str, title: str) -> list[list[str]]:
    """The cells of the first table under a heading of Markdown."""
    (part,) = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    table = re.findall(r"^\| (.*) \|$", part, flags=re.MULTILINE)
    return [line.split(" | ") for line in table[:1] + table[2:]]


def change(store: Path, *lines: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        for line in lines:
            connection.execute(line)
        connection.commit()


def test_shared_cells_are_matched_by_what_varies_and_their_ratio_is_that_of_the_means(
    mlrtui: Mlrtui, store: Path, tmp_path: Path
) -> None:
    text = compared(mlrtui, tmp_path / "c.md", *NAMES, "--store", store)
    with closing(sqlite3.connect(store)) as connection:
        means: dict[str, dict[str, list[float]]] = {}
        for sweep, cell, value in connection.execute("SELECT sweep, cell, ln_eta FROM (SELECT *, ln(eta_star) AS ln_eta"
                                                     " FROM eta_star)"):  # fmt: skip
            means.setdefault(cell, {}).setdefault(sweep, []).append(value)
    expected = {
        cell: math.exp(sum(both[NAMES[1]]) / 3 - sum(both[NAMES[0]]) / 2)
        for cell, both in means.items() if len(both) == 2
    }  # fmt: skip
    head, *rows = rows_of(text, "Cell by cell")
    assert head[0] == "cell"
    assert {row[0]: float(row[3]) for row in rows} == pytest.approx(expected, rel=1e-3)
    assert len(rows) == 4
    assert [row[0] for row in rows_of(text, "Settings that differ")[1:]] == [
        "model.width",
        "sweep.seeds",
        "training.loss",
    ]
    missing = {row[0]: row[1:] for row in rows_of(text, "What is missing")[1:]}
    assert missing["1x64"] == missing["2x64"] == ["not there", "there"]
    assert missing["1x16: seeds"] == ["0, 1", "0, 1, 2"]
    assert "in other search only: 2 cells" in text
    assert {path.suffix for path in tmp_path.joinpath("c_files").iterdir()} == {".svg", ".csv"}


def test_a_censored_cell_has_no_ratio_and_is_named(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    change(
        store,
        "UPDATE net SET censored = 'at_max' WHERE seed = 1 AND cell_id ="
        " (SELECT cell_id FROM cell JOIN sweep USING (sweep_id) WHERE label = '1x16' AND sweep.name = 'other search')",
    )
    text = compared(mlrtui, tmp_path / "c.md", *NAMES, "--store", store)
    row = next(row for row in rows_of(text, "Cell by cell") if row[0] == "1x16")
    assert row[2].startswith("≥ ")
    assert "(1 of 3 censored)" in row[2]
    assert row[3] == "–"
    assert "1 of 4 shared cells have a net that is censored or not done" in text
    missing = {row[0]: row[1:] for row in rows_of(text, "What is missing")[1:]}
    assert missing["1x16"] == ["complete", "of 3 nets: 1 succeed at every rate"]
    figure = next(tmp_path.joinpath("c_files").glob("*eta-star.svg")).read_text()
    assert "at least this (1 net)" in figure


def test_exponents_agree_where_zero_lies_in_the_interval_of_their_difference(
    mlrtui: Mlrtui, store: Path, tmp_path: Path
) -> None:
    fit = "UPDATE fit SET exponent = {}, low = {}, high = {} WHERE term = 'depth*width' AND y = 'eta_star'"
    both = " AND sweep_id = (SELECT sweep_id FROM sweep WHERE name = '{}')"
    change(
        store,
        fit.format(-0.5, -0.8, -0.2) + both.format(NAMES[0]),
        fit.format(-0.9, -1.3, -0.5) + both.format(NAMES[1]),
    )
    row = next(row for row in rows_of(compared(mlrtui, tmp_path / "a.md", *NAMES, "--store", store), "Exponents")
               if row[1] == "depth·width" and row[0].startswith("η") and row[2] == "all cells")  # fmt: skip
    assert row[3].startswith("−0.50 \\[−0.80, −0.20\\]")
    assert row[5] == "yes, differ by −0.40 \\[−0.90, 0.10\\]"
    change(store, fit.format(-1.2, -1.6, -0.8) + both.format(NAMES[1]))
    text = compared(mlrtui, tmp_path / "b.md", *NAMES, "--store", store)
    assert "no, differ by −0.70 \\[−1.20, −0.20\\]" in text


def test_the_same_name_in_two_stores_and_two_scans(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(store.read_bytes())
    change(other, "UPDATE net SET eta_star = 2 * eta_star")
    text = compared(mlrtui, tmp_path / "c.md", "small search", "--store", store, "--store", other)
    assert {row[3] for row in rows_of(text, "Cell by cell")[1:]} == {"2"}
    assert "None: both sweeps have the same settings." in text
    assert "Nothing: both have the same cells and seeds" in text
    scans = compared(mlrtui, tmp_path / "s.md", "small scan", "small scan", "--store", store, "--store", other)
    assert "lowest final loss" in scans
    assert {path.name.split("-", 2)[2] for path in tmp_path.joinpath("s_files").glob("*.svg")} == {
        "transfer.svg", "onsets.svg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["small search"], "takes two names, not 1"),
        (["small search", "small search"], "takes two names"),
        (["small search", "small scan"], "compare two of a kind"),
        (["small search", "nothing"], "no sweep of this name"),
        (["small search", "other search", "--store", "mlrtui.db", "--store", "b.db", "--store", "c.db"], "3 stores"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    mlrtui: Mlrtui, store: Path, words: list[str], answer: str
) -> None:
    done = mlrtui("compare-report", *words, "--out", "c.html")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert answer in done.stderr
    assert not store.with_name("c.html").exists()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with opened(tmp_path_factory.mktemp("browser")) as one:
        yield one


def test_a_browser_shows_it_without_a_request_or_a_complaint(
    mlrtui: Mlrtui, store: Path, tmp_path: Path, browser: Browser
) -> None:
    hostile = "<script>document.title='owned'</script>\"'|`"
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE sweep SET name = name || ? WHERE name = 'other search'", (hostile,))
        connection.commit()
    compared(mlrtui, tmp_path / "c.html", NAMES[0], NAMES[1] + hostile, "--store", store)
    browser.open(tmp_path / "c.html")
    assert browser.complaints() == []
    assert browser.requests() == [(tmp_path / "c.html").as_uri()]
    assert browser.value("document.title").startswith("small search and other search<script>")
    assert browser.value("document.querySelectorAll('svg[role=img]').length") == 3
    assert browser.value("document.querySelectorAll('h2').length") == 6
    browser.value("document.querySelectorAll('table.sorts')[1].querySelector('th:nth-child(4) button').click()")
    ratios = browser.value(
        "[...document.querySelectorAll('table.sorts')[1].tBodies[0].rows].map(row => Number(row.cells[3].dataset.v))"
    )
    assert len(ratios) == 4
    assert ratios == sorted(ratios)
