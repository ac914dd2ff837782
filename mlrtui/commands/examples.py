"""The sweep files that are shipped: in the installed package, or in ``examples/`` of a checkout.

Files of the quick start lie at the top, those of a paper in a folder: small ones for a CPU, its own scale for a GPU.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Example", "available", "quickstart"]

QUICKSTART = ("quickstart-catapult", "quickstart-eta-star")


@dataclass(frozen=True)
class Example:
    """A shipped sweep file; ``title`` is its first comment line."""

    name: str  # path below the examples' folder, without .toml
    path: Path
    title: str


def available() -> list[Example]:
    """All shipped sweep files, the quick start first. Raises FileNotFoundError where the installation lacks them."""
    folder = _folder()
    paths = [*sorted(folder.glob("*.toml")), *sorted(folder.glob("*/*.toml"))]
    return [Example(path.relative_to(folder).with_suffix("").as_posix(), path, _title(path)) for path in paths]


def quickstart() -> list[Path]:
    """The files that a run without files takes, in order: a catapult scan and an η* grid."""
    return [_folder() / f"{name}.toml" for name in QUICKSTART]


def _folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_examples", package.parent / "examples"):
        if (folder / f"{QUICKSTART[0]}.toml").is_file():
            return folder
    raise FileNotFoundError("the shipped sweep files are missing; install mlrtui again")


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
