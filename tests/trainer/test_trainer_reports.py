"""How often a round sends rows: many at a time where it is fast, soon where it is slow."""

import numpy as np
import pytest

from mlrtui_trainer import lanes
from mlrtui_trainer.spec import Dataset, NetSpec, Outcome, Round, SharpnessSpec, StepBatch, TrainSpec, TrialSpec
from mlrtui_trainer.worker import run_task

STEPS = 450


def messages(monkeypatch: pytest.MonkeyPatch, tick: float) -> list[StepBatch | Outcome]:
    """Of a round of three lanes, one of which diverges; the clock goes on by ``tick`` at every look."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += tick
        return now

    monkeypatch.setattr(lanes, "monotonic", clock)
    monkeypatch.setattr(lanes, "lanes_per_chunk", lambda *args, **named: 3)  # together
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(16, 4)), np.arange(16) % 3
    data = Dataset("d", "classes", x, np.eye(3)[y], y)
    train = TrainSpec("ce", batch=16, max_steps=STEPS, steps_per_epoch=1)
    trials = tuple(TrialSpec(i, 1, 0, eta, 1.0) for i, eta in enumerate((1e-3, 1e-2, 1e6)))
    task = Round(1, "d", NetSpec("mlp", 4, 3, depth=1, width=4), train, SharpnessSpec(every=0), trials)
    found = list(run_task(task, data, "cpu"))
    return [one for one in found if isinstance(one, StepBatch | Outcome)]


def test_a_fast_round_sends_a_hundred_rows_of_each_lane_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = messages(monkeypatch, 0.0)
    batches = [one for one in found if isinstance(one, StepBatch)]
    ended, *living = batches  # the lane that diverges sends its own rows alone
    assert [segment.trial_id for segment in ended.segments] == [2]
    assert isinstance(found[1], Outcome)
    assert all([segment.trial_id for segment in batch.segments] == [0, 1] for batch in living)
    sizes = [segment.stop - segment.start for batch in living for segment in batch.segments]
    assert sum(sizes) == 2 * (STEPS + 1)
    assert all(lanes.REPORT_ROWS <= size <= lanes.REPORT_ROWS + lanes.LONG_BLOCK for size in sizes[:-2])
    assert len(living) <= 5


def test_a_slow_round_sends_its_rows_each_second_and_the_first_ones_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LONG_BLOCK", 1)
    monkeypatch.setattr(lanes, "REPORT_ROWS", 20)
    batches = [one for one in messages(monkeypatch, 0.1) if isinstance(one, StepBatch)]
    gaps = np.diff([int(batch.step.max()) for batch in batches if any(one.trial_id == 0 for one in batch.segments)])
    assert gaps[0] <= 3  # looks at the clock, of 0.1 s each
    assert 5 <= max(gaps[10:]) <= 11
