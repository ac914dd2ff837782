"""Plans: order, labels, budgets, records, keys."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest

from mlrtui import planning
from mlrtui.commands.examples import quickstart
from mlrtui.config import load_sweep, parse_sweep
from mlrtui.data import DataSpec, load
from mlrtui.driver.estimate import expected_trainings
from mlrtui.keys import canonical_json, code_id, digest
from mlrtui.planning import plan, trial_key
from mlrtui_db.records import CellRecord
from mlrtui_trainer.models.kinds import forward_work, n_params
from mlrtui_trainer.models.parameters import cnn_parameters, transformer_parameters
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec


def spec_of(**tables: dict[str, Any]) -> Any:
    document: dict[str, Any] = {
        "sweep": {"name": "a test", "seeds": [4, 7]},
        "data": {"name": "digits", "samples": 100},
        "model": {"depth": 2, "width": 8},
        "training": {"loss": "ce", "batch": 30, "epochs": 3},
    }
    for name, table in tables.items():
        document[name] = {**document.get(name, {}), **table}
    if "scan" not in document:
        document.setdefault("search", {})
    return parse_sweep(document, "test")


def test_quick_start_grid() -> None:
    sweep = plan(load_sweep(quickstart()[1]))
    assert len(sweep.cells) == 15
    assert [cell.label for cell in sweep.cells[:4]] == ["2x64", "2x128", "2x256", "3x64"]
    assert [cell.position for cell in sweep.cells] == list(range(15))
    cell = sweep.cells[-1]
    assert (cell.net.depth, cell.net.width, cell.net.inputs, cell.net.outputs) == (8, 256, 64, 10)
    assert cell.net.layer_lr == (0.1, 1.0, 1.0)
    assert (cell.train.batch, cell.train.steps_per_epoch, cell.train.max_steps) == (64, 16, 48)
    assert (cell.train.success, cell.train.threshold) == ("accuracy", 0.5)
    assert set(sweep.datasets) == {cell.data_id}
    assert sweep.datasets[cell.data_id].x.shape == (1024, 64)
    assert 15 * 2 * 8 <= expected_trainings(sweep) <= 15 * 2 * 17


def test_quick_start_scan() -> None:
    sweep = plan(load_sweep(quickstart()[0]))
    (cell,) = sweep.cells
    assert cell.label == "1x512"
    assert (cell.train.batch, cell.train.steps_per_epoch, cell.train.max_steps) == (128, 1, 100)
    assert cell.train.success is None
    assert cell.sharpness.every == 1
    assert sweep.datasets[cell.data_id].kind == "sign"
    assert expected_trainings(sweep) == 10
    assert sweep.sweep.mode == "scan"


def test_other_axes_are_slowest_and_named() -> None:
    sweep = plan(
        spec_of(
            model={"depth": [2, 3], "width": [8, 16], "input_lr": [1, 0.1], "bias": [False, True]},
            training={"loss": ["ce", "mse"], "batch": [25, "full"]},
        ),
        load=None,
    )
    labels = [cell.label for cell in sweep.cells]
    assert len(labels) == len(set(labels)) == 64
    assert labels[:5] == [
        "2x8 bias=no in=1 ce batch=25",
        "2x16 bias=no in=1 ce batch=25",
        "3x8 bias=no in=1 ce batch=25",
        "3x16 bias=no in=1 ce batch=25",
        "2x8 bias=no in=1 ce batch=full",
    ]
    assert labels[-1] == "3x16 bias=yes in=0.1 mse batch=full"


def test_labels_of_close_rates_differ() -> None:
    sweep = plan(spec_of(model={"input_lr": [0.1, 0.10000001, 1e-7]}), load=None)
    assert [cell.label for cell in sweep.cells] == ["2x8 in=0.1", "2x8 in=0.10000001", "2x8 in=1e-07"]


def test_axes_of_data_and_budget() -> None:
    sweep = plan(
        spec_of(
            data={"name": ["digits", "wine"], "samples": [100, "all"]},
            model={"layer_lr": {"hidden": [1, 2], "output": [1, 0.5]}},
            training={"epochs": [1, 2]},
        ),
        load=None,
    )
    labels = [cell.label for cell in sweep.cells]
    assert labels[0] == "2x8 digits N=100 hid=1 out=1 epochs=1"
    assert labels[-1] == "2x8 wine N=178 hid=2 out=0.5 epochs=2"
    assert [cell.train.max_steps for cell in sweep.cells if cell.label.startswith("2x8 wine N=178 hid=1 out=1")] == [
        5,
        10,
    ]
    assert len({cell.settings for cell in sweep.sweep.cells}) == len(labels) == 32


@pytest.mark.parametrize(
    ("training", "batch", "per_epoch", "steps"),
    [
        ({"batch": 30, "epochs": 3}, 30, 3, 9),
        ({"batch": 100, "epochs": 3}, 100, 1, 3),
        ({"batch": "full", "epochs": 3}, 100, 1, 3),
        ({"batch": 1, "epochs": 2}, 1, 100, 200),
    ],
)
def test_budget(training: dict[str, Any], batch: int, per_epoch: int, steps: int) -> None:
    (cell,) = plan(spec_of(training=training), load=None).cells
    assert (cell.train.batch, cell.train.steps_per_epoch, cell.train.max_steps) == (batch, per_epoch, steps)


def test_budget_in_steps() -> None:
    document = {
        "sweep": {"name": "a"},
        "data": {"name": "unit"},
        "model": {"kind": "two-layer-linear", "width": 16},
        "training": {"loss": "mse", "batch": "full", "steps": 60},
        "scan": {"eta": [1, 2, 3]},
    }
    sweep = plan(parse_sweep(document, "f"))
    (cell,) = sweep.cells
    assert (cell.train.max_steps, cell.train.steps_per_epoch, cell.train.batch) == (60, 1, 1)
    assert (cell.net.kind, cell.net.depth, cell.net.activation) == ("two-layer-linear", 1, "linear")
    (record,) = sweep.sweep.cells
    assert (record.data, record.target, record.standardize) == ("unit", "regression", "none")
    assert record.nets[0].loss_convention == "1/(2N) sum_i |f_i - y_i|^2"
    assert expected_trainings(sweep) == 3


def test_an_optimizer_has_its_own_settings_and_its_edge() -> None:
    sweep = plan(spec_of(training={"optimizer": ["sgd", "momentum", "adam"], "beta1": 0.8, "momentum": 0.5}))
    assert [cell.label for cell in sweep.cells] == ["2x8 sgd", "2x8 momentum", "2x8 adam"]
    settings = [json.loads(record.settings) for record in sweep.sweep.cells]
    keys = ("momentum", "beta1", "beta2", "eps")
    assert [{key: one[key] for key in keys if key in one} for one in settings] == [
        {},
        {"momentum": 0.5},
        {"beta1": 0.8, "beta2": 0.999, "eps": 1e-8},
    ]
    assert [record.edge for record in sweep.sweep.cells] == pytest.approx([2.0, 3.0, 18.0])
    assert sweep.cells[0].train.momentum == 0.9  # a trial's key does not depend on what its optimizer ignores
    several = plan(spec_of(training={"optimizer": "adam", "beta1": [0.8, 0.9]}))
    assert [cell.label for cell in several.cells] == ["2x8 beta1=0.8", "2x8 beta1=0.9"]


def test_decay_and_schedules_are_in_cells_and_keys_only_where_they_do_something() -> None:
    sweep = plan(spec_of(training={"optimizer": ["sgd", "adamw", "muon"]}))
    assert [cell.train.weight_decay for cell in sweep.cells] == [0.0, 0.01, 0.1]  # without one torch's defaults
    assert [record.edge for record in sweep.sweep.cells] == pytest.approx([2.0, 38.0, 0.0])
    trained = sweep.cells[0].in_keys["train"]
    assert isinstance(trained, dict)
    assert not {"weight_decay", "schedule", "warmup_steps"} & trained.keys()  # keys of older stores stay what they are
    warm = plan(spec_of(training={"schedule": ["cosine", "constant"], "weight_decay": [0.0, 0.1]}))
    assert [cell.label for cell in warm.cells] == [
        *("2x8 decay=0 cosine", "2x8 decay=0 constant", "2x8 decay=0.1 cosine", "2x8 decay=0.1 constant"),
    ]
    assert [record.edge for record in warm.sweep.cells] == [2.0] * 4
    assert len({trial_key(cell, 0, 1.0) for cell in warm.cells}) == 4


def test_records_hold_the_plan() -> None:
    spec = spec_of(sharpness={"operator": "hessian"}, model={"input_lr": 0.5})
    sweep = plan(spec)
    (cell,), (record,) = sweep.cells, sweep.sweep.cells
    assert (sweep.sweep.name, sweep.sweep.mode) == ("a test", "search")
    assert sweep.sweep.sweep_key == spec.sweep_key == digest(sweep.sweep.spec)
    assert sweep.sweep.code_id == code_id()
    assert record.data_id == cell.data_id == load(DataSpec("digits", 100)).data_id
    assert record.n_params == 64 * 8 + 8 * 8 + 8 * 10
    assert [(net.seed, net.operator, net.sharpness_samples) for net in record.nets] == [
        (4, "hessian", "all"),
        (7, "hessian", "all"),
    ]
    settings = json.loads(record.settings)
    columns = {field.name for field in fields(CellRecord)} - {
        "position",
        "label",
        "settings",
        "nets",
        "edge",
        "fork_step",
        "map_value",
    }
    assert set(settings) == columns | {"hidden_lr", "output_lr", "base_width"}
    assert all(settings[name] == getattr(record, name) for name in columns)


def test_how_sharpness_is_measured_reaches_trainer_and_store() -> None:
    asked = {"operator": ["ntk", "hessian"], "every": 2, "rest_every": 8, "top": 3, "samples": 30, "exact": True}
    sweep = plan(spec_of(data={"samples": [100, 30]}, sharpness=asked))
    probed, whole = sweep.cells
    assert probed.sharpness == SharpnessSpec("ntk", 2, 1e-3, ("hessian",), 3, 8, 30, True)
    assert whole.sharpness == replace(probed.sharpness, samples=0)  # a probe set that holds all samples is none
    (net, _), (all_net, _) = (record.nets for record in sweep.sweep.cells)
    assert (net.operator, net.sharpness_samples) == ("ntk", "first 30 of 100: another loss")
    assert all_net.sharpness_samples == "all"
    assert net.sharpness_schedule == (
        "every 2 steps while the last two values differ by more than 2% or the loss by more than 20% from that of the "
        "last measured step; else every 8 steps"
    )
    plain = plan(spec_of(sharpness={"every": 1})).sweep.cells[0].nets[0]
    assert (plain.sharpness_schedule, plain.sharpness_samples) == ("every step", "all")
    assert len({trial_key(replace(probed, sharpness=one), 0, 1.0) for one in variants(probed.sharpness)}) == 6


def variants(spec: SharpnessSpec) -> list[SharpnessSpec]:
    """The spec, and others that give other numbers."""
    changes: list[dict[str, Any]] = [{"others": ()}, {"top": 1}, {"rest_every": 0}, {"samples": 0}, {"exact": False}]
    return [spec, *(replace(spec, **change) for change in changes)]


def test_planning_without_data_says_the_same_but_for_the_data() -> None:
    spec = spec_of(model={"depth": [1, 2], "width": [8, 16]})
    dry, wet = plan(spec, load=None), plan(spec)
    assert dry.datasets == {}
    assert [replace(cell, data_id="") for cell in wet.cells] == list(dry.cells)
    with pytest.raises(ValueError, match="without data"):
        trial_key(dry.cells[0], 0, 0.1)


def test_each_data_set_is_loaded_once() -> None:
    asked: list[DataSpec] = []

    def loader(spec: DataSpec) -> Any:
        asked.append(spec)
        return load(spec)

    plan(spec_of(data={"samples": [100, 50]}, model={"depth": [1, 2]}), load=loader)
    assert asked == [DataSpec("digits", 100), DataSpec("digits", 50)]


def test_trial_keys() -> None:
    spec = spec_of(model={"depth": [1, 2]})
    one, other = plan(spec).cells
    key = trial_key(one, 0, 1.0)
    assert key == trial_key(plan(spec).cells[0], 0, 1)
    assert len(key) == 64
    changed = [
        trial_key(other, 0, 1.0),
        trial_key(one, 1, 1.0),
        trial_key(one, 0, 1.0000000000000002),
        trial_key(replace(one, data_id="0" * 64), 0, 1.0),
        trial_key(replace(one, train=replace(one.train, threshold=0.6)), 0, 1.0),
        trial_key(replace(one, sharpness=replace(one.sharpness, every=1)), 0, 1.0),
    ]
    assert len({key, *changed}) == 7
    assert trial_key(replace(one, label="renamed", position=9), 0, 1.0) == key


def test_trial_keys_follow_the_numerics(monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = plan(spec_of()).cells
    before = trial_key(cell, 0, 1.0)
    monkeypatch.setattr(planning, "NUMERICS_VERSION", 0)
    assert trial_key(cell, 0, 1.0) != before


def test_settings_of_later_versions_are_in_keys_only_where_they_are_used() -> None:
    """A trial that uses none of them has the key that it had before there were any."""
    (cell,) = plan(spec_of()).cells
    net, train = cell.in_keys["net"], cell.in_keys["train"]
    assert isinstance(net, dict)
    assert isinstance(train, dict)
    assert {one.name for one in fields(NetSpec)} - set(net) == {"tokens", "mode"}
    assert {one.name for one in fields(TrainSpec)} - set(train) == set(planning.LATER)
    changed = [replace(cell, net=replace(cell.net, mode="train")), replace(cell, net=replace(cell.net, tokens=2))]
    changed += [replace(cell, train=replace(cell.train, **new)) for new in ({"clip": 1.0}, {"precision": "bf16"})]
    assert len({trial_key(one, 0, 1.0) for one in (cell, *changed)}) == 5


def test_canonical_json() -> None:
    assert canonical_json({"b": [1.0, 2], "a": "η"}) == '{"a":"η","b":[1.0,2]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_code_id_names_version_and_sources() -> None:
    version, _, sources = code_id().partition("+")
    assert version
    assert len(sources) == 12
    assert int(sources, 16) >= 0


def test_planning_without_data_imports_neither_torch_nor_sklearn() -> None:
    script = (
        "import sys; from mlrtui.config import load_sweep; from mlrtui.planning import plan;"
        "from mlrtui.commands.examples import quickstart;"
        "assert [len(plan(load_sweep(path), load=None).cells) for path in quickstart()] == [1, 15];"
        "assert not {'torch', 'sklearn', 'scipy', 'textual'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_cells_that_differ_in_size_alone_share_the_rest() -> None:
    grid = spec_of(model={"depth": [1, 2, 3], "width": [8, 16]}, training={"loss": ["ce", "mse"]})
    cells = plan(grid, None).cells
    assert [(cell.train.loss, cell.net.depth, cell.net.width) for cell in cells] == [
        (loss, depth, width) for loss in ("ce", "mse") for depth in (1, 2, 3) for width in (8, 16)
    ]
    assert len({id(cell.train) for cell in cells}) == len({id(cell.sharpness) for cell in cells}) == 2
    assert len({cell.label for cell in cells}) == 12


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 17), (1, 1, 1)])
def test_counts_are_those_of_the_layers(bias: bool, depth: int, shape: tuple[int, ...]) -> None:
    for kind, parameters in (("cnn", cnn_parameters), ("transformer", transformer_parameters)):
        net = NetSpec(kind, 1, 7, depth, 6, bias=bias, shape=shape)
        assert n_params(net) == sum(one.size for one in parameters(net))
        assert forward_work(net) == sum(one.size * one.uses for one in parameters(net))
    dense = NetSpec("mlp", 5, 7, depth, 6, bias=bias)
    sizes = dense.sizes
    assert n_params(dense) == sum((sizes[at] + bias) * sizes[at + 1] for at in range(depth + 1))
