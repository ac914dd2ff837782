"""What the engine of Ray costs beside the local one: start, a short round, records a second; by turns, on one machine.

python -m benchmarks.engines --rounds 20
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.machine import describe, save, spread
from mlrtui.engines import conformance
from mlrtui.engines.base import Engine
from mlrtui.engines.local import LocalEngine
from mlrtui.engines.ray.engine import RayEngine
from mlrtui_trainer.spec import StepBatch

__all__ = ["main"]

OPENED: dict[str, Callable[[], Engine]] = {"local": lambda: LocalEngine(["cpu"]), "ray": lambda: RayEngine(["cpu"])}
CASES = ((2, 12), (16, 400))  # trials and steps of a short and of a long round


def main() -> None:
    """Measure by turns and print a line for each round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="turns (20)")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()
    records: list[dict[str, object]] = []
    with ExitStack() as opened:
        engines: dict[str, Engine] = {}
        for name, open_engine in OPENED.items():
            begun = time.perf_counter()
            engines[name] = open_engine()
            opened.callback(engines[name].close)
            conformance.wait_until_ready(engines[name])
            ready = time.perf_counter() - begun
            records.append({"engine": name, "ready": ready})
            print(f"{name}: ready after {ready:.1f} s")
        for trials, steps in CASES:
            took: dict[str, list[float]] = {name: [] for name in engines}
            for turn in range(options.rounds + 1):
                for name, engine in engines.items():
                    task = conformance.example_round(trials, steps=steps)
                    begun = time.perf_counter()
                    messages = conformance.results_of(engine, 0, task)
                    if turn:  # the first warms up
                        took[name].append(time.perf_counter() - begun)
            batches = [one for one in messages if isinstance(one, StepBatch)]  # as many of either engine
            rows = sum(len(batch.step) for batch in batches)
            local, ray = (statistics.median(took[name]) for name in ("local", "ray"))
            ratios = [b / a for a, b in zip(took["local"], took["ray"], strict=True)]
            print(
                f"{trials} x {steps} steps, {len(batches)} messages, {rows} rows: local {local * 1e3:.1f} ms, "
                f"ray {ray * 1e3:.1f} ms, ratio {spread(ratios)}, ray {rows / ray:,.0f} rows/s"
            )
            records.append({"trials": trials, "steps": steps, "rows": rows, "seconds": took})
    save(options.json, describe("cpu"), records)


if __name__ == "__main__":
    main()
