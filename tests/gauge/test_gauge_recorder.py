"""The recorder: its numbers against closed forms, its edges against schedules, and the training's bits untouched."""

import copy
import random
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import gauge_nets
import numpy as np
import pytest
import torch
from gauge_nets import Case, same
from torch import Tensor, nn

import mlrtui
from mlrtui_trainer.gauge import Recorder, recording, sharpness

EIGENVALUES = torch.tensor([5.0, 2.0, 0.5], dtype=torch.float64)


class Quadratic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64))


def bowl(model: nn.Module, batch: Any) -> Tensor:
    return 0.5 * (EIGENVALUES * model.w.square()).sum()


def loop(
    rec: Recorder, steps: int, case: Case, optimizer: torch.optim.Optimizer, scheduler: Any = None, told: Any = None
) -> None:
    """Train on the case's batch, and tell the recorder that it was ``told``."""
    with rec:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = case.loss(case.model, case.batch)
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            rec.step(loss, case.batch if told is None else told)


def test_gradient_descent_on_a_quadratic_by_closed_forms() -> None:
    """Along the gradient the loss rises again at 2 gᵀg / gᵀHg: critical, directional and batch sharpness are one."""
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.1)
    rates = [0.1 / (step + 1) for step in range(6)]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 / (step + 1))
    rec = mlrtui.record(case.model, optimizer, case.loss, every=1)
    loop(rec, 6, case, optimizer, scheduler)
    w = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    assert [row.lr for row in rec.steps] == pytest.approx(rates)
    for row, rate in zip(rec.steps, rates, strict=True):
        g = EIGENVALUES * w
        along = float((EIGENVALUES * g * g).sum() / (g * g).sum())
        found = {reading.kind: reading for reading in row.readings}
        assert row.loss == pytest.approx(float(0.5 * (EIGENVALUES * w * w).sum()))
        assert found["critical"].low <= along * (1 + 1e-6)
        assert found["critical"].high >= along * (1 - 1e-6)
        assert found["critical"].high / found["critical"].low <= 1.1 + 1e-9
        assert found["directional"].value == pytest.approx(along, rel=1e-6)
        assert found["batch"].value == pytest.approx(along, rel=1e-9)
        assert found["lambda"].value == pytest.approx(5.0, rel=1e-2)
        for kind in ("critical", "directional", "batch", "lambda-preconditioned"):
            assert found[kind].edge == pytest.approx(2.0 / rate), kind
        assert isnan(found["lambda"].edge)
        norm = float(g.square().sum().sqrt())
        assert (row.gradient_norm, row.update_norm) == pytest.approx((norm, rate * norm))
        w = w - rate * g
    assert rec.series("gradient_norm").values == tuple(row.gradient_norm for row in rec.steps)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_band_of_batch_sharpness_under_momentum(beta: float) -> None:
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.01, momentum=beta)
    rec = Recorder(case.model, optimizer, case.loss, every=2, measures=["directional"])
    loop(rec, 5, case, optimizer)
    assert rec.series("batch").steps == (0, 2, 4)
    batch = rec.steps[2].readings[1]
    assert (batch.edge, batch.edge_high) == pytest.approx(((1 - beta) * 200, (1 + beta) * 200))


def test_the_preconditioner_is_that_before_the_update() -> None:
    """As a direct measurement between two steps gives it."""
    case = gauge_nets.mlp(3, torch.float64)
    optimizer = torch.optim.Adam(case.model.parameters(), lr=1e-2, betas=(0.9, 0.99))
    rec = Recorder(case.model, optimizer, case.loss, every=1, measures=["lambda-preconditioned"])
    expected = []
    with rec:
        for step in range(4):
            if step:
                expected.append(sharpness(case.model, case.loss, case.batch, optimizer=optimizer))
            optimizer.zero_grad()
            loss = case.loss(case.model, case.batch)
            loss.backward()
            optimizer.step()
            rec.step(loss, case.batch)
    first, *others = [row.readings[0] for row in rec.steps]
    assert (first.status, first.note[:15]) == ("no-edge", "it has no state")
    for reading, direct in zip(others, expected, strict=True):
        assert reading.value == pytest.approx(direct.value, rel=2e-2)
        assert reading.edge == pytest.approx(direct.edge)


