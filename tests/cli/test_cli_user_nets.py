"""Users' own nets through the command: right values, refusals before anything starts, λ that is refused by name."""

import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from conftest import Mlrtui

from mlrtui_db import invariants

pytestmark = pytest.mark.usefixtures("no_driver_left")

ZOO = Path(__file__).parent.parent / "trainer"
IN_ONE = "from zoo_refused import *\nfrom zoo_right import *\nfrom zoo_wrong import *\n"
SWEEP = """
    sweep = {{ name = "{name}", seeds = {seeds} }}
    data = {{ {data} }}
    [model]
    kind = [{kinds}]
    depth = 2
    width = 16
    [training]
    loss = "ce"
    batch = {batch}
    steps = 2
    [{mode}]
    {rates}
    [sharpness]
    every = 1
    operator = ["gauss-newton", "hessian"]
"""


def write(folder: Path, name: str, kinds: str, rates: str = "eta = [0.01]", **other: object) -> Path:
    """A sweep over factories of the zoo, which lies beside it as ``net``."""
    for zoo in ZOO.glob("zoo_*.py"):
        shutil.copy(zoo, folder)
    (folder / "net.py").write_text(IN_ONE)
    given = {"data": 'name = "digits", samples = 256', "batch": 64, "seeds": 1, "mode": "scan"} | other
    path = folder / f"{name}.toml"
    listed = ", ".join(f'"net:{kind}"' for kind in kinds.split())
    path.write_text(dedent(SWEEP).format(name=name, kinds=listed, rates=rates, **given))
    return path


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


FIRST = "SELECT model, seed, sharpness FROM curves WHERE step = 0"
BESIDE = "SELECT model, seed, value FROM spectra WHERE step = 0 AND operator = 'hessian'"


def values(store: Path, sql: str) -> dict[str, list[float]]:
    found = defaultdict(list)
    for model, _, value in rows(store, f"{sql} ORDER BY seed"):
        found[model.removeprefix("net:")].append(value)
    return dict(found)


def test_every_net_has_its_right_value(mlrtui: Mlrtui, tmp_path: Path) -> None:
    sweeps = [
        write(tmp_path, "many", "multi_head encoder no_dropout evaluated spectrum spectrum_split silu saved"),
        write(tmp_path, "numpy", "by_numpy", "eta = [0.01, 0.02, 0.03]"),
        write(tmp_path, "seeds", "in_buffer in_parameter zero_all", seeds=3),
    ]
    drawn = np.random.RandomState(0)
    tokens = drawn.randint(0, 17, (100, 12)).astype(np.int64)
    np.savez(tmp_path / "tok.npz", x=tokens, y=drawn.randint(0, 2, 100).astype(np.int64))
    data = 'name = "npz", path = "tok.npz", standardize = "none"'
    sweeps.append(write(tmp_path, "tokens", "embedded", data=data, batch=50))
    done = mlrtui("run", *sweeps, "--allow-code", "--no-tui", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    first, beside = values(store, FIRST), values(store, BESIDE)
    assert first["by_numpy"] == first["by_numpy"][:1] * 3  # one net at three rates
    assert first["spectrum"] == pytest.approx([1.253], rel=2e-3)
    assert first["spectrum_split"] == pytest.approx(first["spectrum"], rel=1e-5)
    assert first["in_buffer"] == first["in_parameter"]
    assert first["in_buffer"] == pytest.approx([1.253, 1.328, 1.689], rel=2e-3)
    # the same function and weights, one whose backward pass keeps an intermediate result: Gauss-Newton needs none
    assert first["silu"] == pytest.approx([0.1445], rel=2e-3)
    assert first["saved"] == pytest.approx(first["silu"], rel=1e-4)
    assert beside["silu"] == pytest.approx([0.4074], rel=2e-3)
    assert "saved" not in beside
    assert all(value > 0 for found in (first, beside) for one in found.values() for value in one)
    texts = "\n".join(text for (text,) in rows(store, "SELECT text FROM event"))
    assert "λ (hessian) is refused and stays empty: derivatives of autograd.Function Saved in Act '1'" in texts
    assert "net:zero_all: its factory gives the same net for every seed" in texts
    assert texts.count("gives the same net") == 1
    assert "refused and stays empty" in done.stdout
    hessian = rows(store, "SELECT lambda0_hessian FROM net JOIN cell USING (cell_id) WHERE model = 'net:saved'")
    assert hessian == [(None,)]
    assert invariants.check(store) == []


def test_what_cannot_be_trained_is_told_before_anything_starts(mlrtui: Mlrtui, tmp_path: Path) -> None:
    sweep = write(tmp_path, "bad", "tanh dropout functional_norm by_entropy warm fixed_batch", batch='"full"')
    for words in (("--dry-run",), ("--no-tui", "--devices", "cpu:1")):
        refused = mlrtui("run", sweep, "--allow-code", *words)
        assert refused.returncode == 2
        said = refused.stderr.splitlines()
        assert len(said) == 5
        for line, kind, why in zip(
            said,
            ("dropout", "functional_norm", "by_entropy", "warm", "fixed_batch"),
            ("every time", "other samples of its batch", "called twice", "attribute 'step'", "forward raised"),
            strict=True,
        ):
            assert f"model.kind = 'net:{kind}': " in line
            assert why in line
        assert not (tmp_path / "mlrtui.db").exists()


def test_a_scan_over_lambda0_needs_a_lambda0_that_can_be_trusted(mlrtui: Mlrtui, tmp_path: Path) -> None:
    sweep = write(tmp_path, "scan", "once silu", "eta_lambda0 = [0.5]")
    refused = mlrtui("run", sweep, "--allow-code", "--no-tui", "--devices", "cpu:1")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "scan.eta_lambda0: λ₀ (gauss-newton) of 'net:once' cannot be trusted: autograd.Function Once in Act '1'" in (
        refused.stderr
    )
    assert "scan over eta" in refused.stderr
    assert not (tmp_path / "mlrtui.db").exists()


def test_a_search_goes_on_without_lambda(mlrtui: Mlrtui, tmp_path: Path) -> None:
    rates = 'success = "loss-below-initial"\n    tolerance = 1.0\n    eta_min = 0.01\n    eta_max = 1000.0'
    sweep = write(tmp_path, "search", "once", rates.replace("    ", ""), mode="search", batch='"full"')
    planned = mlrtui("run", sweep, "--allow-code", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    for said in ("1482 parameters", "x [samples, 64] float32, from ", "λ (hessian): refused: ", "a step "):
        assert said in planned.stdout
    done = mlrtui("run", sweep, "--allow-code", "--no-tui", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    ((eta_star, lambda0),) = rows(store, "SELECT eta_star, lambda0 FROM eta_star")
    assert eta_star > 0.1
    assert lambda0 is None
    assert rows(store, "SELECT count(*) FROM step WHERE sharpness IS NOT NULL") == [(0,)]
    assert rows(store, "SELECT count(*) FROM spectra") == [(0,)]
    said = [text for (text,) in rows(store, "SELECT text FROM event WHERE level = 'warning'")]
    assert len(said) == 2  # of both operators, once
    assert all("autograd.Function Once in Act '1' is once_differentiable" in text for text in said)
    assert invariants.check(store) == []
