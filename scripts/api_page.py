"""The page of the Python API, made from the packages: `python -m scripts.api_page > docs/api.md`.

Each name has one row. Its whole docstring is put in by the site (scripts/docs_site.py) where the comments `api:` stand.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PUBLIC", "Package", "page"]


@dataclass(frozen=True)
class Package:
    """A package whose ``__all__`` is public."""

    name: str
    purpose: str
    needs_extra: bool = False  # its classes are then read, not imported


@dataclass(frozen=True)
class Name:
    """A public name."""

    name: str
    home: str  # where it is defined: the site reads the source there
    docstring: str


PUBLIC = (
    Package("mlrtui", "Measure, record, search and read. Importing it loads neither torch nor NumPy."),
    Package("mlrtui.figures", "Figures on axes of matplotlib; extra `plot`. Guide: [figures](guides/figures.md)."),
    Package("mlrtui.integrations.lightning", "Extra `lightning`. Guide: [frameworks](guides/frameworks.md).", True),
    Package("mlrtui.integrations.transformers", "Extra `transformers`. Guide: the same.", True),
    Package("mlrtui_trainer", "The instrument without store and screens; for packages that add to mlrtui."),
    Package("mlrtui_db", "The store, with the standard library alone."),
)

INTRODUCTION = """\
# The Python API

<!-- Made by `python -m scripts.api_page`; change the docstrings, then make it again. -->

Everything that is public. Guides: [from Python](guides/python.md), [reading a store](guides/reading.md).
Names that these packages do not list may change in any version.
"""


def page() -> str:
    """The page as Markdown: a table for each package, and for the site where each docstring belongs."""
    lines, written = [INTRODUCTION], set[str]()
    for package in PUBLIC:
        names = list(_read(package) if package.needs_extra else _imported(package))
        lines += [f"## {package.name}", "", package.purpose, "", "| name | |", "| --- | --- |"]
        lines += [f"| `{name.name}` | {_first_sentence(name.docstring)} |" for name in names]
        lines.append("")
        for name in names:
            if name.home not in written:
                written.add(name.home)
                lines.append(f"<!-- api: {name.home} as {package.name}.{name.name} -->")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _imported(package: Package) -> Iterator[Name]:
    module = import_module(package.name)
    for name in module.__all__:
        thing = getattr(module, name)
        if not name.startswith("__"):
            yield Name(name, f"{thing.__module__}.{thing.__qualname__}", inspect.getdoc(thing) or "")


def _read(package: Package) -> Iterator[Name]:
    spec = find_spec(package.name)
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield Name(node.name, f"{package.name}.{node.name}", ast.get_docstring(node) or "")


def _first_sentence(docstring: str) -> str:
    first = docstring.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return first.split(". ")[0].rstrip(".").replace("``", "`").replace("η*", "η\\*") + "."


if __name__ == "__main__":
    sys.stdout.write(page())
