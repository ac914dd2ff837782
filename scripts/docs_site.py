"""The site of the documentation: `python -m scripts.docs_site` builds it into `site/`, without a network.

The pages are the files that GitHub shows. They are laid out in `build/docs` with links that also lead somewhere there:
a link to a file that is no page goes to the repository. Zensical builds them, strict about links; then every link,
anchor and resource of the built pages is looked up (scripts/site_links.py).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from mlrtui.version import __version__
from scripts.site_links import problems

__all__ = ["Page", "lay_out", "main", "navigation", "pages", "rewritten"]

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BUILD = ROOT / "build"

PROJECT_PAGES = {  # outside docs/, by their place on the site
    "README.md": "index.md",
    "docs/README.md": "documentation.md",
    "benchmarks/README.md": "measuring.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^()\s#]*)(#[^()\s]*)?(?=\))")
FENCE = re.compile(r"^ {0,3}(```|~~~)")
API = re.compile(r"^<!-- api: (\S+) as (\S+) -->$", flags=re.MULTILINE)

Page = tuple[Path, str]  # the file, and its place on the site


def repository() -> str:
    """Where files that are no pages are shown: the tree of the version's tag."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return f"{tomllib.load(file)['project']['urls']['Repository']}/blob/v{__version__}"


def pages() -> list[Page]:
    """Every page with its place on the site."""
    found = [(ROOT / name, place) for name, place in PROJECT_PAGES.items()]
    for path in sorted(DOCS.rglob("*.md")):
        if path != DOCS / "README.md":
            place = path.relative_to(DOCS)
            found.append((path, (place.with_name("index.md") if place.name == "README.md" else place).as_posix()))
    return found


def rewritten(text: str, source: Path, place: str, places: dict[Path, str], blob: str) -> str:
    """The text of a page for the site: links lead to pages and pictures of the site, or to the repository."""

    def target(match: re.Match[str]) -> str:
        name, anchor = match[1], match[2] or ""
        if not name:
            return anchor
        path = (source.parent / name).resolve()
        there = places.get(path)
        if there is not None:
            return os.path.relpath(there, os.path.dirname(place) or ".") + anchor
        return f"{blob}/{path.relative_to(ROOT).as_posix()}"

    lines, fenced = [], False
    for line in text.splitlines():
        fenced ^= FENCE.match(line) is not None
        lines.append(line if fenced or line.startswith("    ") else LINK.sub(target, line))
    return API.sub(_directive, "\n".join(lines) + "\n")


def _directive(match: re.Match[str]) -> str:
    """What mkdocstrings replaces by a docstring; it belongs to the name that users import."""
    return f'::: {match[1]}\n    options:\n      heading: "{match[2]}"\n'


def lay_out(folder: Path) -> None:
    """Write all pages and pictures into ``folder``, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    found = pages()
    pictures = [path for path in DOCS.rglob("*") if path.suffix in {".svg", ".png"}]
    places = dict(found) | {path: path.relative_to(DOCS).as_posix() for path in pictures}
    blob = repository()
    for path, place in found:
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        text = rewritten(path.read_text(encoding="utf-8"), path, place, places, blob)
        target.write_text(text, encoding="utf-8")
    for path in pictures:
        target = folder / places[path]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def navigation() -> Iterator[str]:
    """The menu as lines of YAML: the sections of docs/README.md in their order, then the pages about the project."""
    places = dict(pages())
    index = DOCS / "README.md"
    yield "nav:"
    yield "  - Home: index.md"
    for section in re.split(r"^## ", index.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        yield f"  - {title}:"
        if title == "Guides":
            yield "      - All pages: documentation.md"
        for label, name in re.findall(r"^\| \[(.+?)\]\(([^)#]+\.md)\)", rest, flags=re.MULTILINE):
            path = (index.parent / name).resolve()
            if path.name != "README.md":
                yield f"      - {_plain(label)}: {places[path]}"
                continue
            yield f"      - {_plain(label)}:"
            yield f"          - {places[path]}"
            yield from (f"          - {places[child]}" for child in sorted(path.parent.glob("*.md")) if child != path)
    yield "  - Project:"
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"):
        label = "Measuring speed: " if name.startswith("benchmarks") else ""  # its own title is another page's
        yield f"      - {label}{PROJECT_PAGES[name]}"


def _plain(label: str) -> str:
    r"""A label of Markdown as a text of YAML, whose quotes know other escapes than ``\*``."""
    return json.dumps(re.sub(r"\\([*_`])", r"\1", label), ensure_ascii=False)


def main() -> int:
    """Build the site; 1 and a list of what is wrong, or 0."""
    source, site = BUILD / "docs", ROOT / "site"
    lay_out(source)
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8") + "\n" + "\n".join(navigation()) + "\n"
    config = BUILD / "mkdocs.yml"
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    built = subprocess.run(command, cwd=BUILD, check=False)
    if built.returncode != 0:
        return 1
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(BUILD / "site", site)  # Zensical builds within the folder of its configuration
    wrong = problems(site)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"site: {site}/index.html, {sum(1 for _ in site.rglob('*.html'))} pages")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