def test_plain_descent_is_solved_once_and_no_edge_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    solves = []

    def counted(*arguments: Any, **how: Any) -> Any:
        solves.append(how["optimizer"])
        return sharpness(*arguments, **how)

    monkeypatch.setattr(recording, "sharpness", counted)
    case = gauge_nets.mlp(3, torch.float64)
    for make, solved in ((torch.optim.SGD, 3), (torch.optim.Adagrad, 0)):
        optimizer = make(case.model.parameters(), lr=0.05)  # type: ignore[operator]
        measures = ["lambda-preconditioned", "lambda"] if solved else ["lambda-preconditioned"]
        rec = Recorder(case.model, optimizer, case.loss, every=1, measures=measures)
        solves.clear()
        loop(rec, 3, case, optimizer)
        assert solves == [None] * solved
        assert rec.events == []
        for row in rec.steps:
            reading = row.readings[0]
            if solved:
                assert (reading.value, reading.edge) == (row.readings[1].value, 2.0 / 0.05)
            else:
                assert reading.status == "no-edge"
                assert "no linear edge" in reading.note


def test_an_update_of_nothing_is_named_and_is_no_failure() -> None:
    """At a minimum the gradient is zero, and so is the update."""
    case = Case(Quadratic(), bowl, 0)
    with torch.no_grad():
        case.model.w.zero_()
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.1)
    rec = Recorder(case.model, optimizer, case.loss, every=1, strict=True)
    loop(rec, 4, case, optimizer)
    for row in rec.steps:
        found = {reading.kind: reading for reading in row.readings}
        assert (found["critical"].status, found["directional"].status) == ("no-update", "no-update")
        assert isnan(found["batch"].value)
        assert found["lambda"].value == pytest.approx(5.0, rel=1e-2)


def test_the_first_measurement_is_cold_at_fixed_intervals_too() -> None:
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.01)
    rec = Recorder(case.model, optimizer, case.loss, every=2, measures=["critical"])
    loop(rec, 1, case, optimizer)
    assert rec.cold_seconds > 0.0
    assert rec.spent_seconds == 0.0
    loop(rec, 2, case, optimizer)
    assert rec.spent_seconds > 0.0


NETS: dict[str, Callable[[], Case]] = {
    "mlp": lambda: gauge_nets.mlp(1),
    "cnn": lambda: gauge_nets.cnn(2, train=True, dropout=0.3),
    "gpt": lambda: gauge_nets.gpt(4),
}


