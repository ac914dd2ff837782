"""What the engine of Ray costs beside the local one: start, a short round, records a second; by turns, on one machine.

python -m benchmarks.engines --rounds 20
"""

import argparse
import statistics
import time
from collections.abc import Callable

from mlrtui.engines import conformance
from mlrtui.engines.base import Engine
from mlrtui.engines.local import LocalEngine
from mlrtui.engines.ray.engine import RayEngine
from mlrtui_trainer.spec import StepBatch

OPENED: dict[str, Callable[[], Engine]] = {"local": lambda: LocalEngine(["cpu"]), "ray": lambda: RayEngine(["cpu"])}
SHORT, LONG = 12, 400  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    engines: dict[str, Engine] = {}
    for name, opened in OPENED.items():
        begun = time.perf_counter()
        engines[name] = opened()
        conformance.wait_until_ready(engines[name])
        print(f"{name}: ready after {time.perf_counter() - begun:.1f} s")
    try:
        for steps, trials in ((SHORT, 2), (LONG, 16)):
            took: dict[str, list[float]] = {name: [] for name in engines}
            batches = rows = 0
            for turn in range(rounds + 1):
                for name, engine in engines.items():
                    task = conformance.example_round(trials, steps=steps)
                    begun = time.perf_counter()
                    records = conformance.results_of(engine, 0, task)
                    if turn:  # the first warms up
                        took[name].append(time.perf_counter() - begun)
                    batches = sum(isinstance(one, StepBatch) for one in records)
                    rows = sum(len(one.step) for one in records if isinstance(one, StepBatch))
            local, ray = (statistics.median(took[name]) for name in engines)
            ratios = sorted(b / a for a, b in zip(took["local"], took["ray"], strict=True))
            print(
                f"{trials} x {steps} steps, {batches} messages, {rows} rows: local {local * 1e3:.1f} ms, "
                f"ray {ray * 1e3:.1f} ms, ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}), "
                f"ray {rows / ray:,.0f} rows/s"
            )
    finally:
        for engine in engines.values():
            engine.close()


if __name__ == "__main__":
    main()
