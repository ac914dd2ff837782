"""Where a compiled training step spends its time: each part of it alone, at the step's shapes, by turns.

A part is the compiled function that the step calls, over the memory of the step, so often that a timing takes some
milliseconds; "step" is all of it. What the parts do not add up to is bookkeeping, and what a part gains or loses after
another one used the cache. Cross-entropy, SGD, relu, no biases. CPU time, one thread; the lowest of all rounds.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numba import njit

from benchmarks.machine import describe, save, table
from benchmarks.trainings import BATCH, GEMM_SIZE, Case, digits, gemm_seconds, train_spec
from mlrtui_trainer.fast import training
from mlrtui_trainer.fast.losses import lose, rms
from mlrtui_trainer.fast.pieces import pull
from mlrtui_trainer.fast.records import COLUMNS, Data, Extent, Lane, Net, Rows, Rules, Span, Strided
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.fast.tiles import ADDED, RECTIFIED, SET, add_outer, multiply, stride, transpose, whole
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.samples import Samples

SECONDS = 4e-3  # of one timing, about
INPUTS, UNITS, EDGE, ROOM = (training.INPUTS, training.UNITS, training.EDGE, training.ROOM)


class Work(NamedTuple):
    """What every part is given."""

    net: Net
    lane: Lane
    rules: Rules
    data: Data
    seen: np.ndarray


@njit
def step(work, times):
    """Whole steps, over the same batch."""
    for _ in range(times):
        training.train_lane(work.net, work.lane, work.rules, work.data, Span(0, BATCH, 1, 0, 0), work.seen)


@njit
def inputs(work, times):
    """The batch as [inputs, samples]."""
    net, count = work.net, work.net.shapes[0, 1]
    at = net.scratch.ctypes.data + 4 * net.places[net.shapes.shape[0] + INPUTS]
    for _ in range(times):
        transpose(work.data.x.ctypes.data, count, BATCH, count, at, stride(BATCH, 4), net.scratch)


@njit
def forward(work, times):
    """W h of every layer, rectified where it is hidden."""
    net, line = work.net, stride(BATCH, 4)
    layers, at = net.shapes.shape[0], net.scratch.ctypes.data
    for _ in range(times):
        for layer in range(layers):
            out, fan_in = net.shapes[layer]
            h = net.places[layers + INPUTS] if layer == 0 else net.places[layer - 1]
            matrix, z = Strided(work.lane.weights[layer], fan_in, 1), Rows(at + 4 * net.places[layer], line)
            extent = Extent(out, whole(BATCH, 4), fan_in)
            how = RECTIFIED if layer < layers - 1 else SET
            multiply(net.multiply, extent, net.scale[layer], matrix, Rows(at + 4 * h, line), z, how)


@njit
def size(work, times):
    """Root mean square of the last hidden layer."""
    net, last = work.net, work.net.shapes.shape[0] - 2
    for _ in range(times):
        work.seen[0, 0] = rms(net.scratch[net.places[last] :], stride(BATCH, 4), BATCH, net.shapes[last, 0])


@njit
def loss(work, times):
    """Softmax, the loss, and its derivative by the outputs."""
    net = work.net
    layers = net.shapes.shape[0]
    f, room = net.scratch[net.places[layers - 1] :], net.scratch[net.places[layers + ROOM] :]
    for _ in range(times):
        lose(f, stride(BATCH, 4), work.data.y, work.data.labels, work.rules.loss, work.lane.factor, room)


@njit
def backward(work, times):
    """Wᵀ δ of every layer but the first."""
    net, line = work.net, stride(BATCH, 4)
    layers, at = net.shapes.shape[0], net.scratch.ctypes.data
    for _ in range(times):
        for layer in range(layers - 1, 0, -1):
            out, fan_in = net.shapes[layer]
            turned, delta = Strided(work.lane.weights[layer], 1, fan_in), Rows(at + 4 * net.places[layer], line)
            back = Rows(at + 4 * net.places[layers + layer % 2], line)
            extent = Extent(fan_in, whole(BATCH, 4), out)
            multiply(net.multiply, extent, net.scale[layer], turned, delta, back, SET)


@njit
def slope(work, times):
    """δ times relu' of every hidden layer."""
    net, line = work.net, stride(BATCH, 4)
    layers, s = net.shapes.shape[0], net.scratch
    for _ in range(times):
        for layer in range(layers - 1):
            for o in range(net.shapes[layer, 0]):
                back, h = net.places[layers] + o * line, net.places[layer] + o * line
                pull(s[back : back + BATCH], s[h : h + BATCH], net.activation)


