"""Gather what mlrtui needs beside torch, NumPy, SciPy and scikit-learn as wheels for a machine without an index.

    python scripts/collect_wheels.py wheels --python 3.12 --machine x86_64

Carry the folder along with the checkout. There, in the environment that holds torch:

    python -m pip install --no-index --find-links wheels textual rich pydantic sqlite-utils plotext platformdirs typer

Versions are those of constraints.txt. What was taken is printed with version and size.
"""

import argparse
import subprocess
import sys
from pathlib import Path

__all__ = ["NAMES", "command", "main"]

NAMES = ("textual", "rich", "pydantic", "sqlite-utils", "plotext", "platformdirs", "typer")
LIBC = (17, 24, 27, 28, 31, 34, 35)  # glibc 2.N that wheels may be built for: pip takes no "or newer"
CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"


def command(folder: Path, python: str, machine: str) -> list[str]:
    """pip's call: wheels only, for another Python and Linux than this one."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in LIBC] + [f"manylinux2014_{machine}", "any"]
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--implementation", "cp"]
    call += ["--python-version", python, "--dest", str(folder), "--constraint", str(CONSTRAINTS)]
    for platform in platforms:
        call += ["--platform", platform]
    return [*call, *NAMES]


def main() -> None:
    """Download into a folder. Ends with status 1 and pip's words where that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the wheels go; made where it is missing")
    parser.add_argument("--python", default="3.12", help="version of the other machine's Python (3.12)")
    parser.add_argument("--machine", default="x86_64", help="its processor: x86_64, aarch64")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(command(options.folder, options.python, options.machine), check=False).returncode != 0:
        sys.exit("pip could not gather the wheels; what it said stands above")
    total = 0
    for wheel in sorted(options.folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        total += wheel.stat().st_size
        print(f"{name} {version}  {wheel.stat().st_size / 1e6:.1f} MB")
    print(f"{total / 1e6:.1f} MB in {options.folder}, for Python {options.python} on Linux {options.machine}")


if __name__ == "__main__":
    main()
