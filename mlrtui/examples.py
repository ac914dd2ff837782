"""The sweep files that are shipped: in the installed package, or in ``examples/`` of a checkout."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Example", "available", "quickstart"]

QUICKSTART = ("quickstart-catapult", "quickstart-eta-star")


@dataclass(frozen=True)
class Example:
    """A shipped sweep file; ``title`` is its first comment line."""

    name: str
    path: Path
    title: str


def available() -> list[Example]:
    """All shipped sweep files by name. Raises FileNotFoundError where the installation lacks them."""
    return [Example(path.stem, path, _title(path)) for path in sorted(_folder().glob("*.toml"))]


def quickstart() -> list[Path]:
    """The files that a run without files takes, in order: a catapult scan and an η* grid."""
    return [_folder() / f"{name}.toml" for name in QUICKSTART]


def _folder() -> Path:
    package = Path(__file__).resolve().parent
    for folder in (package / "_examples", package.parent / "examples"):
        if (folder / f"{QUICKSTART[0]}.toml").is_file():
            return folder
    raise FileNotFoundError("the shipped sweep files are missing; install mlrtui again")


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
