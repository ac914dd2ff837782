"""The example sweep files: in the installed package, or in ``examples/`` of a checkout.

The quick start is at the top level, each paper has a folder: small files for a CPU, the paper's scale for a GPU.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Example", "available", "cluster", "code", "folder", "quickstart"]

_CLUSTER = (".sbatch", ".sh")

QUICKSTART = ("quickstart-catapult", "quickstart-eta-star")


@dataclass(frozen=True)
class Example:
    """An example sweep file; ``title`` is its first comment line."""

    name: str  # path below the examples' folder, without .toml
    path: Path
    title: str
    runs_code: bool  # whether it names code of its folder, which needs --allow-code


def available() -> list[Example]:
    """All example sweep files, the quick start first. Raises FileNotFoundError if they are not installed."""
    where = folder()
    paths = [*sorted(where.glob("*.toml")), *sorted(where.glob("*/*.toml"))]
    return [
        Example(path.relative_to(where).with_suffix("").as_posix(), path, _title(path), _runs_code(path))
        for path in paths
    ]


def code() -> list[Path]:
    """Beside the files: Python whose nets or trainings they name, scripts of trainings, and scripts for clusters."""
    return sorted(path for path in folder().glob("*/*") if path.suffix in (".py", *_CLUSTER))


def cluster() -> list[tuple[Path, str]]:
    """Scripts for clusters, each with its first comment line."""
    return [(path, _title(path, line=1)) for path in code() if path.suffix in _CLUSTER]


def quickstart() -> list[Path]:
    """The files that `mlrtui run` uses without arguments, in order: a catapult scan and an η* grid."""
    return [folder() / f"{name}.toml" for name in QUICKSTART]


def folder() -> Path:
    """Where they lie. Raises FileNotFoundError if they are not installed."""
    package = Path(__file__).resolve().parents[1]
    for where in (package / "_examples", package.parent / "examples"):
        if (where / f"{QUICKSTART[0]}.toml").is_file():
            return where
    raise FileNotFoundError("the example sweep files are missing; reinstall mlrtui")


def _title(path: Path, line: int = 0) -> str:
    """A comment line of a file, by its number from 0."""
    return path.read_text(encoding="utf-8").splitlines()[line].removeprefix("#").strip()


def _runs_code(path: Path) -> bool:
    with path.open("rb") as file:
        document = tomllib.load(file)
    keys = ("loop", "loss", "optimizer", "schedule")
    named = [document.get("model", {}).get("kind"), *(document["training"].get(key) for key in keys)]
    return any(":" in str(name) for name in named)
