"""What λ at every step costs: by mlrtui's lanes, by a plain loop of products, and by other projects, interleaved.

All train the same nets by full-batch gradient descent on 128 digits and find the largest eigenvalue of the same
Hessian. The lanes do all steps of all trials; the others do one step and one λ at each of some moments of the same
trainings. Times are CPU times, one thread, so that a shared machine disturbs them less; only ratios taken in the
same round mean anything. Errors are relative to 60 products of a cold Lanczos in double precision. With ``--jax`` a
child process follows the same trainings by JAX, see `benchmarks.jax_sharpness`, from step to step, in the same rounds.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.jax_child import JaxChild
from benchmarks.machine import describe, save, spread, table
from benchmarks.peers import METHODS, Problem, installed
from benchmarks.replay import Tracked, moments, reference, track, trials_at
from benchmarks.sharpness_error import first_digits
from benchmarks.trainings import GEMM_SIZE, gemm_seconds, plain_net, seconds
from mlrtui_trainer import worker
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.kinds import n_params
from mlrtui_trainer.models.mlp import Mlp, Weights
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import Dataset, NetSpec, Round, SharpnessSpec, TrainSpec

SAMPLES = 128
SEEDS = (0, 1)
RATES = (0.5, 1.5, 2.5, 4.0)  # η·λ₀
JUDGED = (0,)  # seeds whose trainings the others see
STRIDE = 6
OURS = "mlrtui"
TIGHT = 1e-5
TIGHTER = f"{OURS}, tolerance {TIGHT:g}"
BY_JAX = {f"JAX, {count} products": count for count in (8, 20)}  # a λ, by method


@dataclass(frozen=True)
class Moment:
    """Weights at which everybody finds λ."""

    lane: int  # place among the trials
    step: int
    weights: tuple[Tensor, ...]  # per layer [out, in]
    before: Tensor  # top eigenvector one step before, [n_params]
    value_before: float
    true: float
    ours: float


@dataclass(frozen=True)
class Timing:
    """One round, in milliseconds of CPU time for one step of one training; ``gemm`` for one large product."""

    ours: float  # step and λ
    newton: float  # the same with the Gauss-Newton matrix
    blind: float  # step without λ
    plain: float  # step of the plain loop, without λ
    jax: float  # step of JAX, without λ; NaN where it is not asked for
    others: dict[str, float]  # λ alone, by method
    gemm: float


@dataclass(frozen=True)
class Measured:
    """All rounds of one net. ``flop``: of the matrix products of one step with its λ, on average."""

    depth: int
    width: int
    params: int
    products: float  # a λ
    newton_products: float
    flop: float
    timings: tuple[Timing, ...]
    errors: dict[str, tuple[float, ...]]

    def times(self, method: str) -> list[float]:
        """How many times longer a step with λ takes than ours, round by round."""
        own = "jax" if method in BY_JAX else "blind" if method == TIGHTER else "plain"
        steps = [getattr(timing, own) for timing in self.timings]
        return [(step + timing.others[method]) / timing.ours for step, timing in zip(steps, self.timings, strict=True)]

    @property
    def floors(self) -> list[float]:
        """Our time over what the matrix products alone take at this round's GEMM rate."""
        return [timing.ours / (self.flop * timing.gemm / (2 * GEMM_SIZE**3)) for timing in self.timings]


def rounds_of(depth: int, width: int, steps: int, data: Dataset) -> dict[str, Round]:
    """The same trials with λ of either operator at every step, and without."""
    net, train = NetSpec("mlp", 64, 10, depth, width), TrainSpec("ce", len(data.x), steps, 1)
    task = Round(1, data.data_id, net, train, SharpnessSpec("hessian", every=1), ())
    task = replace(task, trials=trials_at(task, data, SEEDS, RATES))
    return {
        "hessian": task,
        "gauss-newton": replace(task, sharpness=SharpnessSpec("gauss-newton", every=1)),
        "tight": replace(task, sharpness=SharpnessSpec("hessian", every=1, tolerance=TIGHT)),
        "none": replace(task, sharpness=SharpnessSpec(every=0)),
    }


Paths = Mapping[int, list[tuple[Tensor, ...]]]  # weights of every step, by lane


