"""Makes the figures of the gallery by the commands that stand in it: `python -m scripts.gallery STORE [FOLDER]`."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

__all__ = ["GALLERY", "commands", "draw"]

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "guides" / "gallery.md"


def commands() -> list[list[str]]:
    """Arguments of `mlrtui` of each figure, in the order of the page."""
    lines = re.findall(r"^    mlrtui (plot .+)$", GALLERY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [shlex.split(line) for line in lines]


def draw(store: Path, folder: Path) -> None:
    """Make every figure of a store into a folder, in place of older ones.

    Raises:
        CalledProcessError: a command fails; it has printed why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for words in commands():
        command = [sys.executable, "-P", "-m", "mlrtui", *words, "--store", str(store.resolve()), "--force"]
        subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else GALLERY.parents[1] / "figures")
