"""The screens over a real store file that is written meanwhile."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlrtui.tui.feed import Feed
from mlrtui.tui.once import read_once, render_once
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import Reading, Wanted
from mlrtui_db.records import CellRecord, NetLambdas, NetRecord, Segment, StepRows, SweepRecord, TrialRecord
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
