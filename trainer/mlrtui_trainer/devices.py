"""What is asked of a GPU beside its arithmetic."""

import statistics
import time
from collections.abc import Callable
from contextlib import suppress

import torch

__all__ = ["ceilings", "memory_of"]

LANES, ROWS, WIDTH = 256, 128, 64
"""Of the products that are timed: those of small nets, batched; a large product promises what none of them gets."""

LAUNCHES = 200
"""Operations without work that are timed together."""


def memory_of(device: str) -> int:
    """Bytes of a GPU's memory, whoever uses them."""
    return int(torch.cuda.get_device_properties(torch.device(device)).total_memory)


def ceilings(device: str, clock: Callable[[], float] = time.perf_counter) -> dict[str, str]:
    """What a device does at most with small nets, measured now in about a tenth of a second; whole numbers as texts.

    "gflops": billions of operations a second in batched products of small matrices, in single precision; "launch_ns":
    what the host needs to start an operation. Empty where they cannot be measured: only the sizes of rounds depend on
    them.
    """
    with suppress(Exception):
        a = torch.ones(LANES, ROWS, WIDTH, device=device)
        b = torch.ones(LANES, WIDTH, WIDTH, device=device)
        into, one = torch.empty_like(a), torch.zeros(1, device=device)
        product = _seconds(lambda: torch.bmm(a, b, out=into), 10, clock, into)
        launch = _seconds(lambda: one.add_(1.0), LAUNCHES, clock, one)
        flops = 2.0 * LANES * ROWS * WIDTH * WIDTH / product
        return {"gflops": str(round(flops / 1e9)), "launch_ns": str(round(launch * 1e9))}
    return {}


def _seconds(work: Callable[[], object], times: int, clock: Callable[[], float], result: torch.Tensor) -> float:
    """Of one call, the median of some rounds; reading a number of the result waits for the device."""

    def once() -> float:
        begun = clock()
        for _ in range(times):
            work()
        float(result.flatten()[0])
        return (clock() - begun) / times

    once()  # libraries make themselves ready
    return max(statistics.median(once() for _ in range(3)), 1e-12)