def moments_of(task: Round, data: Dataset) -> tuple[list[Moment], Paths, float]:
    """Every `STRIDE`-th step of the judged seeds' trainings; all their weights; and our products for a λ."""
    mlp, samples = Mlp.of(task.net), Samples.of(data, torch.float32, "cpu").to(torch.float64)
    tracked = track(task, data)
    counts = np.concatenate([columns["products"] for columns in tracked.columns.values()])
    found: list[Moment] = []
    paths: dict[int, list[tuple[Tensor, ...]]] = {}
    last: dict[int, tuple[Tensor, float]] = {}
    for moment in moments(task, tracked, data):
        judged = [k for k, lane in enumerate(moment.lanes) if task.trials[lane].seed in JUDGED]
        for k in judged:
            paths.setdefault(moment.lanes[k], []).append(tuple(w[k].clone() for w in moment.weights.w))
        due = moment.step > 0 and moment.step % STRIDE == 0
        if not due and (moment.step + 1) % STRIDE:
            continue
        weights = moment.weights.select(torch.tensor(judged))
        double = Weights(tuple(w.double() for w in weights.w), ())
        matrix = curvature(mlp, double, samples.x, samples.y, "ce", "hessian")
        values, vectors = reference(matrix.apply, len(judged), mlp.n_params, 60)
        for k, place in enumerate(judged):
            lane = moment.lanes[place]
            if due and lane in last:
                own = paths[lane][-1]
                found.append(
                    Moment(lane, moment.step, own, *last[lane], float(values[k]), float(moment.sharpness[place]))
                )
            last[lane] = (vectors[k], float(values[k]))
    return found, paths, float(counts[counts > 0].mean())


def stored(tracked: Tracked, task: Round, moment: Moment) -> float:
    """λ as the round stored it there."""
    columns = tracked.columns[task.trials[moment.lane].trial_id]
    return float(columns["sharpness"][columns["step"] == moment.step][0])


def as_in_a_sweep(task: Round, data: Dataset) -> None:
    """All steps of a round, by the compiled steps where they are installed; `track` leaves those out."""
    list(worker.run_task(task, data, "cpu"))


def plain_step(problem: Problem, optimizer: torch.optim.Optimizer) -> float:
    """One step as a person writes it."""
    optimizer.zero_grad()
    loss = problem.loss()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def flop_of(net: NetSpec, products: float, samples: int = SAMPLES) -> float:
    """Matrix products of a step, of what all Hessian products share, and of ``products`` Hessian products."""
    layers = [2.0 * samples * fan_in * out for fan_in, out in pairwise(net.sizes)]
    first, others = layers[0], sum(layers[1:])
    step = 2 * first + 3 * others  # forward, gradient, and the signal passed down
    shared = first + 2 * others  # forward, and the signal passed down
    each = 2 * first + 6 * others
    return step + shared + products * each


@dataclass(frozen=True)
class Followed:
    """What JAX answers in one round: milliseconds of a step, and of λ alone by method; every λ by method and lane."""

    step: float
    costs: dict[str, float]
    values: dict[str, dict[int, list[float]]]


def follow_by_jax(jax: JaxChild, paths: Paths, data: Dataset) -> Followed:
    """λ at all weights of these trainings; one that ended early stays at its last weights, to fit beside the others."""
    steps = max(map(len, paths.values()))
    lanes = [[*path, *[path[-1]] * (steps - len(path))] for path in paths.values()]
    layers = range(len(lanes[0][0]))
    arrays: dict[str, Any] = {"x": data.x.astype(np.float32), "labels": data.labels.astype(np.int32)}
    arrays |= {f"w{i}": torch.stack([torch.stack([at[i].T for at in path]) for path in lanes]).numpy() for i in layers}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "trainings.npz")
        np.savez(file, **arrays)
        answers = {name: jax.ask(trainings=str(file), products=count) for name, count in BY_JAX.items()}
    each = 1e3 / (len(lanes) * steps)
    return Followed(
        each * statistics.median(answer["step"] for answer in answers.values()),
        {name: each * (answer["both"] - answer["step"]) for name, answer in answers.items()},
        {name: dict(zip(paths, answer["sharpness"], strict=True)) for name, answer in answers.items()},
    )


def measure(depth: int, width: int, steps: int, rounds: int, data: Dataset, jax: JaxChild | None) -> Measured:
    """Everybody by turns, ``rounds`` times; a turn before the first warms up."""
    tasks = rounds_of(depth, width, steps, data)
    net = tasks["none"].net
    judged, paths, products = moments_of(tasks["hessian"], data)
    newton = track(tasks["gauss-newton"], data)
    counts = np.concatenate([columns["products"] for columns in newton.columns.values()])
    x = torch.tensor(data.x, dtype=torch.float32)
    labels, model = torch.tensor(data.labels), plain_net(net)
    tight = track(tasks["tight"], data)
    errors: dict[str, list[float]] = {
        OURS: [abs(moment.ours / moment.true - 1.0) for moment in judged],
        TIGHTER: [abs(stored(tight, tasks["tight"], moment) / moment.true - 1.0) for moment in judged],
    }

    def turn(moments: Sequence[Moment], keep: bool) -> Timing:
        spent = dict.fromkeys(("plain", *installed()), 0.0)
        for moment in moments:
            with torch.no_grad():
                for parameter, w in zip(model.parameters(), moment.weights, strict=True):
                    parameter.copy_(w)
            problem = Problem(model, x, labels, moment.before, moment.value_before)
            for name in installed():
                begun = time.process_time()
                value = METHODS[name](problem)
                spent[name] += time.process_time() - begun
                if keep:
                    errors.setdefault(name, []).append(abs(value / moment.true - 1.0))
            spent["plain"] += seconds(partial(plain_step, problem, torch.optim.SGD(model.parameters(), lr=0.0)), "cpu")
        steps_done = steps * len(tasks["none"].trials)
        own = {
            name: 1e3 * seconds(partial(as_in_a_sweep, task, data), "cpu") / steps_done for name, task in tasks.items()
        }
        others = {name: 1e3 * total / len(moments) for name, total in spent.items()}
        others[TIGHTER] = own["tight"] - own["none"]
        plain, step = others.pop("plain"), math.nan
        if jax is not None:
            followed = follow_by_jax(jax, paths, data)
            step, others = followed.step, others | followed.costs
            for name, values in followed.values.items() if keep else ():
                found = [abs(values[moment.lane][moment.step] / moment.true - 1.0) for moment in moments]
                errors.setdefault(name, []).extend(found)
        return Timing(own["hessian"], own["gauss-newton"], own["none"], plain, step, others, 1e3 * gemm_seconds("cpu"))

    turn(judged[:2], keep=False)
    timings = tuple(turn(judged, keep=True) for _ in range(rounds))
    kept = {name: tuple(values) for name, values in errors.items()}
    newton_products = float(counts[counts > 0].mean())
    flop = flop_of(net, products, len(data.x))
    return Measured(depth, width, n_params(net), products, newton_products, flop, timings, kept)


