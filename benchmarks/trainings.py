"""A fixed list of trainings by the plain loop and by mlrtui's lanes, interleaved in one process.

The plain loop is what a person writes: `nn.Sequential`, `optim.SGD`, `loss.item()` at every step, one training after
the other. Both keep the loss of every step and evaluate loss and accuracy over all samples at the start and at every
epoch's end. Rates are small enough that every training does all its steps. The lanes run as they are installed, and
once more without compiled steps where these are (the extra fast). With ``--jax`` a child process does the same list by
JAX, see `benchmarks.jax_trainings`, in the same rounds. Only ratios taken in the same round mean anything on a machine
that is shared.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.jax_child import JaxChild
from benchmarks.machine import describe, save, spread, table
from mlrtui_trainer import worker
from mlrtui_trainer.fast import route
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.spec import Dataset, NetSpec, Outcome, Round, SharpnessSpec, StepBatch, TrainSpec, TrialSpec

BATCH = 128
DEPTHS = (2, 4, 8)  # hidden layers
TRAININGS = {32: 16, 64: 16, 128: 8, 256: 4, 512: 4}  # per width
SEEDS = 4
GEMM_SIZE = 1024


@dataclass(frozen=True)
class Case:
    """The trainings of one architecture."""

    depth: int
    width: int
    trainings: int
    epochs: int

    def net(self) -> NetSpec:
        """The architecture, as the trainer takes it."""
        return NetSpec(kind="mlp", inputs=64, outputs=10, depth=self.depth, width=self.width)

    def trials(self) -> tuple[TrialSpec, ...]:
        """Rates in equal ratios from 0.01 to 0.05, four seeds by turns."""
        etas = np.geomspace(0.01, 0.05, self.trainings)
        return tuple(
            TrialSpec(trial_id=i, attempt=1, seed=i % SEEDS, eta=float(eta), lambda0=math.nan)
            for i, eta in enumerate(etas)
        )


@dataclass(frozen=True)
class Timing:
    """One case in one round, in seconds."""

    plain: float
    lanes: float
    general: float  # lanes without compiled steps
    gemm: float  # of one multiplication of two GEMM_SIZE² matrices


@dataclass(frozen=True)
class Measured:
    """All rounds of one case; ``flop`` is what its steps and evaluations need at least."""

    case: Case
    steps: int
    flop: float
    timings: tuple[Timing, ...]
    jax: tuple[float, ...]  # seconds of the quicker of its two ways, round by round, compiled before; where asked for

    @property
    def ratios(self) -> list[float]:
        """How many times faster the lanes were, round by round."""
        return [timing.plain / timing.lanes for timing in self.timings]

    @property
    def gains(self) -> list[float]:
        """What compiled steps add, round by round."""
        return [timing.general / timing.lanes for timing in self.timings]

    @property
    def over_jax(self) -> list[float]:
        """How many times faster than JAX the lanes were, round by round."""
        return [jax / timing.lanes for jax, timing in zip(self.jax, self.timings, strict=True)]

    @property
    def floors(self) -> list[float]:
        """Time of the lanes over the time that the multiplications alone take at this round's GEMM rate."""
        return [timing.lanes / (self.flop * timing.gemm / (2 * GEMM_SIZE**3)) for timing in self.timings]


def digits() -> Dataset:
    """All 1797 digits, one mean image and one standard deviation."""
    raw = load_digits()
    x = np.asarray(raw.data, dtype=np.float64)
    x = (x - x.mean(axis=0)) / (x - x.mean(axis=0)).std()
    labels = np.asarray(raw.target, dtype=np.int64)
    return Dataset(data_id="digits", kind="classes", x=x, y=np.eye(10)[labels], labels=labels)


def train_spec(case: Case, samples: int) -> TrainSpec:
    """Cross-entropy, SGD, whole batches."""
    per_epoch = samples // BATCH
    return TrainSpec(loss="ce", batch=BATCH, max_steps=case.epochs * per_epoch, steps_per_epoch=per_epoch)


