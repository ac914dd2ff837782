"""η* of a whole grid of nets, searched by a plain loop and by mlrtui, interleaved in one process.

Both search every net (architecture × seed) by its own verdicts and the same rule, `mlrtui_trainer.search`: the two ends
of a range, then bisections in ln η. A success is an accuracy at an epoch's end. The plain loop trains one net after the
other with torch's modules, and ends a training at the threshold, or when a loss is not finite. mlrtui trains all seeds
of an architecture as lanes; it also ends what is dead or beyond all hope, so it may take fewer steps: both counts are
printed. Both begin from the same weights, see the samples in the same order, keep the loss of every step, and evaluate
all samples at the start and after every epoch. Trainings near the edge are chaotic, so η* may differ a little.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe, save, spread, table
from benchmarks.trainings import (
    BATCH,
    DEPTHS,
    GEMM_SIZE,
    digits,
    evaluate,
    flop_for,
    gemm_seconds,
    plain_epoch,
    plain_net,
    seconds,
)
from mlrtui_trainer import worker
from mlrtui_trainer.fast import route
from mlrtui_trainer.models.building import build
from mlrtui_trainer.search import Search, SearchSpec
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import (
    Dataset,
    NetSpec,
    Outcome,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskFailed,
    TrainSpec,
    TrialSpec,
)

WIDTHS = (32, 64, 128, 256)
RANGE = (0.1, 10.0)
BISECTIONS = 9
THRESHOLD = 0.9
QUESTIONS = 2 + BISECTIONS
RATIO = RANGE[1] / RANGE[0]  # also the rule's first step: from the lower end to the upper one
RULE = SearchSpec("accuracy", RATIO ** (0.5**BISECTIONS) - 1.0, *RANGE, factor=RATIO)


@dataclass(frozen=True)
class Cell:
    """The nets of one architecture, and how long one is trained at most."""

    depth: int
    width: int
    seeds: int
    epochs: int

    def net(self) -> NetSpec:
        """The architecture, as the trainer takes it."""
        return NetSpec(kind="mlp", inputs=64, outputs=10, depth=self.depth, width=self.width)

    def train(self, samples: int) -> TrainSpec:
        """Cross-entropy, SGD, whole batches, to the threshold."""
        per_epoch = samples // BATCH
        steps = self.epochs * per_epoch
        return TrainSpec("ce", BATCH, steps, per_epoch, success="accuracy", threshold=THRESHOLD)


@dataclass(frozen=True)
class Answer:
    """What a search of all nets of a cell gave, and what it took."""

    eta_star: tuple[float | None, ...]  # by seed
    trainings: int
    steps: int
    evaluations: int


@dataclass(frozen=True)
class Timing:
    """One cell in one round, in seconds of CPU time."""

    plain: float
    ours: float
    gemm: float  # of one multiplication of two GEMM_SIZE² matrices


@dataclass(frozen=True)
class Measured:
    """All rounds of one cell; ``flop`` is what our steps and evaluations need at least."""

    cell: Cell
    plain: Answer
    ours: Answer
    flop: float
    timings: tuple[Timing, ...]

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, round by round."""
        return [timing.plain / timing.ours for timing in self.timings]

    @property
    def floors(self) -> list[float]:
        """Our time over the time that the multiplications alone take at this round's GEMM rate."""
        return [timing.ours / (self.flop * timing.gemm / (2 * GEMM_SIZE**3)) for timing in self.timings]

    @property
    def apart(self) -> list[float]:
        """|ln| of our η* over the plain one, of the nets for which both know one."""
        pairs = zip(self.plain.eta_star, self.ours.eta_star, strict=True)
        return [abs(math.log(ours / plain)) for plain, ours in pairs if plain is not None and ours is not None]


@dataclass(frozen=True)
class Start:
    """What a plain training of a seed is given: weights by layer [out, in], and the samples' order of every epoch."""

    weights: tuple[torch.Tensor, ...]
    orders: tuple[torch.Tensor, ...]


