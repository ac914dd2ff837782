"""The screens over a real store file that is written meanwhile."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlrtui.text.marks import trial_state
from mlrtui.text.phrases import outcome
from mlrtui.tui.feed import Feed
from mlrtui.tui.once import read_once, render_once
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import QUIET_AFTER, Reading, Wanted
from mlrtui_db.records import (
    CellRecord,
    NetLambdas,
    NetRecord,
    Segment,
    StepRows,
    SweepRecord,
    TrialOutcome,
    TrialRecord,
)
from mlrtui_db.store import Store

CELL = CellRecord(
    position=0, label="1x512", settings="{}", depth=1, width=512, n_params=33_280, data="digits", samples=64,
    data_id="d", target="parity", standardize="global", model="mlp", activation="relu", bias=False,
    parametrization="sp", input_lr=1.0, loss="mse", optimizer="sgd", batch=64, max_steps=120, steps_per_epoch=1,
    dtype="float32", nets=(NetRecord(0, "gauss-newton", "mean", "all"),),
)  # fmt: skip


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "real.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def begin(store: Store) -> int:
    """A sweep with one running trial; its trial_id."""
    with store.transaction():
        spec = json.dumps({"name": "real"})
        sweep_id = store.add_sweep(SweepRecord("real scan", digest(spec), spec, "scan", "0", (CELL,)))
    net_id = store.sweep_state(sweep_id).nets[0].net_id
    with store.transaction():
        store.set_lambdas(NetLambdas(net_id, 20.0, 1e-4, 20.0, 1e-4, 20.0, 1e-4, 21.0, 1e-4, True))
        (trial_id,) = store.add_trials([TrialRecord(net_id, digest("t"), 0.15, 3.0, 0, 120)])
        store.open_attempts([trial_id], "driver", "cpu", {})
        store.add_event("info", "started", sweep_id)
    return trial_id


def open_round(store: Store, rates: int) -> list[int]:
    """A sweep whose round of so many lanes has just begun: all of them are running, none has a step."""
    first = begin(store)
    with store.transaction():
        net_id = store.sweep_state(1).nets[0].net_id
        more = [TrialRecord(net_id, digest(f"t{at}"), 0.15 + 0.01 * at, 3.0, 0, 120) for at in range(1, rates)]
        others = store.add_trials(more)
        store.open_attempts(others, "driver", "cpu", {})
    return [first, *others]


def end(store: Store, trial_id: int, seq: int) -> None:
    with store.transaction():
        store.finish_trial(
            TrialOutcome(trial_id, 1, seq, "finished", "lazy", None, 2.0, 2.0, None, None, 1.0, 0, None, None, None)
        )


def append(store: Store, trial_id: int, seq: int, steps: range, losses: list[float], flags: list[int]) -> None:
    count = len(steps)
    with store.transaction():
        store.append_steps(
            StepRows(
                segments=(Segment(trial_id, 1, seq, 0, count),),
                step=list(steps),
                loss=losses,
                accuracy=[0.5] * count,
                sharpness=[20.0 - step / 10 for step in steps],
                sharpness_residual=[1e-4] * count,
                products=[10] * count,
                flags=flags,
            )
        )


def test_a_store_that_grows_is_followed_to_the_last_step(path: Path, store: Store) -> None:
    posted: list[Reading] = []
    feed = Feed([store_source(path)], posted.append, Wanted())
    feed.turn()
    assert posted[-1].snapshot is None
    assert posted[-1].trouble == ""
    trial_id = begin(store)
    append(store, trial_id, 0, range(10), [2.0] * 10, [0] * 10)
    feed.turn()
    append(store, trial_id, 1, range(10, 14), [3.0, 62.5, math.nan, 1.0], [0, 0, 1, 0])
    feed.turn()
    trace = posted[-1].trace
    assert trace is not None
    assert trace.step.tolist() == list(range(14))
    assert posted[-1].freshness.state == "live"
    feed.close()


def test_following_goes_with_the_steps_through_a_round_whose_lanes_wait(path: Path, store: Store) -> None:
    posted: list[Reading] = []
    now = 1_790_000_000.0
    feed = Feed([store_source(path)], posted.append, Wanted(), clock=lambda: now)
    lanes = open_round(store, 4)

    def shown() -> int | None:
        feed.turn()
        return posted[-1].trial_id

    assert shown() == lanes[-1]  # no lane has a step: any of them
    append(store, lanes[1], 0, range(5), [2.0] * 5, [0] * 5)
    assert shown() == lanes[1]
    append(store, lanes[0], 0, range(5), [2.0] * 5, [0] * 5)
    append(store, lanes[1], 1, range(5, 9), [2.0] * 4, [0] * 4)
    assert shown() == lanes[1]  # its steps come: it stays
    snapshot = posted[-1].snapshot
    assert snapshot is not None
    states = {trial.trial_id: trial_state(trial) for trial in snapshot.trials}
    assert [states[lane] for lane in lanes] == ["running", "running", "waiting", "waiting"]
    assert [outcome(trial) for trial in snapshot.trials] == ["step 4", "step 8", "waiting", "waiting"]
    end(store, lanes[1], 2)
    append(store, lanes[0], 1, range(5, 7), [2.0] * 2, [0] * 2)
    assert shown() == lanes[0]
    end(store, lanes[0], 2)
    assert shown() == lanes[0]  # the next lanes have begun nothing yet
    append(store, lanes[3], 0, range(3), [2.0] * 3, [0] * 3)
    assert shown() == lanes[3]
    append(store, lanes[2], 0, range(3), [2.0] * 3, [0] * 3)
    assert shown() == lanes[3]
    now += QUIET_AFTER
    append(store, lanes[2], 1, range(3, 6), [2.0] * 3, [0] * 3)
    assert shown() == lanes[2]  # the one that was followed has rested for long
    append(store, lanes[3], 1, range(3, 6), [2.0] * 3, [0] * 3)
    assert shown() == lanes[2]
    feed.follow(Wanted())  # f lets go of what is shown, though nothing else was wanted before
    assert shown() == lanes[3]
    feed.close()


def test_in_a_chosen_cell_too_a_lane_without_a_step_gives_way(path: Path, store: Store) -> None:
    posted: list[Reading] = []
    lanes = open_round(store, 3)
    feed = Feed([store_source(path)], posted.append, Wanted(cell_id=1))
    feed.turn()
    assert posted[-1].trial_id in lanes
    append(store, lanes[0], 0, range(5), [2.0] * 5, [0] * 5)
    feed.turn()
    assert posted[-1].trial_id == lanes[0]
    append(store, lanes[1], 0, range(5), [2.0] * 5, [0] * 5)
    feed.turn()
    assert posted[-1].trial_id == lanes[0]  # a curve that is looked at stays
    feed.close()


def test_the_picture_of_a_real_store_has_its_numbers(path: Path, store: Store) -> None:
    trial_id = begin(store)
    append(store, trial_id, 0, range(14), [2.0] * 11 + [62.5, math.nan, 1.0], [0] * 12 + [1, 0])
    text = render_once(read_once([store_source(path)]), size=(160, 48))
    for words in (
        "real scan",
        "1×512",
        "ηλ₀=3 ",
        "peak 62.5 @11 · now 1 @13 · 1 non-finite from @12",
        "2/η",
        "started",
    ):
        assert words in text


def test_a_store_that_is_not_there_yet_is_awaited(path: Path) -> None:
    posted: list[Reading] = []
    feed = Feed([store_source(path)], posted.append, Wanted())
    feed.turn()
    assert str(path.name) in posted[-1].trouble
    assert not path.exists()
    with Store.open(path) as store:
        begin(store)
        feed.turn()
        assert posted[-1].trouble == ""
        assert posted[-1].snapshot is not None
    feed.close()
