"""Every benchmark, one after the other, each with its figures as JSON: `make bench`.

A program that fails is reported and passed over; the exit code is 1 then. What needs a GPU, or environments of other
projects, is not part of it: see benchmarks/README.md.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import table

__all__ = ["PROGRAMS", "Program", "main"]


class Program(NamedTuple):
    """One benchmark, and the options with which it takes seconds rather than minutes."""

    name: str
    quick: str


PROGRAMS = (
    Program("trainings", "--rounds 1 --epochs 1 --depths 2 --widths 32 --trainings 2"),
    Program("grids", "--rounds 1 --epochs 2 --depths 1 --widths 16 --seeds 1"),
    Program("products", "--rounds 1 --widths 32"),
    Program("step_parts", "--rounds 1 --depths 1 --widths 16"),
    Program("workers", "--rounds 1 --epochs 1 --kinds scan"),
    Program("store_writes", "--rounds 1 --rows 400"),
    Program("pull_cost", "--rows 2000 --later 0 2000"),
    Program("sharpness_cost", "--rounds 1 --steps 7 --depths 1 --widths 16"),
    Program(
        "sharpness_error",
        "--steps 3 --judge-every 1 --nets 1x32 --rates 0.5 --losses mse --batches 128 --operators hessian",
    ),
    Program("gauge_cost", "--nets mlp --rounds 1 --moments 3 --steps 40"),
    Program("image_models", "--rounds 1 --nets cnn:1x2"),
    Program("screen_bytes", "--steps 2000 --rounds 1"),
    Program("widgets", "--rows 50 --keys 2"),
    Program("screen_peers", "--starts 1 --seconds 1"),
    Program("soak", "--seconds 5"),
    Program("soak_kills", "--seconds 20 --rate 2000 --readers 2"),
    Program("kills", "--steps 2000 --kills 1 --works prune backup"),
    Program("recording_cost", "--rounds 1 --steps 200 --lanes 2 --widths 16"),
    Program("many_slots", "--slots 2 --rows 50 --total 2000 --rounds 1"),
    Program("reading", "--steps 5000 --rounds 1"),
    Program("time_left", "--examples quickstart-catapult.toml --set training.steps=20"),
    Program("many_cells", "--cells 50 --plan 50"),
    Program("large_sweep", "--cells 50 --rounds 1"),
    Program(
        "predictions",
        "--examples quickstart-eta-star.toml --set sweep.seeds=1 data.samples=96 model.depth=[1,2,3]"
        " model.width=[16,32,64,128] search.threshold=0.3",
    ),
)


def main() -> None:
    """Run them, each in a process of its own, and print which ended well."""
    names = [program.name for program in PROGRAMS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these alone (all)", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether they run, not how fast anything is")
    parser.add_argument("--out", type=Path, default=Path("bench-figures"), help="folder of the JSON (bench-figures)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for program in (one for one in PROGRAMS if one.name in options.only):
        path = options.out / f"{program.name}.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"benchmarks.{program.name}", "--json", str(path)]
        print(f"\n## {program.name}\n", flush=True)
        start = time.monotonic()
        status = subprocess.run([*command, *(program.quick.split() if options.quick else ())], check=False).returncode
        ended_well = status == 0 and path.exists()
        rows.append(
            [program.name, f"{time.monotonic() - start:.0f}", str(path) if ended_well else f"FAILED (exit {status})"]
        )
    print("\n" + table(("program", "seconds", "figures"), rows))
    sys.exit(0 if all("FAILED" not in row[2] for row in rows) else 1)


if __name__ == "__main__":
    main()
