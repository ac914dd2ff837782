"""The example sweep files: in the installed package, or in ``examples/`` of a checkout.

The quick start is at the top level, each paper has a folder: small files for a CPU, the paper's scale for a GPU.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Example", "available", "quickstart"]

QUICKSTART = ("quickstart-catapult", "quickstart-eta-star")


@dataclass(frozen=True)
class Example:
    """An example sweep file; ``title`` is its first comment line."""

    name: str  # path below the examples' folder, without .toml
    path: Path
    title: str
    code: tuple[Path, ...] = ()  # Python files beside it, which it may name


def available() -> list[Example]:
    """All example sweep files, the quick start first. Raises FileNotFoundError if they are not installed."""
    folder = _folder()
    paths = [*sorted(folder.glob("*.toml")), *sorted(folder.glob("*/*.toml"))]
    return [
        Example(path.relative_to(folder).with_suffix("").as_posix(), path, _title(path), _beside(path))
        for path in paths
    ]


def quickstart() -> list[Path]:
    """The files that `mlrtui run` uses without arguments, in order: a catapult scan and an η* grid."""
    return [_folder() / f"{name}.toml" for name in QUICKSTART]


def _folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_examples", package.parent / "examples"):
        if (folder / f"{QUICKSTART[0]}.toml").is_file():
            return folder
    raise FileNotFoundError("the example sweep files are missing; reinstall mlrtui")


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(path.parent.glob("*.py")))


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
