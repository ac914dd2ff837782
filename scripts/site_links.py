"""Looks up every link, anchor and resource of a built site: `python -m scripts.site_links site`.

Links may leave the site; what a page loads by itself may not: scripts, styles, fonts, pictures.
"""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Found", "problems", "read_page"]

LOADING_RELATIONS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
    "manifest",
}
CSS_ADDRESS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])([^'\")]+)")
NOT_LOADED = ("data:", "#")


@dataclass
class Found(HTMLParser):
    """What a page refers to."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note names, links and what is loaded."""
        values = {name: value or "" for name, value in attrs}
        self.names |= {values[name] for name in ("id", "name") if values.get(name)}
        self._style = tag == "style"
        if tag in {"a", "area"} and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and LOADING_RELATIONS & set(values.get("rel", "").split()):
            self.loaded.append(values.get("href", ""))
        elif tag == "link" and "href" in values and values.get("rel") in {"prev", "next"}:
            self.links.append(values["href"])
        for name in ("src", "poster", "data"):
            if values.get(name):
                self.loaded.append(values[name])
        self.loaded += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
        self.loaded += CSS_ADDRESS.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Styles within the page load as files of styles do."""
        if self._style:
            self.loaded += CSS_ADDRESS.findall(data)


def read_page(path: Path) -> Found:
    """What a page refers to, and the names of its places."""
    found = Found()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def problems(site: Path) -> list[str]:
    """A sentence for every link that leads nowhere and everything that a page loads from elsewhere."""
    read = {path: read_page(path) for path in sorted(site.rglob("*.html"))}
    wrong = [] if read else [f"{site}: no pages"]
    for path, found in read.items():
        name = path.relative_to(site).as_posix()
        for address in found.loaded:
            wrong += [f"{name}: {sentence}" for sentence in _of_resource(site, path, address)]
        for address in found.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _file(site, path, parts.path)
            if not target.exists():
                wrong.append(f"{name}: {address} leads nowhere")
            elif target in read and parts.fragment and unquote(parts.fragment) not in read[target].names:
                wrong.append(f"{name}: {address} has no such place")
    for path in sorted(site.rglob("*.css")):
        name = path.relative_to(site).as_posix()
        for address in CSS_ADDRESS.findall(path.read_text(encoding="utf-8")):
            wrong += [f"{name}: {sentence}" for sentence in _of_resource(site, path, address)]
    return sorted(set(wrong))


def _of_resource(site: Path, path: Path, address: str) -> list[str]:
    if not address or address.startswith(NOT_LOADED):
        return []
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return [f"{address} is loaded from elsewhere"]
    return [] if _file(site, path, parts.path).is_file() else [f"{address} is missing"]


def _file(site: Path, page: Path, name: str) -> Path:
    """The file of an address; an address from the root is one below ``site``."""
    start = site if name.startswith("/") else page.parent
    target = (start / unquote(name).lstrip("/")).resolve() if name else page
    return target / "index.html" if target.is_dir() else target


def main() -> int:
    """The command."""
    wrong = problems(Path(sys.argv[1]).resolve())
    print("\n".join(wrong) or "every link and resource is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
