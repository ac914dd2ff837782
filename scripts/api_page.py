"""The page of the Python API, made from the packages: `python -m scripts.api_page > docs/api.md`.

Each name has one row. Its whole docstring is put in by the site (scripts/docs_site.py) where the comments `api:` stand.
"""

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module

__all__ = ["PUBLIC", "Package", "page"]


@dataclass(frozen=True)
class Package:
    """A package whose ``__all__`` is public."""

    name: str
    purpose: str


PUBLIC = (
    Package("mlrtui", "Measure, record, search and read. Importing it loads neither torch nor NumPy."),
    Package("mlrtui.figures", "Figures on axes of matplotlib; extra `plot`. Guide: [figures](guides/figures.md)."),
    Package("mlrtui.integrations.lightning", "Extra `lightning`. Guide: [frameworks](guides/frameworks.md#lightning)."),
    Package("mlrtui.integrations.transformers", "Extra `transformers`. Guide: [frameworks](guides/frameworks.md)."),
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
    lines = [INTRODUCTION]
    shown: dict[str, str] = {}
    for package in PUBLIC:
        module = import_module(package.name)
        names = [name for name in module.__all__ if not name.startswith("__")]
        lines += [f"## {package.name}", "", package.purpose, "", "| name | |", "| --- | --- |"]
        lines += [f"| `{name}` | {_first_sentence(getattr(module, name))} |" for name in names]
        lines.append("")
        for name in names:
            home = _home(getattr(module, name), f"{package.name}.{name}")
            if home not in shown:
                shown[home] = package.name
                lines += [f"<!-- api: {home} as {package.name}.{name} -->"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _first_sentence(thing: object) -> str:
    first = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return first.split(". ")[0].rstrip(".").replace("``", "`").replace("η*", "η\\*") + "."


def _home(thing: object, otherwise: str) -> str:
    """Where a function or class is defined: the site reads the source there."""
    name = getattr(thing, "__qualname__", None)
    return f"{getattr(thing, '__module__', '')}.{name}" if name else otherwise


if __name__ == "__main__":
    sys.stdout.write(page())
