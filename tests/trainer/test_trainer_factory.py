"""Nets of a user's function: what it makes is trained as torch would, and what is wrong with it is said in one line."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import nn
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.factory import FactoryError
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.sources import source_of
from mlrtui_trainer.spec import NetSpec, Probe, SharpnessSpec, TaskFailed, TrainSpec
from mlrtui_trainer.worker import run_task

GOOD = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, inputs, outputs, depth, width):
            super().__init__()
            self.first = nn.Linear(inputs, width)
            self.last = nn.Linear(width, outputs)
            self.register_buffer("gain", torch.tensor(0.5))

        def forward(self, x):
            return self.last(self.gain * torch.tanh(self.first(x)))

    def net(inputs, outputs, depth, width):
        return Net(inputs, outputs, depth, width)
"""


ROWS = torch.from_numpy(digits(32).x).float()


def made(net: NetSpec, x: torch.Tensor = ROWS) -> General:
    """The model of a factory, tried on real rows."""
    model = build(net, x=x)
    assert isinstance(model, General)
    return model


def spec_of(folder: Path, source: str, name: str, attribute: str = "net") -> NetSpec:
    """Write a module and name a factory in it. Each test has a module name of its own, as imports are kept."""
    path = folder / f"{name}.py"
    path.write_text(dedent(source))
    code_hash = sha256(path.read_bytes()).hexdigest()
    return NetSpec(f"{name}:{attribute}", 64, 10, 1, 8, "own", code_path=str(folder), code_hash=code_hash)


@pytest.mark.parametrize(
    ("name", "torchs"),
    [
        ("sgd", torch.optim.SGD),
        ("momentum", partial(torch.optim.SGD, momentum=0.9)),
        ("adam", partial(torch.optim.Adam, eps=1e-8)),
    ],
)
def test_training_is_that_of_torch(name: str, torchs: Callable[..., torch.optim.Optimizer], tmp_path: Path) -> None:
    net, data = spec_of(tmp_path, GOOD, "made_good"), digits(32)
    run = train(data, net, TrainSpec("ce", 32, 6, 1, "float64", name), [0.03], every=3)
    (weights,) = (made(net).initial_weights([1], torch.float64, "cpu").w,)
    module = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()
    with torch.no_grad():
        for parameter, w in zip(module.parameters(), weights, strict=True):
            parameter.copy_(w[0])
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    optimizer, losses = torchs(module.parameters(), lr=0.03), []
    for _ in range(7):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module[2](0.5 * module[1](module[0](x))), labels)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert run.columns[0]["loss"] == pytest.approx(losses, rel=1e-9)
    assert run.columns[0]["sharpness"][3] > 0


