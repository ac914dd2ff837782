"""What a good sweep file becomes: values, keys, differences, overrides."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from config_good import GOOD

from mlrtui.commands.examples import available, quickstart
from mlrtui.config import SweepSpec, load_sweep, parse_sweep
from mlrtui.config.changes import changes
from mlrtui.config.parsing import TABLES
from mlrtui.config.reference import page, rule_of
from mlrtui.config.sections import LayerRates, Section, WidthRates, section_of
from mlrtui.errors import BadInput
from mlrtui.keys import canonical_json

Document = dict[str, Any]

SOLVABLE: Document = {
    "sweep": {"name": "solvable"},
    "data": {"name": "unit"},
    "model": {"kind": "two-layer-linear", "width": [16, 128]},
    "training": {"loss": "mse", "batch": "full", "steps": 60, "dtype": "float64"},
    "scan": {"eta_lambda0": [0.5, 2.5]},
}


@pytest.fixture
def good() -> Document:
    return copy.deepcopy(GOOD)


def test_values_become_axes(good: Document) -> None:
    spec = parse_sweep(good, "f")
    assert spec.sweep.seeds == (0, 1)
    assert spec.data.name == ("digits",)
    assert spec.model.width == (64, 128)
    assert spec.training.batch == (64,)
    assert spec.search is not None
    assert spec.search.threshold == 0.5
    assert spec.scan is None
    assert spec.mode == "search"


def test_seeds_are_counted_or_listed(good: Document) -> None:
    good["sweep"]["seeds"] = [0, 1]
    listed = parse_sweep(good, "f")
    good["sweep"]["seeds"] = 2
    assert parse_sweep(good, "f") == listed
    good["sweep"]["seeds"] = [7, 3]
    assert parse_sweep(good, "f").sweep.seeds == (7, 3)


def test_input_lr_is_short_for_the_layer(good: Document) -> None:
    good["model"]["input_lr"] = [0, 0.1]
    short = parse_sweep(good, "f")
    del good["model"]["input_lr"]
    good["model"]["layer_lr"] = {"input": [0.0, 0.1]}
    assert parse_sweep(good, "f") == short
    assert short.model.layer_lr.input == (0.0, 0.1)
    assert short.model.layer_lr.hidden == (1.0,)


def test_solvable_model_has_depth_one() -> None:
    spec = parse_sweep(SOLVABLE, "f")
    assert spec.model.depth == (1,)
    assert spec.mode == "scan"


@pytest.mark.parametrize(
    ("table", "key", "one", "same"),
    [
        ("model", "input_lr", 1, 1.0),
        ("model", "width", 64, [64]),
        ("model", "width", 64.0, 64),
        ("search", "threshold", 1, 1.0),
        ("search", "eta_min", 1e-5, 0.00001),
        ("sharpness", "operator", "hessian", ["hessian"]),
        ("model", "input_lr", 0.0, -0.0),
    ],
)
def test_spellings_of_one_value_have_one_key(good: Document, table: str, key: str, one: object, same: object) -> None:
    good.setdefault(table, {})[key] = one
    first = parse_sweep(good, "f")
    good[table][key] = same
    second = parse_sweep(dict(reversed(good.items())), "elsewhere")
    assert first.canonical() == second.canonical()
    assert first.sweep_key == second.sweep_key
    assert len(first.sweep_key) == 64


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [("sweep", "name", "other"), ("sweep", "seeds", 3), ("model", "width", 65), ("record", "every", 2)],
)
def test_a_change_changes_the_key(good: Document, table: str, key: str, value: object) -> None:
    before = parse_sweep(good, "f").sweep_key
    good.setdefault(table, {})[key] = value
    assert parse_sweep(good, "f").sweep_key != before


def test_canonical_text_is_read_back(good: Document) -> None:
    for document in (good, SOLVABLE):
        spec = parse_sweep(document, "f")
        assert SweepSpec.from_canonical(spec.canonical()) == spec


def test_canonical_text_is_pinned() -> None:
    assert parse_sweep(SOLVABLE, "f").canonical() == (
        '{"data":{"name":["unit"],"samples":["all"],"standardize":["global"],"target":["classes"]},"fit":[],'
        '"model":{"activation":["relu"],"base_width":[64],"bias":[false],"depth":[1],"kind":["two-layer-linear"],'
        '"layer_lr":{"hidden":[1.0],"input":[1.0],"output":[1.0]},"parametrization":["sp"],"width":[16,128]},'
        '"record":{"every":1,"layers":false},"scan":{"eta_lambda0":[0.5,2.5]},'
        '"sharpness":{"every":0,"exact":false,"operator":["gauss-newton"],"rest_every":0,"samples":"all",'
        '"tolerance":0.001,"top":1},'
        '"sweep":{"name":"solvable","seeds":[0]},'
        '"training":{"batch":["full"],"beta1":[0.9],"beta2":[0.999],"dtype":["float64"],"eps":[1e-08],"loss":["mse"],'
        '"momentum":[0.9],"optimizer":["sgd"],"steps":[60]}}'
    )


def test_specs_are_frozen(good: Document) -> None:
    spec = parse_sweep(good, "f")
    with pytest.raises(ValueError, match="frozen"):
        spec.model.width = (1,)


def test_diff_names_what_changed(good: Document) -> None:
    spec = parse_sweep(good, "f")
    old = spec.canonical()
    assert changes(old, spec) == []
    good["model"]["width"] = [64, 128, 256]
    good["model"]["input_lr"] = 0.1
    good["fit"] = [{"y": "lambda0", "x": "depth"}]
    good["training"] |= {"steps": 99}
    del good["training"]["epochs"]
    assert changes(old, parse_sweep(good, "f")) == [
        'fit#1: (none) -> { censored = "drop", mixed_rules = false, where = "", x = […',
        "model.layer_lr.input: [1.0] -> [0.1]",
        "model.width: [64, 128] -> [64, 128, 256]",
        "training.epochs: [3] -> (none)",
        "training.steps: (none) -> [99]",
    ]


def test_settings_of_an_earlier_version_lack_keys_and_mean_the_same(good: Document) -> None:
    spec = parse_sweep(good, "f")
    stored = json.loads(spec.canonical())
    del stored["record"], stored["sharpness"]["top"], stored["model"]["activation"]
    assert changes(canonical_json(stored), spec) == []
    good["model"]["activation"] = "tanh"
    assert changes(canonical_json(stored), parse_sweep(good, "f")) == ['model.activation: ["relu"] -> ["tanh"]']
    stored["sharpness"]["of_a_later_version"] = 1
    assert "sharpness.of_a_later_version: 1 -> (none)" in changes(canonical_json(stored), spec)


# Overrides


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(quickstart()[1].read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_overrides(good_file: Path) -> None:
    spec = load_sweep(
        good_file,
        [
            "training.epochs=5",
            "model.width = [16, 32]",
            'sweep.name="x = y"',
            "training.loss=mse",
            "model.layer_lr={ output = 0.5 }",
            "model.bias=true",
            "search.eta_min=1e-6",
        ],
    )
    assert spec.training.epochs == (5,)
    assert spec.model.width == (16, 32)
    assert spec.sweep.name == "x = y"
    assert spec.training.loss == ("mse",)
    assert spec.model.layer_lr.output == (0.5,)
    assert spec.model.bias == (True,)
    assert spec.search is not None
    assert spec.search.eta_min == 1e-6


def test_overrides_reach_inner_and_new_tables(good_file: Path) -> None:
    spec = load_sweep(good_file, ["model.layer_lr.output=0.5", "sharpness.every=2"])
    assert spec.model.layer_lr.output == (0.5,)
    assert spec.sharpness.every == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=3", "must be TABLE.KEY=VALUE; write e.g. --set training.epochs=3"),
        ("training.epochs", "must be TABLE.KEY=VALUE; write e.g. --set training.epochs=3"),
        (".epochs=3", "must be TABLE.KEY=VALUE; write e.g. --set training.epochs=3"),
        ("=", "must be TABLE.KEY=VALUE; write e.g. --set training.epochs=3"),
        ("training.epochs=", '"" is not a TOML value; write e.g. 3, [2, 4] or "full"'),
        ("training.epochs=[1,", '"[1," is not a TOML value; write e.g. 3, [2, 4] or "full"'),
        ("training.epochs=3\nsteps = 4", "must be one value on one line"),
        ("fit.y=3", "fit is not one table in the file; change it there"),
        ("model.depth.x=3", "depth is not one table in the file; change it there"),
    ],
)
def test_bad_overrides(good_file: Path, override: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_sweep(good_file, [override])
    (line,) = caught.value.messages
    assert line.startswith("--set ")
    assert line.endswith(f": {message}")
    assert line.isprintable()


def test_override_values_are_checked_like_the_file(good_file: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_sweep(good_file, ["training.epochs=many", "training.optimizer=lion", "model.widht=3"])
    assert [line.removeprefix(f"{good_file}: ") for line in caught.value.messages] == [
        "model.widht = 3: unknown key; did you mean width?",
        'training.optimizer = "lion": must be "sgd", "momentum", "adam", "nesterov", "adamw", "rmsprop", "muon" or '
        '"package.module:thing"; '
        'write e.g. optimizer = "sgd"',
        'training.epochs = "many": must be a whole number from 1 to 1000000; write e.g. epochs = 5',
    ]


# Shipped files and the page


def test_shipped_files_have_titles() -> None:
    assert all(len(example.title) > 20 for example in available())


def test_the_quick_start_is_shipped() -> None:
    scan, search = (load_sweep(path) for path in quickstart())
    assert (scan.mode, search.mode) == ("scan", "search")
    assert {path.stem for path in quickstart()} <= {example.name for example in available()}


def test_reference_page_is_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "sweep-file.md"
    assert path.read_text(encoding="utf-8") == page() + "\n", (
        "run: python -m mlrtui.config.reference > docs/sweep-file.md"
    )


def test_the_page_s_own_file_is_good() -> None:
    block = page().split("```toml\n")[1].split("```")[0]
    assert parse_sweep(tomllib.loads(block), "page").mode == "search"


def test_every_example_value_is_sound() -> None:
    kinds: list[type[Section]] = [*TABLES.values(), LayerRates, WidthRates]
    for kind in kinds:
        for key, field in kind.model_fields.items():
            assert field.description, key
            assert field.examples, key
            if section_of(field) is None:
                rule_of(field).check(field.examples[0])