def trained(net: str, recorded: bool) -> dict[str, Any]:
    """Everything that a training leaves behind: clipped, scheduled, in two micro-batches."""
    case = NETS[net]()
    model = case.model
    optimizer: torch.optim.Optimizer = {
        "mlp": lambda: torch.optim.RMSprop(model.parameters(), lr=1e-2),
        "cnn": lambda: torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
        "gpt": lambda: torch.optim.AdamW(model.parameters(), lr=1e-2),
    }[net]()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    torch.manual_seed(11)
    random.seed(12)
    np.random.seed(13)
    rec = Recorder(model, optimizer, case.loss, every=1 if recorded else 10**9, strict=True)
    rec.active = recorded
    with rec:
        for _ in range(8):
            optimizer.zero_grad()
            loss = case.loss(model, case.batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            scheduler.step()
            rec.step(loss, case.batch)
    assert len(rec.steps) == (8 if recorded else 0)
    assert all(len(row.readings) == 5 for row in rec.steps)
    return {
        "weights": {name: t.clone() for name, t in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "gradients": [p.grad for p in model.parameters()],
        "hooks": [len(part._forward_pre_hooks) for part in model.modules()],
        "modes": [part.training for part in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1],
        "python": random.getstate(),
    }


@pytest.mark.parametrize("net", NETS)
def test_a_recorded_training_has_the_same_bits(net: str) -> None:
    assert same(trained(net, False), trained(net, True))


def test_without_the_copy_of_the_weights_the_bits_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding and taking away the update again is not enough."""

    def shifted(parameters: Any, values: Any) -> None:
        with torch.no_grad():
            for p, value in zip(parameters, values, strict=True):
                p.add_(value - p).add_(1e-7 * p)

    undisturbed = trained("mlp", False)
    monkeypatch.setattr(recording, "_write", shifted)
    assert not same(undisturbed, trained("mlp", True))


def test_dropout_keeps_the_mask_of_the_training() -> None:
    """Or the gradient would not be the one that was trained with, which is checked."""
    case = gauge_nets.cnn(2, train=True, dropout=0.5)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-3)
    rec = Recorder(case.model, optimizer, case.loss, every=1, strict=True, measures=["directional"])
    loop(rec, 3, case, optimizer)
    assert len(rec.series("batch").values) == 3


@pytest.mark.parametrize("given", ["by position", "by name"])
def test_a_closure_that_computes_the_gradients_gives_the_same_readings(given: str) -> None:
    """``optimizer.step(closure)``, as Lightning steps: gradients and dropout's mask are those of inside the step."""

    def recorded(closed: bool) -> tuple[list[Any], dict[str, Tensor]]:
        case = gauge_nets.cnn(2, train=True, dropout=0.5)
        optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-2, momentum=0.9)
        torch.manual_seed(11)
        with Recorder(case.model, optimizer, case.loss, every=1, strict=True) as rec:
            for _ in range(4):
                told: list[Tensor] = []

                def closure(told: list[Tensor] = told) -> Tensor:
                    optimizer.zero_grad()
                    told.append(case.loss(case.model, case.batch))
                    told[0].backward()
                    return told[0]

                if not closed:
                    closure()
                    optimizer.step()
                elif given == "by name":
                    optimizer.step(closure=closure)  # type: ignore[arg-type]
                else:
                    optimizer.step(closure)  # type: ignore[arg-type]
                rec.step(told[0], case.batch)
        readings = [(r.kind, r.value, r.edge, r.status) for row in rec.steps for r in row.readings]
        return readings, {name: t.clone() for name, t in case.model.state_dict().items()}

    plain, closed = recorded(False), recorded(True)
    assert len(plain[0]) == 20
    assert {status for *_, status in plain[0]} == {"found"}
    assert closed[0] == plain[0]
    assert same(closed[1], plain[1])


def test_another_batch_is_noticed_and_never_raised() -> None:
    case = gauge_nets.mlp(1)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-2)
    x, y = case.batch
    rec = Recorder(case.model, optimizer, case.loss, every=1, measures=["directional", "lambda"])
    with pytest.warns(RuntimeWarning, match="batch or loss_fn are not those of this step"):
        loop(rec, 5, case, optimizer, told=(x, (y + 1) % 3))
    assert "measured no more" in rec.events[-1]
    assert rec.intervals["directional"] is None
    assert [len(row.readings) for row in rec.steps] == [3, 3, 3, 1, 1]
    assert rec.steps[0].readings[0].status.startswith("error: WrongBatch")
    strict = Recorder(case.model, optimizer, case.loss, every=1, measures=["directional"], strict=True)
    with pytest.raises(mlrtui.WrongBatch):
        loop(strict, 1, case, optimizer, told=(x, (y + 1) % 3))


def test_steps_that_did_not_happen_and_losses_that_are_not_numbers() -> None:
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.1)
    rec = Recorder(case.model, optimizer, case.loss, every=1)
    with rec:
        rec.step(torch.tensor(1.0), 0)  # as after an overflow of a GradScaler
        bowl(case.model, 0).backward()
        optimizer.step()
        rec.step(float("nan"), 0)
        bowl(case.model, 0).backward()
        optimizer.step()
        rec.step(0.5, None, accuracy=torch.tensor(0.25))
    skipped, bad, unmeasured = rec.steps
    assert (skipped.skipped, skipped.readings) == (True, ())
    assert (bad.skipped, {reading.status for reading in bad.readings}) == (False, {"nonfinite"})
    assert (unmeasured.readings, unmeasured.accuracy) == ((), 0.25)
    assert rec.events == []


