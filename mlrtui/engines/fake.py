"""An engine that trains nothing: it makes up curves by a known law, so that screens and driver can be tried at once.

The law: λ₀ = 2·depth·width/64; a training succeeds below η* = 8/(depth·width)^0.75, and every curve is a smooth
function of η·λ₀. At step t of a base λ is 1 + t/50 times smaller, η* as much larger, whatever the base's rate. Attempts
made by it carry the device name "fake".
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui_db.records import EVIDENCE
from mlrtui_trainer import phases
from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.phase_evidence import History, Ratios
from mlrtui_trainer.schedules import rate_of
from mlrtui_trainer.spec import (
    Dataset,
    Fork,
    LambdaAtInit,
    LoopRound,
    Measured,
    MeasureSpec,
    Message,
    NetSpec,
    Outcome,
    Probe,
    Round,
    Rounds,
    Segment,
    StepBatch,
    Task,
    TaskDone,
    TaskFailed,
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


class _Curve(NamedTuple):
    """Loss and λ of a lane, step by step."""

    loss: npt.NDArray[np.float64]
    sharpness: npt.NDArray[np.float64]

    def rows(self, start: int, stop: int) -> "_Curve":
        return _Curve(self.loss[start:stop], self.sharpness[start:stop])


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
        self._messages = self.answer(task)

    def answer(self, task: Task) -> Iterator[Message]:
        """What comes of a task, as a worker would send it."""
        assert not isinstance(task, LoopRound)  # no numbers are made up for those
        if isinstance(task, Rounds):
            return _rounds(task)
        return _probe(task) if isinstance(task, Probe) else _round(task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        """The next message, if there is any."""
        if self._messages is not None:
            if self._pause:
                time.sleep(self._pause)
            message = next(self._messages)
            if isinstance(message, TaskDone | TaskFailed):
                self._messages = None
            self._events.append(FromWorker(0, message))
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Nothing to end."""


def _flatter(fork: Fork | None) -> float:
    """How many times smaller λ is where trainings start than at initialisation."""
    return 1.0 if fork is None else 1.0 + fork.step / 50.0


def _probe(task: Probe) -> Iterator[Message]:
    value = fake_lambda0(task.net) / _flatter(task.fork)
    loss, loss_initial = (math.nan, math.nan) if task.fork is None else (2.3 / _flatter(task.fork), 2.3)
    for net_id, _ in task.nets:
        yield LambdaAtInit(
            net_id,
            main=value,
            main_residual=1e-6,
            preconditioned=value,
            preconditioned_residual=1e-6,
            gauss_newton=value,
            gauss_newton_residual=1e-6,
            hessian=1.02 * value,
            hessian_residual=1e-6,
            converged=True,
            loss=loss,
            loss_initial=loss_initial,
            eta_catapult=math.nan if task.fork is None else 2.0 / value,
        )
    yield TaskDone(task.task_id, 0.0)


def _round(task: Round) -> Iterator[Message]:
    flatter = _flatter(task.fork)
    curves = [_curve(task.net, task.train, replace(trial, eta=trial.eta / flatter)) for trial in task.trials]
    curves = [_Curve(curve.loss, curve.sharpness / flatter) for curve in curves]
    for seq, start in enumerate(range(0, task.train.max_steps + 1, _ROWS_PER_MESSAGE)):
        stop = start + _ROWS_PER_MESSAGE
        living = [lane for lane in zip(task.trials, curves, strict=True) if start < len(lane[1].loss)]
        if living:
            lanes = [(trial, curve.rows(start, stop)) for trial, curve in living]
            yield _measured(task.measures, _batch(lanes, seq, start))
        for trial, curve in living:
            if len(curve.loss) <= stop:
                yield _outcome(task, trial, seq + 1, curve)
    yield TaskDone(task.task_id, 0.0)


def _rounds(task: Rounds) -> Iterator[Message]:
    for one in task.rounds:
        yield from (message for message in _round(one) if not isinstance(message, TaskDone))
    yield TaskDone(task.task_id, 0.0)


