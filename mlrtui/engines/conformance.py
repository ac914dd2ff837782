"""What every engine must do, as checks that another package can run on its own engine.

    import pytest
    from mlrtui.engines import conformance

    @pytest.fixture(scope="module")
    def engine():
        engine = MyEngine(["cpu", "cpu"])
        yield engine
        conformance.check_close(engine)

    @pytest.mark.parametrize("check", conformance.CHECKS)
    def test_my_engine(engine, check):
        check(engine)

Each check takes an engine that no other check is using, whose workers may still be starting, and leaves all slots
idle. It raises AssertionError with a sentence. `check_death` also needs a way to kill a worker. Numbers are compared
with nothing, since an engine may make them up.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mlrtui.engines.base import Engine, EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    Message,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskDone,
    TaskFailed,
    TrainSpec,
    TrialSpec,
    WorkerLoad,
)

__all__ = ["CHECKS", "check_close", "check_death", "example_round", "results_of", "wait_until_ready"]

LONGEST = 300.0
"""Seconds that a check waits for anything."""

_SAMPLES, _BATCH, _STEPS = 64, 16, 12
_numbers = iter(range(1, 1 << 30))  # of tasks and trials: never twice, as the driver does


def example_data(seed: int = 0) -> Dataset:
    """A small data set of two classes."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, _SAMPLES)
    x = draw.standard_normal((_SAMPLES, 8)) + 2.0 * labels[:, None]
    return Dataset(f"conformance-{seed}", "classes", x, np.eye(2)[labels], labels)