def test_a_model_can_be_copied_and_saved_while_it_is_recorded(tmp_path: Path) -> None:
    """As for an average of the weights, or a checkpoint of the whole module: the recorder does not come along."""
    case = gauge_nets.mlp(1)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-2)
    with Recorder(case.model, optimizer, lambda model, batch: case.loss(model, batch), every=1) as rec:
        copied = copy.deepcopy(case.model)
        torch.save(case.model, tmp_path / "whole.pt")
        rec.step(1.0, None)
    assert b"mlrtui" not in (tmp_path / "whole.pt").read_bytes()
    right = case.model(case.batch[0])
    for other in (copied, torch.load(tmp_path / "whole.pt", weights_only=False)):
        assert torch.equal(other(case.batch[0]), right)


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLRTUI_RECORD", "0")
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=0.1)
    rec = Recorder(case.model, optimizer, case.loss)
    loop(rec, 3, case, optimizer)
    assert rec.steps == ()


def test_intervals_follow_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock of its own: a step takes 1 s, a measurement of each kind 4 s, the first 40 s."""
    now, kinds = [0.0], 4
    monkeypatch.setattr(recording.time, "perf_counter", lambda: now[0])

    def take(rec: Recorder, context: Any) -> tuple[recording.Reading, ...]:
        now[0] += 40.0 if len(rec._rows) == 1 else 4.0
        return (recording.Reading("critical", 1.0),)

    monkeypatch.setattr(recording, "MEASURES", dict.fromkeys("abcd", recording._Measure(("critical",), take)))
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-3)
    rec = Recorder(case.model, optimizer, case.loss, overhead=0.1)
    with rec:
        for _ in range(3000):
            loss = bowl(case.model, 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            now[0] += 1.0
            rec.step(loss, 0)
    assert rec.cold_seconds == 40.0 * kinds
    assert rec.intervals == dict.fromkeys("abcd", 200)  # 4 s / (0.1 / 4 s a step) = 160, rounded up
    assert 0.05 <= rec.spent_seconds / rec.trained_seconds <= 0.1


def test_what_two_measures_share_is_the_price_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under plain SGD λ serves both kinds; alone each would take the whole solve. On a clock of its own."""
    now, solve = [0.0], recording.sharpness
    monkeypatch.setattr(recording.time, "perf_counter", lambda: now[0])

    def slow(*args: Any, **options: Any) -> Any:
        now[0] += 4.0
        return solve(*args, **options)

    monkeypatch.setattr(recording, "sharpness", slow)
    case = Case(Quadratic(), bowl, 0)
    optimizer = torch.optim.SGD(case.model.parameters(), lr=1e-3)
    kinds = ("lambda", "lambda-preconditioned")
    rec = Recorder(case.model, optimizer, case.loss, overhead=0.1, measures=kinds)
    with rec:
        for _ in range(1000):
            loss = bowl(case.model, 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            now[0] += 1.0
            rec.step(loss, 0)
    assert rec.intervals == dict.fromkeys(kinds, 100)  # 4 s / (0.1 / 2 s a step) = 80, rounded up
    assert rec.spent_seconds == 4.0 * (len(rec.series("lambda").steps) - 1)  # one solve for both
    assert rec.trained_seconds == 999.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"measures": ["sharp"]}, "measure 'sharp' is not known"),
        ({"overhead": 0.0}, "overhead is 0.0"),
        ({"every": 0}, "every is 0"),
        ({"every": {"sharp": 2}}, "every is {'sharp': 2}"),
        ({"optimizer": "sgd"}, "optimizer must be"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, Any], words: str) -> None:
    model = Quadratic()
    given = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "loss_fn": bowl} | arguments
    with pytest.raises(ValueError, match=words):
        mlrtui.record(**given)