COST_HEAD = (
    "depth",
    "width",
    "products a λ",
    "step + λ, ms",
    "of which λ",
    "20 products, ms",
    "times ours",
    "times ours, graph kept",
    "times the GEMM floor",
    "Gauss-Newton: products",
    "step + λ, ms",
)
PEER_HEAD = ("depth", "width", "method", "λ, ms", "times ours", "error: median", "99 %", "worst")


def cost_row(one: Measured) -> list[str]:
    """The lanes beside the plain loop."""
    loop, kept = list(METHODS)[:2]
    ours = statistics.median(timing.ours for timing in one.timings)
    return [
        str(one.depth),
        str(one.width),
        f"{one.products:.1f}",
        f"{ours:.2f}",
        f"{ours - statistics.median(timing.blind for timing in one.timings):.2f}",
        f"{statistics.median(timing.others[loop] for timing in one.timings):.1f}",
        spread(one.times(loop), 1),
        spread(one.times(kept), 1),
        spread(one.floors, 1),
        f"{one.newton_products:.1f}",
        f"{statistics.median(timing.newton for timing in one.timings):.2f}",
    ]


def peer_rows(one: Measured) -> Iterator[list[str]]:
    """λ alone by each, with its error."""
    for name in one.errors:
        if name == OURS:
            times, ratio = [timing.ours - timing.blind for timing in one.timings], "1"
        else:
            times, ratio = [timing.others[name] for timing in one.timings], spread(one.times(name), 1)
        errors = one.errors[name]
        numbers = (float(np.median(errors)), float(np.quantile(errors, 0.99)), max(errors))
        shown = [f"{number:.0e}" for number in numbers]
        yield [str(one.depth), str(one.width), name, f"{statistics.median(times):.2f}", ratio, *shown]


def _versions() -> dict[str, str]:
    found = {}
    for package in ("scipy", "pyhessian", "curvlinops-for-pytorch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main() -> None:
    """Measure, print two tables, and write all numbers to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharpness_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds of every net (3)")
    parser.add_argument("--steps", type=int, default=24, help="steps of every trial (24)")
    parser.add_argument("--depths", type=int, nargs="+", default=(2, 4), help="hidden layers (2 4)")
    parser.add_argument("--widths", type=int, nargs="+", default=(32, 64, 128), help="units of a hidden layer")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="digits that train, in full batches (128)")
    parser.add_argument("--jax", type=Path, metavar="PYTHON", help="the Python of an environment that has JAX")
    parser.add_argument("--json", type=Path, help="write every timing and error here")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, results = first_digits(options.samples), []
    jax = None if options.jax is None else JaxChild(options.jax, "benchmarks.jax_sharpness")
    about = describe("cpu") | _versions() | ({} if jax is None else {"jax": jax.version})
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    for width, depth in product(options.widths, options.depths):
        results.append(measure(depth, width, options.steps, options.rounds, data, jax))
        done = [cost_row(results[-1]), *peer_rows(results[-1])]
        print(*(" · ".join(line) for line in done), sep="\n", file=sys.stderr, flush=True)
    print(table(COST_HEAD, [cost_row(one) for one in results]))
    print()
    print(table(PEER_HEAD, [row for one in results for row in peer_rows(one)]))
    rate = statistics.median(2e3 * GEMM_SIZE**3 / timing.gemm for one in results for timing in one.timings)
    print(f"\nGEMM: {rate / 1e9:.0f} GFLOP/s")
    save(options.json, about, [asdict(one) for one in results])


if __name__ == "__main__":
    main()
