"""An engine that trains nothing: it makes up curves by a known law, so that screens and driver can be tried at once.

The law: λ₀ = 2·depth·width/64; a training succeeds below η* = 8/(depth·width)^0.75, and every curve is a smooth
function of η·λ₀. Attempts made by it carry the device name "fake".
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui_trainer import phases
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    Message,
    NetSpec,
    Outcome,
    Probe,
    Round,
    Segment,
    StepBatch,
    Task,
    TaskDone,
    TrainSpec,
    TrialSpec,
)

__all__ = ["FakeEngine", "fake_eta_star", "fake_lambda0"]

_ROWS_PER_MESSAGE = 20


def fake_eta_star(net: NetSpec, seed: int) -> float:
    """The rate up to which the fake says "reached"; seeds differ by up to 10 %."""
    return 8.0 / math.pow(net.depth * net.width, 0.75) * (1 + 0.05 * math.sin(1.0 + 2.0 * seed))


def fake_lambda0(net: NetSpec) -> float:
    """The fake's λ at initialisation."""
    return 2.0 * net.depth * net.width / 64


class FakeEngine:
    """One slot that answers at once. ``pause``: seconds between messages, to watch it live."""

    def __init__(self, pause: float = 0.0) -> None:
        self._events: deque[EngineEvent] = deque([WorkerReady(0, {"device": "fake"})])
        self._messages: Iterator[Message] | None = None
        self._pause = pause

    @property
    def devices(self) -> Sequence[str]:
        """One slot, called "fake"."""
        return ["fake"]

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """The fake looks at no data."""

    def idle(self) -> Sequence[int]:
        """The slot, when it has nothing to do."""
        return [0] if self._messages is None else []

    def submit(self, slot: int, task: Task) -> None:
        """Take a task."""
        self._messages = _probe(task) if isinstance(task, Probe) else _round(task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        """The next message, if there is any."""
        if self._messages is not None:
            time.sleep(self._pause)
            message = next(self._messages)
            if isinstance(message, TaskDone):
                self._messages = None
            self._events.append(FromWorker(0, message))
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Nothing to end."""


def _probe(task: Probe) -> Iterator[Message]:
    value = fake_lambda0(task.net)
    for net_id, _ in task.nets:
        yield LambdaAtInit(net_id, value, 1e-6, value, 1e-6, value, 1e-6, 1.02 * value, 1e-6, converged=True)
    yield TaskDone(task.task_id, 0.0)


def _round(task: Round) -> Iterator[Message]:
    for trial in task.trials:
        loss, sharpness = _curve(task.net, task.train, trial)
        starts = range(0, len(loss), _ROWS_PER_MESSAGE)
        for seq, start in enumerate(starts):
            stop = min(start + _ROWS_PER_MESSAGE, len(loss))
            yield _batch(trial, seq, start, loss[start:stop], sharpness[start:stop])
        yield _outcome(task, trial, len(starts), loss, sharpness)
    yield TaskDone(task.task_id, 0.0)


def _curve(net: NetSpec, train: TrainSpec, trial: TrialSpec) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Loss and λ per step: a decay, with a bump between 2 and 4, or a blow-up above."""
    c, lambda0 = trial.eta * fake_lambda0(net), fake_lambda0(net)
    t = np.arange(train.max_steps + 1, dtype=np.float64)
    survives = trial.eta <= fake_eta_star(net, trial.seed) if train.success else c < 4
    if not survives:
        loss = 2.3 * np.exp(np.minimum(t, 400.0))
        bad = int(np.argmax(loss > phases.divergence_limit(2.3)))
        return loss[: bad + 1], np.full(bad + 1, lambda0)
    bump = 10 * max(c - 2, 0.0) * np.exp(-0.5 * ((t - 10) / 3) ** 2)
    fall = 0.6 / (1 + np.exp(-(t - 12))) if c > 2 else np.zeros_like(t)
    return 2.3 * np.exp(-0.02 * c * t) + bump, lambda0 * (1 - fall)


def _batch(
    trial: TrialSpec, seq: int, start: int, loss: npt.NDArray[np.float64], sharpness: npt.NDArray[np.float64]
) -> StepBatch:
    rows = len(loss)
    return StepBatch(
        segments=(Segment(trial.trial_id, trial.attempt, seq, 0, rows),),
        step=np.arange(start, start + rows, dtype=np.int64),
        loss=loss,
        accuracy=np.full(rows, np.nan),
        sharpness=sharpness,
        sharpness_residual=np.full(rows, 1e-6),
        products=np.full(rows, 3, dtype=np.int64),
        flags=np.zeros(rows, dtype=np.int64),
    )


def _outcome(
    task: Round, trial: TrialSpec, seq: int, loss: npt.NDArray[np.float64], sharpness: npt.NDArray[np.float64]
) -> Outcome:
    diverged = len(loss) <= task.train.max_steps
    first, last, peak = float(loss[0]), float(loss[-1]), int(np.argmax(loss))
    verdict = phases.verdict(task.train.success, not diverged, diverged, False, first, last)
    rise = float(np.max(np.diff(loss), initial=0.0))
    accuracy = 0.1 if diverged else 0.95
    phase = phases.label(task.train.loss, verdict, first, last, rise, float(loss[peak]) / first, 1.0, 1.0, accuracy)
    return Outcome(
        trial_id=trial.trial_id,
        attempt=trial.attempt,
        seq=seq,
        verdict=verdict,
        phase=phase,
        reached_epoch=1 if verdict == "reached" else None,
        loss_initial=first,
        loss_final=last,
        best_accuracy=accuracy,
        final_accuracy=accuracy,
        peak_ratio=float(loss[peak]) / first,
        peak_step=peak,
        final_sharpness=float(sharpness[-1]),
        logit_rms_initial=1.0,
        logit_rms_peak=1.0,
        bad_step=len(loss) - 1 if diverged else None,
        bad_kind="threshold" if diverged else None,
    )