def example_round(trials: int = 2, *, data_id: str = "conformance-0", steps: int = _STEPS) -> Round:
    """A round of short trainings at different rates."""
    net = NetSpec("mlp", inputs=8, outputs=2, depth=1, width=8)
    train = TrainSpec("ce", _BATCH, steps, _SAMPLES // _BATCH)
    specs = tuple(TrialSpec(next(_numbers), 1, 0, 0.05 * (n + 1), float("nan")) for n in range(trials))
    return Round(next(_numbers), data_id, net, train, SharpnessSpec(), specs)


def wait_until_ready(engine: Engine) -> None:
    """Make the data of the checks known, and wait until every slot is idle."""
    data = example_data(0)
    engine.add_datasets({data.data_id: data})

    def ready_or_dead(events: list[EngineEvent]) -> bool:
        dead = [event for event in events if isinstance(event, WorkerDied)]
        assert not dead, f"a worker died while it started: {dead[0].detail}"
        return len(engine.idle()) == len(engine.devices)

    _polled(engine, ready_or_dead, "all slots to be ready")


def results_of(engine: Engine, slot: int, task: Round | Probe) -> list[Message]:
    """Run a task in an idle slot; its records, the last of them `TaskDone` or `TaskFailed`."""
    engine.submit(slot, task)
    assert slot not in engine.idle(), "a slot with a task is idle"
    return _of(_polled(engine, lambda events: _ended(events, slot), "a task to end"), slot)


def check_slots(engine: Engine) -> None:
    """There are slots with names, and all become ready."""
    assert len(engine.devices) >= 1, "an engine without slots"
    assert all(engine.devices), "a device without a name"
    wait_until_ready(engine)
    assert sorted(engine.idle()) == list(range(len(engine.devices))), "idle slots are not numbered from 0"


def check_silence(engine: Engine) -> None:
    """Without a task nothing happens."""
    wait_until_ready(engine)
    events = [event for _ in range(3) for event in engine.poll(0.01)]
    assert not [event for event in events if isinstance(event, FromWorker)], "records without a task"


def check_probe(engine: Engine) -> None:
    """A probe answers once for each net."""
    wait_until_ready(engine)
    task = example_round()
    nets = ((7, 0), (8, 1))
    probe = Probe(next(_numbers), task.data_id, task.net, task.train, task.sharpness, nets)
    *records, last = results_of(engine, 0, probe)
    assert last == TaskDone(probe.task_id, last.seconds if isinstance(last, TaskDone) else 0.0), f"ended by {last}"
    assert all(isinstance(one, LambdaAtInit) for one in records), "a probe gave something else than λ"
    assert sorted(one.net_id for one in records if isinstance(one, LambdaAtInit)) == [7, 8], "a net without λ"


def check_round(engine: Engine) -> None:
    """Records of each trial are numbered without a gap, its steps follow each other, its outcome comes last."""
    wait_until_ready(engine)
    task = example_round(3)
    *records, last = results_of(engine, 0, task)
    assert isinstance(last, TaskDone), f"ended by {last}"
    assert last.task_id == task.task_id, "the end of another task"
    for trial in task.trials:
        _check_trial(trial, records)
    assert 0 in engine.idle(), "a slot whose task has ended is not idle"


def check_all_slots(engine: Engine) -> None:
    """Tasks in all slots end, each in its own."""
    wait_until_ready(engine)
    tasks = {slot: example_round(1) for slot in range(len(engine.devices))}
    for slot, task in tasks.items():
        engine.submit(slot, task)
    assert not engine.idle(), "a slot with a task is idle"
    events = _polled(engine, lambda events: all(_ended(events, slot) for slot in tasks), "tasks of all slots")
    for slot, task in tasks.items():
        last = _of(events, slot)[-1]
        assert isinstance(last, TaskDone), f"ended by {last}"
        assert last.task_id == task.task_id, "a slot ended another slot's task"


def check_more_data(engine: Engine) -> None:
    """Data sets may be added while the engine runs."""
    wait_until_ready(engine)
    engine.add_datasets({"conformance-1": example_data(1)})
    last = results_of(engine, 0, example_round(1, data_id="conformance-1"))[-1]
    assert isinstance(last, TaskDone), f"ended by {last}"


def check_failure(engine: Engine) -> None:
    """A task that cannot be done says so in one line, and the slot goes on. Engines that make numbers up do it."""
    wait_until_ready(engine)
    task = example_round(1)
    broken = replace(task, net=replace(task.net, inputs=task.net.inputs + 1))
    last = results_of(engine, 0, broken)[-1]
    assert isinstance(last, TaskFailed | TaskDone), "a task ended without an end"
    if isinstance(last, TaskFailed):
        assert last.error, "a failure without a reason"
        assert "\n" not in last.error, "a failure of several lines"
    assert isinstance(results_of(engine, 0, example_round(1))[-1], TaskDone), "the slot does not go on"


def check_death(engine: Engine, kill: Callable[[Engine, int], None]) -> None:
    """A worker that is killed is reported once, after its records; its slot comes back, and gives the same records."""
    wait_until_ready(engine)
    expected = _numbers_of(results_of(engine, 0, example_round(2)))
    long = example_round(2, steps=2_000_000)
    engine.submit(0, long)
    _polled(engine, lambda events: any(isinstance(one, StepBatch) for one in _of(events, 0)), "the first steps")
    kill(engine, 0)
    events = _polled(engine, lambda events: any(isinstance(one, WorkerDied) for one in events), "the death")
    died = [event for event in events if isinstance(event, WorkerDied)]
    assert [(one.slot, one.final) for one in died] == [(0, False)], f"told of {died}"
    assert died[0].detail, "a death without a reason"
    assert "\n" not in died[0].detail, "a reason of several lines"
    after = events[events.index(died[0]) + 1 :]
    assert not _of(after, 0), "records of a worker that was reported dead"
    again = _polled(engine, lambda events: 0 in engine.idle(), "the slot to come back")
    assert [one.slot for one in [*after, *again] if isinstance(one, WorkerReady)] == [0], "not told that it is ready"
    assert _numbers_of(results_of(engine, 0, example_round(2))) == expected, "the next worker gives other numbers"


def check_close(engine: Engine) -> None:
    """An engine can be closed while a task runs."""
    wait_until_ready(engine)
    engine.submit(0, example_round(1, steps=2_000_000))
    engine.poll(0.01)
    engine.close()


CHECKS: Sequence[Callable[[Engine], None]] = (
    check_slots,
    check_silence,
    check_probe,
    check_round,
    check_all_slots,
    check_more_data,
    check_failure,
)
"""All but `check_death`, which needs a way to kill a worker, and `check_close`, after which there is no engine."""


def _check_trial(trial: TrialSpec, records: Sequence[Message]) -> None:
    numbers: list[int] = []
    steps: list[int] = []
    outcome = -1
    for record in records:
        if isinstance(record, StepBatch):
            for part in record.segments:
                if part.trial_id == trial.trial_id:
                    assert part.attempt == trial.attempt, "records of another attempt"
                    numbers.append(part.seq)
                    steps += record.step[part.start : part.stop].tolist()
        elif isinstance(record, Outcome) and record.trial_id == trial.trial_id:
            numbers.append(record.seq)
            outcome = record.seq
    assert numbers == list(range(len(numbers))), f"records numbered {numbers}"
    assert numbers, "a trial without records"
    assert numbers[-1] == outcome, "the last record of a trial is not its outcome"
    assert steps == sorted(set(steps)), "steps that go back, or come twice"
    assert steps[0] == 0, "the first step is missing"


def _numbers_of(records: Sequence[Message]) -> list[object]:
    """What must be equal in two runs of a round: losses by lane, and verdicts."""
    found: list[object] = []
    for record in records:
        if isinstance(record, StepBatch):
            found += [(part.seq, record.loss[part.start : part.stop].tobytes()) for part in record.segments]
        elif isinstance(record, Outcome):
            found.append((record.seq, record.verdict, record.loss_final))
    return found


def _polled(engine: Engine, done: Callable[[list[EngineEvent]], bool], what: str) -> list[EngineEvent]:
    events: list[EngineEvent] = []
    deadline = time.monotonic() + LONGEST
    while not done(events):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        events += engine.poll(0.1)
    return events


def _of(events: Sequence[EngineEvent], slot: int) -> list[Message]:
    """Its records, without those on how busy its device is, which may come at any time."""
    mine = (event.message for event in events if isinstance(event, FromWorker) and event.slot == slot)
    return [message for message in mine if not isinstance(message, WorkerLoad)]


def _ended(events: Sequence[EngineEvent], slot: int) -> bool:
    return any(isinstance(message, TaskDone | TaskFailed) for message in _of(events, slot))
