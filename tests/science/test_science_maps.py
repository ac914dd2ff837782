"""A map of a boundary that is known in closed form: heavy ball on a quadratic loss is stable for η·λ < 2(1 + β)."""

from math import log
from pathlib import Path

import numpy as np
from real_engine import RealEngine

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui.figures.success_maps import read_maps
from mlrtui.planning import CellPlan
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer.models.mlp import Mlp, draw


def test_every_point_is_on_its_side_of_a_known_boundary_or_within_one_square_of_it(tmp_path: Path) -> None:
    document = {
        "sweep": {"name": "s", "seeds": [11]},
        "data": {"name": "digits", "samples": 32, "target": "parity"},
        "model": {"depth": 1, "width": 4, "activation": "linear", "layer_lr": {"output": 0.0}},  # the last layer stays
        "training": {"loss": "mse", "optimizer": "momentum", "batch": "full", "steps": 150},
        "map": {"eta": [0.01, 3.0], "axis": "momentum", "window": [0.0, 0.9], "scale": "linear", "squares": 8}
        | {"levels": 2, "success": "loss-below-initial"},
    }
    spec, store = parse_sweep(document, "f").settled, tmp_path / "s.db"
    plan = planning.plan(spec, data.load)
    with Store.open(store) as opened:
        assert Driver(opened, RealEngine(), driver_id="t").run_sweep(spec, plan).failed == 0
    with Reader.open(store) as reader:
        (one,) = (found for sweep in reader.sweeps() for found in read_maps(reader, sweep))
    cell = plan.cells[0]
    assert isinstance(cell, CellPlan)
    _, last = draw(Mlp.of(cell.net), 11)
    x = plan.datasets[cell.data_id].x
    sharpness = float((last**2).sum() * np.linalg.eigvalsh(x @ x.T / len(x))[-1])  # of the first layer's weights
    edge = 2.0 * (1.0 + np.array(one.values)[:, None]) / sharpness  # of η, [rows, 1]
    above = np.log(np.array(one.etas)[None] / edge) / log(one.etas[1] / one.etas[0])  # columns above the boundary
    assert (one.filled[above < -1.0] == 1).all()
    assert (one.filled[above > 1.0] == 0).all()
    assert 0.1 < (above < 0).mean() < 0.9
    assert one.trained < one.points / 3  # of 33 x 33 points; a finer grid saves more