def test_a_seed_is_a_net_and_nobody_elses_numbers_move(tmp_path: Path) -> None:
    model = made(spec_of(tmp_path, GOOD, "made_seeds"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (model.initial_weights([seed], torch.float64, "cpu") for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.w, again.w, strict=True))
    assert not torch.equal(first.w[0], other.w[0])
    both = model.initial_weights([2, 1], torch.float64, "cpu")
    assert torch.equal(both.w[0][1], first.w[0][0])
    bound = 1.0 / 8.0  # nn.Linear's own: uniform within 1/sqrt(inputs)
    assert 0.9 * bound < float(first.w[0].abs().max()) <= bound


def test_bits_do_not_depend_on_company(tmp_path: Path) -> None:
    net, spec = spec_of(tmp_path, GOOD, "made_company"), TrainSpec("ce", 16, 6, 2)
    mine, how = trial(9, 0.2), SharpnessSpec("gauss-newton", 2)
    alone = run_trials(digits(32), net, spec, [mine], how=how).bits(9)
    others = [trial(1, 0.1, seed=3), mine, trial(2, 0.4)]
    assert run_trials(digits(32), net, spec, others, how=how).bits(9) == alone


def test_parameters_that_need_no_gradient_stay(tmp_path: Path) -> None:
    source = GOOD + "\n    def half(**sizes):\n        made = Net(**sizes)\n"
    source += "        made.first.requires_grad_(False)\n        return made\n"
    model = made(spec_of(tmp_path, source, "made_frozen", "half"))
    weights = model.initial_weights([1], torch.float64, "cpu")
    whole = made(spec_of(tmp_path, GOOD, "made_whole")).initial_weights([1], torch.float64, "cpu")
    assert [w.shape[1:] for w in weights.w] == [(10, 8), (10,)]  # λ is that of what trains
    assert all(torch.equal(w, last) for w, last in zip(weights.w, whole.w[2:], strict=True))
    x = torch.from_numpy(digits(4).x)[None]
    assert torch.equal(model.forward(weights, x).f, made(spec_of(tmp_path, GOOD, "made_whole")).forward(whole, x).f)


HEAD = "from torch import nn\nimport torch\n"
BODY = "def net(inputs, outputs, depth, width):\n    "
WRONG = {
    "raises": (BODY + "raise ValueError('no such\\n  width')", r"raised ValueError: no such width$"),
    "exits": (BODY + "raise SystemExit(3)", r"raised SystemExit: 3$"),
    "returns": (BODY + "return 3", r"returned int, not a torch.nn.Module$"),
    "empty": (BODY + "return nn.Flatten()", r"has no parameters"),
    "shape": (BODY + "return nn.Linear(inputs, 3)", r"gave \[32, 3\], not \[samples, outputs\] = \[32, 10\]$"),
    "forward": (BODY + "return nn.Linear(7, outputs)", r"its module's forward raised RuntimeError: "),
    "dropout": (
        BODY + "return nn.Sequential(nn.Linear(inputs, outputs), nn.Dropout())",
        r"Dropout '1' gives other outputs every time; leave",
    ),
    "norm": (
        BODY + "return nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, outputs))",
        r"in BatchNorm1d '0' the outputs of a sample depend on the other samples of its batch",
    ),
    "arguments": ("def net(inputs, outputs):\n    return nn.Linear(inputs, outputs)", r"raised TypeError: "),
    "absent": ("other = 1", r"has no function 'net'$"),
    "import": ("import no_such_package_at_all", r"importing .*made_import.py raised ModuleNotFoundError: "),
    "syntax": ("def net(:", r"raised SyntaxError: "),
    "random": (
        "class N(nn.Linear):\n    def forward(self, x):\n        return super().forward(x) + torch.rand(1)\n"
        + BODY
        + "return N(inputs, outputs)",
        r"gives other outputs every time",
    ),
    "role": (
        BODY + "n = nn.Linear(inputs, outputs); n.mlrtui_roles = {'weight': 'top'}; return n",
        r"must give names of",
    ),
    "named": (
        BODY + "n = nn.Linear(inputs, outputs); n.mlrtui_roles = {'w': 'input'}; return n",
        r"mlrtui_roles names 'w'",
    ),
    "unhashable": (
        BODY + "n = nn.Linear(inputs, outputs); n.mlrtui_roles = {'weight': ['input']}; return n",
        r"must give names of",
    ),
    "counts": (
        "class N(nn.Linear):\n    def __init__(self, *sizes):\n        super().__init__(*sizes)\n"
        "        self.register_buffer('seen', torch.zeros(1))\n"
        "    def forward(self, x):\n        self.seen += 1\n        return super().forward(x) * (self.seen < 1000)\n"
        + BODY
        + "return N(inputs, outputs)",
        r"the module \(N\) itself changes the buffer 'seen', and its outputs depend on it",
    ),
}


ROLES = GOOD.replace(
    "super().__init__()", 'super().__init__()\n            self.mlrtui_roles = {"first": "input", "last": "output"}'
)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_rates_go_by_the_roles_that_a_module_names(mode: str, tmp_path: Path) -> None:
    plain = replace(spec_of(tmp_path, ROLES, f"made_roles_{mode}"), mode=mode)
    net = replace(plain, parametrization="mup", base_width=2, layer_lr=(0.5, 1.0, 3.0))
    model = made(net)
    assert model.rate == (2.0, 2.0, 0.75, 0.75)  # width / base width is 4
    theirs, ours = made(plain).draw(3), model.draw(3)
    assert [bool((a == b).all()) for a, b in zip(ours, theirs, strict=True)] == [True, True, False, False]
    assert all((a == b * 0.5).all() for a, b in zip(ours[2:], theirs[2:], strict=True))
    data = digits(16)
    run = run_trials(data, net, TrainSpec("mse", 16, 3, 1), [trial(0, 0.1, seed=3)])
    module = nn.Module()
    module.first, module.last = nn.Linear(64, 8), nn.Linear(8, 10)
    for parameter, drawn in zip(module.parameters(), ours, strict=True):
        parameter.data = torch.from_numpy(drawn).float()
    groups = [{"params": module.first.parameters(), "lr": 0.2}, {"params": module.last.parameters(), "lr": 0.075}]
    optimizer, losses = torch.optim.SGD(groups), []
    x, y = torch.from_numpy(data.x).float(), torch.from_numpy(data.y).float()
    for _ in range(3):
        optimizer.zero_grad()
        loss = 0.5 * (module.last(0.5 * torch.tanh(module.first(x))) - y).square().sum(1).mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert run.columns[0]["loss"][:3].tolist() == pytest.approx(losses, rel=1e-5)


def test_the_longest_name_tells_the_role_and_all_others_are_hidden(tmp_path: Path) -> None:
    source = ROLES.replace('"first": "input"', '"last.bias": "input"')
    net = replace(spec_of(tmp_path, source, "made_longest"), layer_lr=(5.0, 1.0, 3.0))
    assert made(net).rate == (1.0, 1.0, 3.0, 5.0)
    bare = replace(spec_of(tmp_path, GOOD, "made_no_roles"), layer_lr=(5.0, 1.0, 1.0))
    with pytest.raises(FactoryError, match="give the module an attribute mlrtui_roles"):
        made(bare)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_named_line(case: str, tmp_path: Path) -> None:
    source, said = WRONG[case]
    net, data = spec_of(tmp_path, HEAD + source, f"made_{case}"), digits(8)
    task = Probe(1, data.data_id, net, TrainSpec("ce", 8, 5, 1), SharpnessSpec(), ((1, 1),))
    (failed,) = run_task(task, data, "cpu")
    assert isinstance(failed, TaskFailed)
    assert failed.error.startswith("FactoryError: ")
    assert "\n" not in failed.error
    with pytest.raises(FactoryError, match=said):
        made(net).initial_weights([1], torch.float32, "cpu")


def test_a_net_that_differs_from_call_to_call_is_refused(tmp_path: Path) -> None:
    source = HEAD + "calls = []\n" + BODY + "calls.append(1)\n    return nn.Sequential(nn.Linear(inputs, len(calls)),"
    source += " nn.Linear(len(calls), outputs))"
    with pytest.raises(FactoryError, match="another architecture"):
        made(spec_of(tmp_path, source, "made_growing"))


def test_changed_code_is_refused_and_then_read_anew(tmp_path: Path) -> None:
    old = spec_of(tmp_path, GOOD, "made_twice")
    assert made(old).n_params == 64 * 8 + 8 + 8 * 10 + 10
    new = spec_of(tmp_path, HEAD + BODY + "return nn.Linear(inputs, outputs, bias=False)  # changed", "made_twice")
    with pytest.raises(FactoryError, match="has changed since"):
        made(old)
    assert made(new).n_params == 640


def test_a_module_is_found_without_being_run(tmp_path: Path) -> None:
    (tmp_path / "made_pack").mkdir()
    for name in ("__init__", "inner"):
        (tmp_path / "made_pack" / f"{name}.py").write_text("raise SystemExit('imported')")
    assert source_of("made_pack.inner", str(tmp_path)) == tmp_path / "made_pack" / "inner.py"
    assert source_of("made_pack.missing", str(tmp_path)) is None
    assert source_of("made_pack.inner", str(tmp_path / "made_pack")) is None
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    assert source_of("json", str(tmp_path)) != tmp_path / "json.py"
