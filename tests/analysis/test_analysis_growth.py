"""Controlled divergence as a statement about widths: made-up rows with known exponents, then real trainings."""

from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from conftest import FULL, Mlrtui

from mlrtui.analysis.growth import growths
from mlrtui_db.reader import Reader


def family(
    number: int = 1, *, logit: float = 0.6, hidden: float = 0.1, survive: float = 1.0, loss: str = "ce",
    widths: tuple[int, ...] = (64, 128, 256, 512), seeds: int = 5,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Rows of one family: powers of the width with a factor by seed, which is the same at every width."""
    for width in widths:
        for seed in range(seeds):
            yield {
                "family": number, "cell": f"3x{width} {loss}", "depth": 3, "width": width, "seed": seed,
                "factor": 6.0, "power": -0.5, "training_loss": loss, "bounded": int(loss != "mse"),
                "logit_rms": (1 + seed) * width**logit, "hidden_growth": (1 + seed) * width**hidden,
                "survives": int(seed < survive * seeds),
            }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "controlled", "reason"),
    [
        ({}, True, "training succeeds"),
        ({"logit": 0.26}, True, "training succeeds"),
        ({"logit": 0.24}, False, "the outputs grow like width^0.24 (limit 0.25)"),
        ({"hidden": 0.19}, True, "training succeeds"),
        ({"hidden": 0.22}, False, "the last hidden layer grows like width^0.22 (limit 0.2)"),
        ({"survive": 0.8}, True, "training succeeds"),
        ({"survive": 0.6}, False, "60% of the trials survive (limit 80%)"),
        ({"loss": "mse"}, False, "the squared loss has no bounded gradient"),
        ({"loss": "mse-softmax"}, True, "training succeeds"),
        ({"widths": (64, 512)}, None, "2 widths over 3.0 octaves (needed: 3 over 3)"),
        ({"widths": (64, 128, 256)}, None, "3 widths over 2.0 octaves (needed: 3 over 3)"),
        ({"widths": (64, 128, 512)}, True, "training succeeds"),
    ],
)
def test_every_condition_decides(changed: dict[str, Any], controlled: bool | None, reason: str) -> None:
    (found,) = growths(family(**changed))
    assert found.controlled is controlled
    assert reason in found.reason
    assert found.logit is not None
    assert found.hidden is not None
    assert found.logit.exponent == pytest.approx(changed.get("logit", 0.6), abs=1e-9)
    assert found.hidden.exponent == pytest.approx(changed.get("hidden", 0.1), abs=1e-9)


def test_families_are_judged_apart_and_in_order() -> None:
    rows = [*family(10, logit=0.0), *family(2, loss="mse"), *family(1)]
    found = growths(rows)
    assert [(one.loss, one.controlled) for one in found] == [("ce", True), ("mse", False), ("ce", False)]
    assert found[0].law == "η = 6·width^-0.5"
    assert (found[0].trials, found[0].survived, found[0].widths) == (20, 20, (64, 128, 256, 512))
    assert found[0].cells == tuple(f"3x{width} ce" for width in (64, 128, 256, 512))


def test_what_was_not_measured_decides_nothing() -> None:
    (found,) = growths({**row, "hidden_growth": None} for row in family())
    assert (found.controlled, found.hidden) == (None, None)
    assert "last hidden layer is not known" in found.reason
    (found,) = growths({**row, "logit_rms": inf} for row in family())
    assert (found.controlled, found.logit) == (None, None)
    assert growths([]) == []


SCAN = """
[sweep]
name = "{name}"
seeds = {seeds}
[data]
name = "digits"
samples = 1024
[model]
depth = 3
width = [64, 128, 256, 512]
[training]
loss = {losses}
batch = 64
steps = 32
[scan]
eta_width = {{ factor = {factors}, power = {power} }}
[sharpness]
every = 0
samples = 64
"""


def test_real_widths_diverge_in_a_controlled_way_at_the_root_only(
    mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    """W1 of the truth set: at the root outputs grow with the width, and in a controlled way where they may."""
    seeds = [501, 502, 503] if FULL else [501]
    texts = (
        SCAN.format(name="root", losses='["ce", "mse-softmax"]', factors="[1e-9, 6.0]", power=-0.5, seeds=seeds),
        SCAN.format(name="inverse", losses='["ce", "mse-softmax"]', factors="[16.0]", power=-1.0, seeds=seeds),
        SCAN.format(name="squared", losses='["mse"]', factors="[0.25]", power=-0.5, seeds=seeds),
    )
    done = mlrtui("run", *(sweep_file(text, f"{at}.toml") for at, text in enumerate(texts)), "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr
    found = {}
    with Reader.open(tmp_path / "mlrtui.db") as reader:
        for sweep in ("root", "inverse", "squared"):
            columns, rows = reader.query("width_growth", sweep)
            for one in growths(dict(zip(columns, row, strict=True)) for row in rows):
                found[sweep, one.loss, one.factor] = one
    assert {key: one.controlled for key, one in found.items()} == {
        ("root", "ce", 6.0): True,
        ("root", "ce", 1e-9): False,
        ("root", "mse-softmax", 6.0): True,
        ("root", "mse-softmax", 1e-9): False,
        ("inverse", "ce", 16.0): False,
        ("inverse", "mse-softmax", 16.0): False,
        ("squared", "mse", 0.25): False,
    }, found
    for (_, loss, factor), one in found.items():
        assert one.trials == 4 * len(seeds)
        assert one.logit is not None
        assert one.hidden is not None
        expected = {("ce", 6.0): 0.67, ("mse-softmax", 6.0): 0.5, ("mse", 0.25): 0.61}.get((loss, factor), 0.0)
        assert one.logit.exponent == pytest.approx(expected, abs=0.2)
        assert -0.3 < one.hidden.exponent <= 0.2
    told = [line for line in done.stdout.splitlines() if "·width^" in line]
    assert len(told) == len(found)
    assert sum(": controlled: outputs " in line for line in told) == 2
