"""The site of the documentation: pages are laid out with links that lead somewhere, and others would be noticed."""

import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from scripts.docs_site import ROOT, lay_out, navigation, pages, repository, rewritten
from scripts.site_links import problems

PAGE = """<html><head><link rel="stylesheet" href="../style.css"></head>
<body><a href="../b/#there">b</a> <a href="https://example.org">out</a><img src="x.svg"></body></html>"""


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    lay_out(folder)
    return folder


def test_every_link_of_the_laid_out_pages_leads_to_a_page_or_to_the_repository(laid_out: Path) -> None:
    blob, found = repository(), 0
    for page in laid_out.rglob("*.md"):
        text = re.sub(r"^```.*?^```|^ {4}.*?$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^()\s#]+)[^()]*\)", text):
            found += 1
            if target.startswith(blob):
                assert (ROOT / target.removeprefix(f"{blob}/")).exists(), f"{page.name}: {target}"
            elif not re.match(r"\w+:", target):
                assert (page.parent / unquote(target)).is_file(), f"{page.name}: {target}"
    assert found > 150


def test_links_of_a_page_move_with_it() -> None:
    source = ROOT / "docs" / "guides" / "x.md"
    places = {ROOT / "README.md": "index.md", ROOT / "docs" / "store.md": "store.md"}
    text = (
        "[a](../../README.md#install) [b](../store.md) [c](../../LICENSE) [d](#here) [e](https://a.org)\n    [f](g)\n"
    )
    moved = rewritten(text, source, "guides/x.md", places, "https://r/blob/v1")
    assert moved.splitlines() == [
        "[a](../index.md#install) [b](../store.md) [c](https://r/blob/v1/LICENSE) [d](#here) [e](https://a.org)",
        "    [f](g)",
    ]


def test_the_menu_has_every_page_once() -> None:
    def places(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [place for value in entry.values() for place in places(value)]
        return [place for value in entry for place in places(value)] if isinstance(entry, list) else [str(entry)]

    menu = yaml.safe_load("\n".join(navigation()))
    assert sorted(places(menu)) == sorted(place for _, place in pages())


def test_the_look_of_the_site_loads_no_fonts_and_asks_no_host() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = yaml.safe_load(re.sub(r"!!python/\S+", "", text))
    assert settings["theme"]["font"] is False
    assert not {"repo_url", "extra_css", "extra_javascript"} & set(settings)  # the theme asks GitHub about repo_url
    assert "http" not in text


def small_site(folder: Path, page: str) -> Path:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (folder / "style.css").write_text("p { background: url(data:image/gif;base64,R0) }")
    (folder / "a" / "x.svg").write_text("<svg/>")
    (folder / "a" / "index.html").write_text(page)
    (folder / "b" / "index.html").write_text('<h2 id="there">b</h2>')
    return folder


def test_a_whole_site_has_no_problems(tmp_path: Path) -> None:
    assert problems(small_site(tmp_path, PAGE)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("../b/#there", "../c/", "leads nowhere"),
        ("#there", "#elsewhere", "no such place"),
        ("x.svg", "y.svg", "y.svg is missing"),
        ("x.svg", "https://example.org/y.svg", "loaded from elsewhere"),
        ("../style.css", "//fonts.example.org/a.css", "loaded from elsewhere"),
        ("<body>", '<body><script src="https://cdn.example.org/a.js"></script>', "loaded from elsewhere"),
        ("<body>", "<body><style>@import 'https://example.org/a.css'</style>", "loaded from elsewhere"),
        ("<body>", '<body><p style="background: url(http://example.org/a.png)">', "loaded from elsewhere"),
    ],
)
def test_what_leads_nowhere_or_loads_from_elsewhere_is_found(old: str, new: str, problem: str, tmp_path: Path) -> None:
    assert old in PAGE
    (found,) = problems(small_site(tmp_path, PAGE.replace(old, new, 1)))
    assert problem in found


def test_styles_are_looked_through(tmp_path: Path) -> None:
    site = small_site(tmp_path, PAGE)
    (site / "style.css").write_text("@font-face { src: url('https://fonts.example.org/a.woff2') }")
    (found,) = problems(site)
    assert "loaded from elsewhere" in found
    assert problems(tmp_path / "nothing") == [f"{tmp_path / 'nothing'}: no pages"]


@pytest.mark.skipif(not (ROOT / "site" / "index.html").is_file(), reason="no site is built here: make docs")
def test_the_built_site_is_whole() -> None:
    assert problems(ROOT / "site") == []
    assert os.path.getsize(ROOT / "site" / "search.json") > 100_000
    text = (ROOT / "site" / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="mlrtui_trainer.gauge.sharpness.sharpness"' in text
    assert sys.prefix not in text