def plain_net(net: NetSpec) -> nn.Sequential:
    """The same architecture by hand: He normal weights, no biases."""
    layers: list[nn.Module] = []
    for fan_in, out in pairwise(net.sizes):
        linear = nn.Linear(fan_in, out, bias=False)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train_plainly(case: Case, trial: TrialSpec, x: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """One training; the loss of every step."""
    torch.manual_seed(trial.seed)
    net = plain_net(case.net()).to(x.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=trial.eta)
    losses: list[float] = []
    evaluate(net, x, labels)
    for _ in range(case.epochs):
        losses += plain_epoch(net, optimizer, x, labels, torch.randperm(len(x), device=x.device))
        evaluate(net, x, labels)
    return losses


def plain_epoch(
    net: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, labels: torch.Tensor, order: torch.Tensor
) -> Iterator[float]:
    """A step for every whole batch of samples in this order; the loss of each."""
    criterion = nn.CrossEntropyLoss()
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad()
        loss = criterion(net(x[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        yield loss.item()


@torch.no_grad()
def evaluate(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy over all samples."""
    logits = net(x)
    accuracy = (logits.argmax(dim=1) == labels).double().mean()
    return nn.functional.cross_entropy(logits, labels).item(), accuracy.item()


def train_in_lanes(case: Case, dataset: Dataset, device: str) -> int:
    """The whole list as one round; the number of step records that came back."""
    task = Round(
        task_id=0,
        data_id=dataset.data_id,
        net=case.net(),
        train=train_spec(case, len(dataset.x)),
        sharpness=SharpnessSpec(every=0),
        trials=case.trials(),
    )
    rows, verdicts = 0, []
    for message in worker.run_task(task, dataset, device):
        if isinstance(message, StepBatch):
            rows += len(message.step)
        elif isinstance(message, Outcome):
            verdicts.append(message.verdict)
    if verdicts != ["finished"] * case.trainings:
        raise SystemExit(f"depth {case.depth}, width {case.width}: not every training did all its steps: {verdicts}")
    return rows


def train_generally(case: Case, dataset: Dataset, device: str) -> int:
    """The same without compiled steps."""
    with patch.object(CompiledSteps, "of", lambda *_: None):
        return train_in_lanes(case, dataset, device)


def flop_of(case: Case, samples: int) -> float:
    """Multiplications and additions of all matrix products of a case's trainings."""
    each = flop_for(case.net(), train_spec(case, samples).max_steps, case.epochs, samples)
    nets = len({trial.seed for trial in case.trials()})  # each is looked at once before its trainings
    return case.trainings * each + nets * flop_for(case.net(), 0, 1, samples)


def flop_for(net: NetSpec, steps: int, evaluations: int, samples: int) -> float:
    """Those of steps, forward and both backward products, and of evaluations of so many samples."""
    products = [2.0 * fan_in * out for fan_in, out in pairwise(net.sizes)]
    step = BATCH * (3 * sum(products) - products[0])  # the inputs' gradient is not needed
    return steps * step + evaluations * samples * sum(products)


def gemm_seconds(device: str) -> float:
    """Time of one multiplication of two `GEMM_SIZE`² matrices, the best of five."""
    a = torch.randn(GEMM_SIZE, GEMM_SIZE, device=device)
    return min(seconds(lambda: a @ a, device) for _ in range(5))


def seconds(work: Callable[[], object], device: str) -> float:
    """Processor time of ``work``, one thread; on a GPU wall time, with the device idle before and after."""
    begun = _now(device)
    work()
    return _now(device) - begun


def _now(device: str) -> float:
    if not device.startswith("cuda"):
        return time.process_time()  # waiting for a shared processor does not count
    torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds_of_jax(jax: JaxChild, case: Case) -> float:
    """Processor time of the quicker of its ways for a case's trainings."""
    etas = [trial.eta for trial in case.trials()]
    answer = jax.ask(depth=case.depth, width=case.width, epochs=case.epochs, batch=BATCH, etas=etas)
    return float(min(answer["loop"], answer["map"]))


def measure(case: Case, dataset: Dataset, device: str, rounds: int, jax: JaxChild | None) -> Measured:
    """Interleave all of them, and the GEMM rate, ``rounds`` times; the first turn of each only warms up."""
    x = torch.tensor(dataset.x, dtype=torch.float32, device=device)
    labels = torch.tensor(dataset.labels, device=device)
    steps = train_spec(case, len(dataset.x)).max_steps

    def plain() -> None:
        for trial in case.trials():
            if len(train_plainly(case, trial, x, labels)) != steps:
                raise SystemExit("the plain loop did not do all its steps")

    def turns() -> Iterator[tuple[Timing, float | None]]:
        while True:
            timing = Timing(
                plain=seconds(plain, device),
                lanes=seconds(lambda: train_in_lanes(case, dataset, device), device),
                general=seconds(lambda: train_generally(case, dataset, device), device),
                gemm=gemm_seconds(device),
            )
            yield timing, None if jax is None else seconds_of_jax(jax, case)

    timings, beside = zip(*islice(turns(), 1, rounds + 1), strict=True)
    return Measured(case, steps, flop_of(case, len(dataset.x)), timings, tuple(t for t in beside if t is not None))


HEAD = (
    "depth",
    "width",
    "trainings",
    "plain loop, s",
    "lanes, s",
    "times faster",
    "compiled gains",
    "times faster than JAX",
    "times the GEMM floor",
)


def row(measured: Measured) -> list[str]:
    """One line of the table: medians, and the range where it says how sure we are."""
    case = measured.case
    return [
        str(case.depth),
        str(case.width),
        str(case.trainings),
        f"{statistics.median(timing.plain for timing in measured.timings):.2f}",
        f"{statistics.median(timing.lanes for timing in measured.timings):.2f}",
        spread(measured.ratios),
        spread(measured.gains),
        spread(measured.over_jax) if measured.jax else "not run",
        spread(measured.floors, 1),
    ]


def main() -> None:
    """Measure, print a table, and write all numbers to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainings", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of every case (5)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of every training (3)")
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS, help="hidden layers (2 4 8)")
    parser.add_argument("--widths", type=int, nargs="+", default=tuple(TRAININGS), help="units of a hidden layer")
    parser.add_argument("--trainings", type=int, help="trainings of every case (16 to 4, by width)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0")
    parser.add_argument("--jax", type=Path, metavar="PYTHON", help="the Python of an environment that has JAX")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()

    torch.set_num_threads(1)
    dataset = digits()
    jax = None if options.jax is None else JaxChild(options.jax, "benchmarks.jax_trainings")
    about = describe(options.device) | {"compiled steps": route.version() or "not installed"}
    about |= {} if jax is None else {"jax": jax.version}
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    results = []
    for width in options.widths:
        for depth in options.depths:
            trainings = options.trainings or TRAININGS.get(width, 4)
            case = Case(depth=depth, width=width, trainings=trainings, epochs=options.epochs)
            results.append(measure(case, dataset, options.device, options.rounds, jax))
            print(
                f"depth {depth}, width {width}: {spread(results[-1].ratios)} times faster", file=sys.stderr, flush=True
            )
    print(table(HEAD, [row(measured) for measured in results]))
    ratios = [statistics.median(measured.ratios) for measured in results]
    rate = statistics.median(2 * GEMM_SIZE**3 / timing.gemm for measured in results for timing in measured.timings)
    print(f"\ngeometric mean: {statistics.geometric_mean(ratios):.2f} times faster; GEMM: {rate / 1e9:.0f} GFLOP/s")
    save(options.json, about, [asdict(measured) for measured in results])


if __name__ == "__main__":
    main()