def starts_of(cell: Cell, samples: int) -> list[Start]:
    """The weights and the orders that mlrtui's trials have, by seed."""
    drawn = build(cell.net(), "sgd").initial_weights(list(range(cell.seeds)), torch.float32, "cpu")
    return [
        Start(
            tuple(w[seed].clone() for w in drawn.w),
            tuple(
                torch.from_numpy(generator(seed, "order", epoch).permutation(samples)) for epoch in range(cell.epochs)
            ),
        )
        for seed in range(cell.seeds)
    ]


def train_plainly(
    cell: Cell, start: Start, eta: float, x: torch.Tensor, labels: torch.Tensor
) -> tuple[str, list[float], int]:
    """One training to its end: verdict, loss of every step, evaluations."""
    net = plain_net(cell.net())
    with torch.no_grad():
        for parameter, w in zip(net.parameters(), start.weights, strict=True):
            parameter.copy_(w)
    optimizer = torch.optim.SGD(net.parameters(), lr=eta)
    first, _ = evaluate(net, x, labels)
    last, losses = first, list[float]()
    for epoch, order in enumerate(start.orders, start=1):
        for loss in plain_epoch(net, optimizer, x, labels, order):
            losses.append(loss)
            if not math.isfinite(loss):
                return "diverged", losses, epoch
        last, accuracy = evaluate(net, x, labels)
        if not math.isfinite(last):
            return "diverged", losses, epoch + 1
        if accuracy >= THRESHOLD:
            return "reached", losses, epoch + 1
    return "not-reached" if last < first else "stalled", losses, cell.epochs + 1


def search_plainly(cell: Cell, starts: Sequence[Start], x: torch.Tensor, labels: torch.Tensor) -> Answer:
    """One net after the other."""
    searches = [Search(RULE, RANGE[0]) for _ in starts]
    trainings, steps, evaluations = 0, 0, 0
    for search, start in zip(searches, starts, strict=True):
        for eta in asked(search):
            verdict, losses, looks = train_plainly(cell, start, eta, x, labels)
            search.tell(eta, verdict)
            trainings, steps, evaluations = trainings + 1, steps + len(losses), evaluations + looks
    return Answer(tuple(search.boundary().eta_star for search in searches), trainings, steps, evaluations)


def asked(search: Search) -> Iterator[float]:
    """The rates of a search's questions, each to be answered before the next is asked for."""
    while search.round < QUESTIONS and (rates := search.ask()):
        yield from rates


def search_in_lanes(cell: Cell, dataset: Dataset) -> Answer:
    """All nets beside one another, a round for every question."""
    searches = [Search(RULE, RANGE[0]) for _ in range(cell.seeds)]
    train = cell.train(len(dataset.x))
    trainings, steps, evaluations = 0, 0, 0
    while wanted := [(seed, eta) for seed, search in enumerate(searches) for eta in islice(asked(search), 1)]:
        trials = tuple(TrialSpec(i, 1, seed, eta, math.nan) for i, (seed, eta) in enumerate(wanted))
        task = Round(0, dataset.data_id, cell.net(), train, SharpnessSpec(every=0), trials)
        verdicts, last = ends_of(task, dataset)
        for i, (seed, eta) in enumerate(wanted):
            searches[seed].tell(eta, verdicts[i])
            steps += last[i]  # a row's step counts the updates before it
            evaluations += last[i] // train.steps_per_epoch + 1  # a round asks one rate of each net
        trainings += len(wanted)
    return Answer(tuple(search.boundary().eta_star for search in searches), trainings, steps, evaluations)


def ends_of(task: Round, dataset: Dataset) -> tuple[Mapping[int, str], Mapping[int, int]]:
    """Verdict and last step of every trial of a round; rows of all steps are kept until then, as a sweep does."""
    batches: list[StepBatch] = []
    verdicts: dict[int, str] = {}
    for message in worker.run_task(task, dataset, "cpu"):
        if isinstance(message, StepBatch):
            batches.append(message)
        elif isinstance(message, Outcome):
            verdicts[message.trial_id] = message.verdict
        elif isinstance(message, TaskFailed):
            raise SystemExit(f"the round failed: {message.error}")
    last = {one.trial_id: int(batch.step[one.stop - 1]) for batch in batches for one in batch.segments}
    return verdicts, last