def _curve(net: NetSpec, train: TrainSpec, trial: TrialSpec) -> _Curve:
    """Loss and λ per step: a decay, with a bump between 2 and 4, or a blow-up above."""
    c, lambda0 = trial.eta * fake_lambda0(net), fake_lambda0(net)
    t = np.arange(train.max_steps + 1, dtype=np.float64)
    survives = trial.eta <= fake_eta_star(net, trial.seed) if train.success else c < 4
    if not survives:
        loss = 2.3 * np.exp(np.minimum(t, 400.0))
        bad = int(np.argmax(loss > phases.divergence_limit(2.3)))
        return _Curve(loss[: bad + 1], np.full(bad + 1, lambda0))
    bump = 10 * max(c - 2, 0.0) * np.exp(-0.5 * ((t - 10) / 3) ** 2)
    fall = 0.6 / (1 + np.exp(-(t - 12))) if c > 2 else np.zeros_like(t)
    return _Curve(2.3 * np.exp(-0.02 * c * t) + bump, lambda0 * (1 - fall))


def _batch(lanes: Sequence[tuple[TrialSpec, _Curve]], seq: int, start: int) -> StepBatch:
    ends = np.cumsum([len(curve.loss) for _, curve in lanes]).tolist()
    count = ends[-1]
    return StepBatch(
        segments=tuple(
            Segment(trial.trial_id, trial.attempt, seq, end - len(curve.loss), end)
            for (trial, curve), end in zip(lanes, ends, strict=True)
        ),
        step=np.concatenate([np.arange(start, start + len(curve.loss), dtype=np.int64) for _, curve in lanes]),
        loss=np.concatenate([curve.loss for _, curve in lanes]),
        accuracy=np.full(count, np.nan),
        sharpness=np.concatenate([curve.sharpness for _, curve in lanes]),
        sharpness_residual=np.full(count, 1e-6),
        products=np.full(count, 3, dtype=np.int64),
        flags=np.zeros(count, dtype=np.int64),
    )


def _measured(spec: MeasureSpec, batch: StepBatch) -> StepBatch:
    """The same with every measure that is asked for: the root of the loss, whatever it is called."""
    found = [
        (row, Measured(name, value, float("nan")))
        for row, (step, value) in enumerate(zip(batch.step.tolist(), np.sqrt(batch.loss).tolist(), strict=True))
        if spec.names and step % spec.every == 0
        for name in spec.names
    ]
    return replace(batch, measures=tuple(found))


def _evidence(task: Round, trial: TrialSpec, verdict: str, curve: _Curve, accuracy: float) -> phases.Evidence:
    """What the made-up curve shows, taken from it as from a real one: ten classes in a full batch, sizes that stay."""
    loss, edge = curve.loss, edge_of(task.train) or np.nan
    history = History(loss[:1], 1, len(loss), full=True)
    history.add(loss[:, None], np.ones((len(loss), 3, 1)))
    found, ratios = history.curve(0), Ratios()
    for step, value in enumerate((trial.eta * curve.sharpness / edge).tolist()):
        ratios.add(step, value * rate_of(task.train, step))
    seen = ratios.summary(len(loss) - 1, max(found.peak_step, found.rise_step))
    return phases.Evidence(
        task.train.loss,
        verdict,
        True,
        float(loss[0]),
        float(loss[-1]),
        task.train.optimizer,
        accuracy=accuracy,
        loss_constant=2.3,
        majority=0.1,
        peak_smoothed=found.peak_smoothed,
        rise=found.rise,
        rise_at_end=found.rise_at_end,
        drift=found.drift,
        logit_growth=found.logit_growth,
        hidden_growth=found.hidden_growth,
        **asdict(seen),
    )


def _outcome(task: Round, trial: TrialSpec, seq: int, curve: _Curve) -> Outcome:
    loss, sharpness = curve
    diverged = len(loss) <= task.train.max_steps
    first, last, peak = float(loss[0]), float(loss[-1]), int(np.argmax(loss))
    verdict = phases.verdict(task.train.success, not diverged, diverged, False, first, last)
    accuracy = 0.1 if diverged else 0.95
    evidence = _evidence(task, trial, verdict, curve, accuracy)
    phase = phases.label(evidence)
    verdict = phases.survived(task.train.success, verdict, phase.label)
    return Outcome(
        trial_id=trial.trial_id,
        attempt=trial.attempt,
        seq=seq,
        verdict=verdict,
        phase=phase.label,
        phase_rule=phases.RULE_EDITION,
        phase_basis=phase.basis,
        phase_reason=phase.reason,
        **{name: getattr(evidence, name) for name in EVIDENCE},
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
