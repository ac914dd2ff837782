"""Tasks from Browse in so many keys: each presses exactly these, and the answer is on the screen.

To stop a driver takes two, ``X`` and enter: `test_tui_control` does it with a real one.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, scan_store
from tui_laws import law_store
from tui_rows import NOW, make_curve, make_trial

from mlrtui_db.work import WorkRow


class Task(NamedTuple):
    """The store, the most keys it may take, the keys, and what is then on the screen."""

    store: Callable[[], FakeStore]
    most: int
    keys: tuple[str, ...]
    answer: tuple[str, ...]
    typed: int = 0  # of the keys, those that type a condition, which do not count


def running_store() -> FakeStore:
    store = scan_store("open", True)
    (sweep_id,) = store.snapshots
    store.driver = True
    store.work = WorkRow(NOW, "training", sweep_id, "scan", slots=2, ready=2, rate=900.0, left=720, low=540, high=1020)
    return store


def many_trials() -> FakeStore:
    """A cell of 400 trials, one of which diverged."""
    store = scan_store("done", False)
    trials = []
    for at in range(400):
        eta = 0.01 * (at + 1) + 0.005
        lost = {"verdict": "diverged", "phase": "divergent", "bad_step": 36, "bad_kind": "threshold", "last_step": 36}
        changes = lost if at == 399 else {}
        trials.append(make_trial(500 + at, 1, eta, **changes))
        store.curves[500 + at] = make_curve(500 + at, [0.5, 31.2, 0.2] if at == 399 else [0.5, 0.4, 0.3])
    store.trials[1] = tuple(trials)
    return store


_CONDITION = "and depth<8"
_TYPED = ("space", *("space" if one == " " else one for one in _CONDITION))
TASKS = {
    "the peak of a diverged trial": Task(
        scan_store, 4, ("enter", "right_square_bracket", "right_square_bracket"), ("ηλ₀=4.5", "peak 7.5e16 @36 · now")
    ),
    "the peak of one of 400 trials, by its rate": Task(
        many_trials, 4, ("enter", "slash", *"4.005", "enter"), ("ηλ₀=80.1", "blew up @36", "peak 31.2"), len("4.005")
    ),
    "the peak of the only diverged one of 400 trials": Task(
        many_trials,
        4,
        ("enter", "slash", *"diverged", "enter"),
        ("ηλ₀=80.1", "blew up @36", "peak 31.2"),
        len("diverged"),
    ),
    "which nets are censored and why": Task(
        law_store, 3, ("enter", "2"), ("seeds 0: ≥", "(the largest rate succeeds)", "1: ≥", "left out: censored")
    ),
    "three curves of the sharpness": Task(
        scan_store,
        6,
        ("enter", "space", "left_square_bracket", "space", "left_square_bracket", "equals_sign"),
        ("A 1×512", "B 1×512", "C 1×512", "λη/2, edge at 1"),
    ),
    "the exponent without depth 8": Task(
        law_store,
        4,
        ("enter", "2", "slash", *_TYPED, "enter"),
        ("where width ≥ 16·depth and depth<8", "∝ (depth·width)^", "10 fitted"),
        len(_TYPED),
    ),
    "the time left": Task(running_store, 0, (), ("about 12 min (9–17)",)),
}


@pytest.mark.parametrize("name", TASKS)
async def test_a_task_takes_no_more_keys_than_this(name: str) -> None:
    task = TASKS[name]
    assert len(task.keys) - task.typed <= task.most
    async with shown(task.store(), (120, 36), start="browse") as view:
        assert not task.keys or not all(word in view.text() for word in task.answer)
        for key in task.keys:
            await view.press(key)
            await view.until(lambda: view.reading.wanted == view.app.wanted)
        await view.until(lambda: all(word in view.text() for word in task.answer))
