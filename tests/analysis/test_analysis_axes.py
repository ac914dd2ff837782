"""Every axis of the grid in every place that knows axes: one row of one table, and no second list of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlrtui import planning
from mlrtui.analysis.expressions import ExpressionError, cell_condition
from mlrtui.analysis.fits import CellPoint, fit, grouped, standard_fits
from mlrtui.analysis.points import points
from mlrtui.config import parse_sweep
from mlrtui.config.checks.known import AXES as KEYS
from mlrtui.config.parsing import TABLES
from mlrtui.config.reference import rule_of
from mlrtui.config.sections import Section, section_of
from mlrtui_db.axes import AXES, AXIS, SIZES, Axis
from mlrtui_db.reader import Reader
from mlrtui_db.records import NetLambdas
from mlrtui_db.store import Store

_MOMENTUM, _ADAM = {"training.optimizer": "momentum"}, {"training.optimizer": "adam"}

VARIED: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "data.name": (["digits", "wine"], {"data.samples": 50}),
    "data.samples": ([50, 100], {}),
    "data.target": (["classes", "parity"], {"training.loss": "mse"}),
    "data.standardize": (["global", "feature"], {}),
    "model.kind": (["mlp", "cnn"], {}),
    "model.activation": (["relu", "tanh"], {}),
    "model.bias": ([False, True], {}),
    "model.parametrization": (["sp", "ntk"], {}),
    "model.base_width": ([32, 64], {"model.parametrization": "mup"}),
    "model.init_variance": ([1.0, 2.0], {}),
    "model.layer_lr.input": ([0.1, 1.0], {}),
    "model.layer_lr.hidden": ([0.1, 1.0], {}),
    "model.layer_lr.output": ([0.1, 1.0], {}),
    "training.loss": (["ce", "mse"], {}),
    "training.optimizer": (["sgd", "momentum"], {}),
    "training.momentum": ([0.5, 0.9], _MOMENTUM),
    "training.beta1": ([0.5, 0.9], _ADAM),
    "training.beta2": ([0.99, 0.999], _ADAM),
    "training.eps": ([1e-8, 1e-4], _ADAM),
    "training.weight_decay": ([0.0, 0.1], {}),
    "training.schedule": (["constant", "cosine"], {}),
    "training.warmup_steps": ([1, 2], {"training.schedule": "cosine"}),
    "training.batch": ([10, 25], {}),
    "training.epochs": ([1, 2], {}),
    "training.steps": ([3, 4], {"training.epochs": None}),
    "training.dtype": (["float32", "float64"], {}),
    "model.depth": ([2, 4], {"model.width": 8}),
    "model.width": ([8, 16], {"model.depth": 2}),
}
"""Two values of each axis, with what else of the file must then be as it is not otherwise."""

Row = dict[str, object]

ABOUT_SWEEPS = {"exponents", "annotations"}
"""Views whose rows are about a sweep, not a cell of it."""


def settings(section: type[Section], at: str) -> Iterator[str]:
    """Dotted keys of a section that may be lists."""
    for key, field in section.model_fields.items():
        inner = section_of(field)
        if inner is not None:
            yield from settings(inner, f"{at}.{key}")
        elif rule_of(field).is_axis and f"{at}.{key}" != "model.input_lr":  # short for that of layer_lr
            yield f"{at}.{key}"


def test_a_key_that_may_be_a_list_is_an_axis_of_the_table() -> None:
    sections = [(TABLES[name], name) for name in ("data", "model", "training")]
    assert {key for section in sections for key in settings(*section)} == {axis.key for axis in AXES} == set(VARIED)
    assert set(KEYS) == {axis.key for axis in AXES if "layer_lr" not in axis.key}
    assert [*planning._Point._fields] == [axis.field for axis in AXES]


def written(axis: Axis, folder: Path) -> tuple[list[str], dict[str, list[Row]], list[CellPoint]]:
    """A small grid in which one axis varies beside depth and width: labels, all views, what fits see of the cells."""
    values, others = VARIED[axis.key]
    given: dict[str, Any] = {
        "sweep.name": "a",
        "data.name": "digits",
        "model.depth": [2, 4],
        "model.width": [8, 16],
        "training.loss": "ce",
        "training.batch": 25,
        "training.epochs": 1,
    }
    document: dict[str, Any] = {"scan": {"eta": [0.1]}}
    for key, value in (given | others | {axis.key: values}).items():
        table = document
        *path, last = key.split(".")
        for part in path:
            table = table.setdefault(part, {})
        if value is not None:
            table[last] = value
    plan = planning.plan(parse_sweep(document, "test"), load=None)
    with Store.open(folder / "s.db") as store, store.transaction():
        for net in store.sweep_state(store.add_sweep(plan.sweep)).nets:
            store.set_lambdas(NetLambdas(net.net_id, *[float(net.net_id), 0.0] * 4, converged=True))
    with Reader.open(folder / "s.db") as reader:
        found = {view: reader.query(view) for view in reader.views()}
        rows = {view: [dict(zip(names, row, strict=True)) for row in part] for view, (names, part) in found.items()}
        assert all({axis.column for axis in AXES} <= set(found[view][0]) for view in set(found) - ABOUT_SWEEPS)
        cells = points(rows["grid"], "lambda0", reader.sizes(1))
    return [cell.label for cell in plan.cells], rows, cells


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_an_axis_that_varies_is_named_shown_asked_for_and_never_pooled(axis: Axis, tmp_path: Path) -> None:
    labels, rows, cells = written(axis, tmp_path)
    assert len(set(labels)) == len(labels)
    assert {row["cell"] for row in rows["grid"]} == set(labels)
    stored = {row[axis.column] for row in rows["grid"]}
    assert len(stored) == 2
    seen = {point.values[axis.name] for point in cells}
    assert len(seen) == 2
    if axis.name in SIZES:
        return  # a fit explains by these
    assert all(len(label.split()) == 2 for label in labels)
    values = [repr(value) if isinstance(value, str) else f"{value!r}" for value in seen]
    for name in {axis.name, axis.column}:
        for value in values:
            condition = cell_condition(f"{name} == {value}")
            assert 0 < sum(bool(condition.evaluate(point.values)) for point in cells) < len(cells)
        assert len(grouped(cells, [name])) == 2
    assert len(grouped(cells)) == 2
    specs = standard_fits(cells, search=False)
    assert {spec.where for spec in specs} >= set(grouped(cells))
    for spec in specs:
        inside = [point for point in cells if cell_condition(spec.where).evaluate(point.values)]
        assert len({point.values[axis.name] for point in inside}) == 1
        assert fit(cells, spec).cells == len(inside)


def test_three_axes_at_once_are_fitted_apart() -> None:
    """Thirty-two cells over three axes, which were once one fit."""
    cells = [
        CellPoint(f"{at}", {"depth": float(depth), "width": float(width)} | axes, (float(at),))
        for at, axes in enumerate(
            {"init_variance": v, "base_width": b, "momentum": m}
            for v in (1.0, 2.0)
            for b in (8.0, 16.0)
            for m in (0.5, 0.9)
        )
        for depth in (2, 4)
        for width in (8, 16)
    ]
    specs = standard_fits(cells, search=False)
    assert len(specs) == 8
    assert {fit(cells, spec).cells for spec in specs} == {4}


def test_a_number_of_one_optimizer_alone_is_no_group_of_its_own() -> None:
    sgd = CellPoint("a", {"optimizer": "sgd", "momentum": float("nan")}, ())
    heavy = [CellPoint(f"{m}", {"optimizer": "momentum", "momentum": m}, ()) for m in (0.5, 0.9)]
    assert list(grouped([sgd, heavy[0]])) == ["optimizer == 'sgd'", "optimizer == 'momentum'"]
    conditions = grouped([sgd, *heavy])
    assert [len(group) for group in conditions.values()] == [1, 1, 1]
    for condition, group in conditions.items():
        assert [p for p in (sgd, *heavy) if cell_condition(condition).evaluate(p.values)] == group


def test_a_group_of_what_is_no_axis_is_refused() -> None:
    with pytest.raises(ExpressionError, match="'n_params' is no axis of a grid; use one of: data, samples"):
        grouped([], ["n_params"])
    assert grouped([], ["training_loss"]) == {}
    assert set(AXIS) == {axis.name for axis in AXES}