def measure(cell: Cell, dataset: Dataset, rounds: int) -> Measured:
    """Both, and the GEMM rate, by turns; one search of one net by each before warms up."""
    x = torch.tensor(dataset.x, dtype=torch.float32)
    labels = torch.tensor(dataset.labels)
    starts = starts_of(cell, len(dataset.x))
    answers: dict[str, Answer] = {}

    def plainly(count: int) -> None:
        answers["plain"] = search_plainly(cell, starts[:count], x, labels)

    def in_lanes(one: Cell) -> None:
        answers["ours"] = search_in_lanes(one, dataset)

    plainly(1)
    in_lanes(Cell(cell.depth, cell.width, 1, cell.epochs))
    timings = tuple(
        Timing(seconds(lambda: plainly(cell.seeds), "cpu"), seconds(lambda: in_lanes(cell), "cpu"), gemm_seconds("cpu"))
        for _ in range(rounds)
    )
    ours = answers["ours"]
    flop = flop_for(cell.net(), ours.steps, ours.evaluations, len(dataset.x))
    return Measured(cell, answers["plain"], ours, flop, timings)


HEAD = (
    "depth",
    "width",
    "plain loop, s",
    "ours, s",
    "times faster",
    "steps: plain loop",
    "ours",
    "times the GEMM floor",
    "η\\* of both",
    "apart: median",
    "worst",
)


def row(measured: Measured) -> list[str]:
    """One line of the table: medians, and the range where it says how sure we are."""
    cell, apart = measured.cell, measured.apart
    return [
        str(cell.depth),
        str(cell.width),
        f"{statistics.median(timing.plain for timing in measured.timings):.2f}",
        f"{statistics.median(timing.ours for timing in measured.timings):.2f}",
        spread(measured.ratios),
        str(measured.plain.steps),
        str(measured.ours.steps),
        spread(measured.floors, 1),
        f"{len(apart)} of {cell.seeds}",
        *((f"{math.expm1(value):.1%}" for value in (statistics.median(apart), max(apart))) if apart else ("-", "-")),
    ]


def summary(results: Sequence[Measured]) -> str:
    """Geometric mean and total over the grid, round by round, and how far apart the answers are."""
    by_round = list(zip(*(measured.timings for measured in results), strict=True))
    means = [statistics.geometric_mean(timing.plain / timing.ours for timing in timings) for timings in by_round]
    totals = [sum(timing.plain for timing in timings) / sum(timing.ours for timing in timings) for timings in by_round]
    apart = [value for measured in results for value in measured.apart]
    nets = sum(measured.cell.seeds for measured in results)
    agreed = f"η* of {len(apart)} of {nets} nets known both ways"
    if apart:
        middle, most = np.quantile(apart, 0.5), max(apart)
        agreed += f"; apart by {math.expm1(middle):.1%} in the median, {math.expm1(most):.1%} at most"
    rate = statistics.median(2 * GEMM_SIZE**3 / timing.gemm for timings in by_round for timing in timings)
    return (
        f"geometric mean: {spread(means)} times faster; whole grid: {spread(totals)} times faster; "
        f"GEMM: {rate / 1e9:.0f} GFLOP/s\n{agreed}"
    )


def main() -> None:
    """Measure, print a table, and write all numbers to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grids", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds of every cell (3)")
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS, help="hidden layers (2 4 8)")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="units of a hidden layer")
    parser.add_argument("--seeds", type=int, default=5, help="nets of every architecture (5)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs in which a success must come (10)")
    parser.add_argument("--json", type=Path, help="write every timing and answer here")
    options = parser.parse_args()

    torch.set_num_threads(1)
    dataset = digits()
    about = describe("cpu") | {"compiled steps": route.version() or "not installed"}
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    results = []
    for width, depth in product(options.widths, options.depths):
        cell = Cell(depth, width, options.seeds, options.epochs)
        results.append(measure(cell, dataset, options.rounds))
        print(" · ".join(row(results[-1])), file=sys.stderr, flush=True)
    print(table(HEAD, [row(measured) for measured in results]))
    print(f"\n{summary(results)}")
    save(options.json, about, [asdict(measured) for measured in results])


if __name__ == "__main__":
    main()