@njit
def turned(work, times):
    """h of every hidden layer as [samples, units], for the gradient."""
    net, line = work.net, stride(BATCH, 4)
    layers, at = net.shapes.shape[0], net.scratch.ctypes.data
    units = at + 4 * net.places[layers + UNITS]
    for _ in range(times):
        for layer in range(layers - 1):
            count = net.shapes[layer, 0]
            transpose(at + 4 * net.places[layer], line, count, BATCH, units, stride(count, 4), net.scratch)


@njit
def gradient(work, times):
    """W += -η δ hᵀ of every layer."""
    net, line = work.net, stride(BATCH, 4)
    layers, at = net.shapes.shape[0], net.scratch.ctypes.data
    edge = net.scratch[net.places[layers + EDGE] :]
    for _ in range(times):
        for layer in range(layers):
            out, fan_in = net.shapes[layer]
            units, across = at + 4 * net.places[layers + UNITS], stride(fan_in, 4)
            if layer == 0:
                units, across = work.data.x.ctypes.data, fan_in
            delta, extent = Rows(at + 4 * net.places[layer], line), Extent(out, fan_in, BATCH)
            into = work.lane.weights[layer]
            add_outer(net.multiply, extent, work.lane.factor, delta, Rows(units, across), into, ADDED, edge)


PARTS = (step, inputs, forward, size, loss, backward, slope, turned, gradient)
PRODUCTS = ("forward", "backward", "gradient")


def work_of(case: Case) -> tuple[Work, Weights]:
    """A net and a batch of the digits, and its weights, which are read by address as long as they live.

    η is 0, so that a part finds the same numbers however often it ran.
    """
    data, model = digits(), build(case.net(), "sgd")
    samples = Samples.of(data, torch.float32, "cpu")
    steps = CompiledSteps.of(model, train_spec(case, samples.count), samples, [0.0])
    if steps is None:
        raise SystemExit(f"width {case.width} is not compiled")
    weights = model.initial_weights([1], torch.float32, "cpu")
    w, b = weights.addresses()
    none = np.zeros((2, 0, len(steps.net.shapes)), np.int64)
    lane = Lane(w[0], b[0], none, steps.inertia[0], steps.factors[0], 1e9)
    x, y, labels = (part[:BATCH].contiguous().numpy() for part in (samples.x, samples.y, samples.labels))
    return Work(steps.net, lane, steps.rules, Data(x.ravel(), y, labels.ravel()), np.zeros((1, COLUMNS))), weights


def seconds_of(part: Callable[[Work, int], None], work: Work, times: int) -> float:
    """CPU time of one call."""
    begun = time.process_time()
    part(work, times)
    return (time.process_time() - begun) / times


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Seconds of every part, the lowest of all rounds; "floor": the products' operations at the best rate of torch."""
    work, _weights = work_of(case)
    best: dict[str, float] = {}
    step(work, 1)
    times = {}
    for part in PARTS:
        part(work, 1)
        times[part] = max(1, int(SECONDS / max(min(seconds_of(part, work, 100) for _ in range(3)), 1e-8)))
    rate = 0.0
    for _ in range(rounds):
        rate = max(rate, 2 * GEMM_SIZE**3 / gemm_seconds("cpu"))
        for part in PARTS:
            step(work, 1)  # leaves the numbers of a step
            name = part.__name__
            best[name] = min(best.get(name, np.inf), seconds_of(part, work, times[part]))
    products = [2.0 * BATCH * out * fan_in for out, fan_in in work.net.shapes]
    return best | {"floor": (3 * sum(products) - products[0]) / rate, "rate": rate}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_parts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of every part (15)")
    parser.add_argument("--depths", type=int, nargs="+", default=(2, 8), help="hidden layers (2 8)")
    parser.add_argument("--widths", type=int, nargs="+", default=(32, 64, 256), help="units of a hidden layer")
    parser.add_argument("--json", type=Path, help="write every time here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    names = [part.__name__ for part in PARTS]
    head = ["net", "step, µs", *[f"{name}, %" for name in names[1:]], "the rest, %", "products / floor", "step / floor"]
    rows, cases = [], []
    for depth in options.depths:
        for width in options.widths:
            best = measure(Case(depth, width, 1, 1), options.rounds)
            whole_step = best["step"]
            parts = [best[name] for name in names[1:]]
            shares = [f"{100 * part / whole_step:.0f}" for part in [*parts, whole_step - sum(parts)]]
            over = [sum(best[name] for name in PRODUCTS) / best["floor"], whole_step / best["floor"]]
            rows.append([f"{depth} × {width}", f"{1e6 * whole_step:.1f}", *shares, *[f"{ratio:.2f}" for ratio in over]])
            cases.append({"depth": depth, "width": width} | best)
    print(table(head, rows))
    save(options.json, about, cases)


if __name__ == "__main__":
    main()
