"""η* of real nets: by every method and from every start the same number, that which was measured for the rule.

Nets train for real, through the worker, at the rates that searches ask for, all those of one question beside one
another; a rate that an earlier search of the net asked for keeps its verdict. ``MLRTUI_TEST_FULL=1`` takes all nets.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from math import exp, log, nan

import pytest

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.methods import search_rules
from mlrtui_trainer.search import Boundary, Search, SearchSpec
from mlrtui_trainer.spec import Outcome, Round, SharpnessSpec, TrialSpec
from mlrtui_trainer.worker import run_task

FULL = os.environ.get("MLRTUI_TEST_FULL") == "1"
LN_ETA_STAR = {  # by depth, width and seed
    (3, 32): {501: 0.951, 502: 0.707, 503: 0.805},
    (3, 128): {501: 0.171, 502: 0.220, 503: -0.024},
    (6, 64): {501: -0.073, 502: 0.024, 503: -0.122},
}
"""Measured once on one machine, δ = ln 1.05, M = 4; another machine's float32 may move a verdict at the edge."""

METHODS = [("bisect", 8), ("section", 3), ("section", 8), ("section", 63), ("profile", 8)]
STARTS = (-0.6, 0.1, 0.9)
"""ln η from which searches start: within an octave of η* of all these nets."""

SWEEP = """
[sweep]
name = "eta star"
seeds = [501]
[data]
name = "digits"
samples = 1024
[model]
depth = {depth}
width = {width}
input_lr = 0.1
[training]
loss = "ce"
batch = 64
epochs = 5
[search]
threshold = 0.5
tolerance = 0.05
margin = 4
"""


class Cell:
    """The nets of one cell, trained at the rates that are asked for; verdicts are remembered."""

    def __init__(self, tmp_path, depth: int, width: int) -> None:
        file = tmp_path / f"{depth}x{width}.toml"
        file.write_text(SWEEP.format(depth=depth, width=width))
        spec = load_sweep(file)
        plan = planning.plan(spec, data.load)
        self.cell = plan.cells[0]
        self.data = plan.datasets[self.cell.data_id]
        self.rules = search_rules(spec, self.cell)
        self.verdicts: dict[tuple[int, float], str] = {}
        self._tasks = count(1)

    def train(self, seed: int, etas: Sequence[float]) -> None:
        new = [eta for eta in etas if (seed, eta) not in self.verdicts]
        trials = tuple(TrialSpec(number, 1, seed, eta, nan) for number, eta in enumerate(new))
        if not trials:
            return
        how = SharpnessSpec("gauss-newton", 0)
        task = Round(next(self._tasks), self.cell.data_id, self.cell.net, self.cell.train, how, trials)
        for message in run_task(task, self.data, "cpu"):
            if isinstance(message, Outcome):
                self.verdicts[seed, new[message.trial_id]] = message.verdict

    def search(self, seed: int, rules: SearchSpec, ln_start: float) -> Boundary:
        search = Search(rules, exp(ln_start))
        while wanted := search.ask():
            self.train(seed, wanted)
            for eta in wanted:
                search.tell(eta, self.verdicts[seed, eta])
        return search.boundary()


@pytest.mark.parametrize(("depth", "width"), LN_ETA_STAR if FULL else [(3, 32)])
def test_eta_star_of_real_nets_is_the_measured_one_by_every_method(tmp_path, depth: int, width: int) -> None:
    cell = Cell(tmp_path, depth, width)
    assert cell.rules.in_a_row == 4
    seeds = LN_ETA_STAR[depth, width]
    for seed, expected in seeds.items() if FULL else list(seeds.items())[:1]:
        found = {
            (method, points, start): cell.search(seed, replace(cell.rules, method=method, points=points), start)
            for method, points in METHODS
            for start in STARTS
        }
        assert len({replace(boundary, trials=0) for boundary in found.values()}) == 1
        one = found["bisect", 8, STARTS[0]]
        assert one.censored is None
        assert one.eta_star is not None
        assert log(one.eta_star) == pytest.approx(expected, abs=0.05)
        ahead = [found[method, points, STARTS[0]].trials for method, points in METHODS if method != "bisect"]
        assert one.trials <= min(ahead)  # from the same start: asking ahead only adds


@pytest.mark.skipif(not FULL, reason="some 1500 trainings: MLRTUI_TEST_FULL=1 runs them, -s prints their numbers")
@pytest.mark.parametrize("tolerance", [0.05, 0.1])
def test_six_cells_of_five_seeds_agree_and_say_what_they_cost(tmp_path, tolerance: float) -> None:
    """By the default margin, from 8/λ₀ roughly (ln η = 0.4) and an octave around it."""
    trainings: dict[tuple[str, int], list[int]] = {how: [] for how in METHODS}
    for depth in (3, 6):
        for width in (32, 64, 128):
            cell = Cell(tmp_path, depth, width)
            rules = replace(cell.rules, tolerance=tolerance, margin=None)
            for seed in range(501, 506):
                answers = set()
                for method, points in METHODS:
                    for start in (0.4, 0.05, 0.75):
                        boundary = cell.search(seed, replace(rules, method=method, points=points), start)
                        answers.add(replace(boundary, trials=0))
                        trainings[method, points].append(boundary.trials)
                assert len(answers) == 1, (depth, width, seed)
    for (method, points), counts in trainings.items():
        print(f"tolerance {tolerance:g}, {method} {points}: {sum(counts) / len(counts):.1f} trainings a net")
    mean = {how: sum(counts) / len(counts) for how, counts in trainings.items()}
    assert mean["bisect", 8] == min(mean.values())
