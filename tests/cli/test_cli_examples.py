"""Every shipped sweep file, as the command reads it: those for a GPU with small stand-ins for the local files."""

import json
import re
import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlrtui import planning
from mlrtui.commands.examples import available
from mlrtui.config import load_sweep

if TYPE_CHECKING:
    import subprocess

PAPERS = {"maximal-initial-lr", "catapult", "width-scaling", "edge-of-stability", "warm-up"}
OTHERS = {"real-training", "forks", "trainability"}
OWN = "your-own-training"
CHOSEN = [201, 202, 203]
LATER = {
    "width scaling: transfer of the best rate on digits": [601, 602, 603],
    "width scaling: best rate of adamw on digits": [611, 612, 613],
    "width scaling: two classes of a teacher": [621, 622, 623],
    "catapult: test accuracy on digits": [671, 672, 673],
    "catapult: weight decay and a decayed rate on digits": [671, 672, 673],
    "width scaling: per-layer rates of sgd on digits": [691, 692, 693],
    "width scaling: per-layer rates of adam on digits": [691, 692, 693],
    "eta* at the start and late in training on digits": [701, 702, 703],
    "catapult: a CNN on digits": [671, 672, 673],
    "catapult: scale of initialisation on digits": [671, 672, 673],
    "controlled divergence: a transformer at eta = 16 / sqrt(width)": [681, 682, 683],
    "edge of stability by learning rate on digits": [651, 652, 653],
    "edge of stability with momentum on digits": [651, 652, 653],
    "edge of stability with nesterov momentum on digits": [651, 652, 653],
    "edge of stability under cross-entropy on digits": [651, 652, 653],
    "edge of stability under cross-entropy at small rates on digits": [711, 712, 713],
    "warm-up: one hidden relu layer on digits": [631, 632, 633],
    "warm-up: three hidden relu layers on digits": [631, 632, 633],
    "warm-up: three hidden tanh layers on digits": [631, 632, 633],
    "warm-up: three hidden tanh layers in 120 steps on digits": [631, 632, 633],
    "warm-up: forks of one hidden relu layer on digits": [631, 632, 633],
    "warm-up: forks of three hidden relu layers on digits": [631, 632, 633],
    "warm-up: forks under cross-entropy on digits": [631, 632, 633],
    "warm-up: forks of three hidden tanh layers on digits": [631, 632, 633],
    "catapult: networks and their linearization on digits": [691, 692, 693],
    "controlled divergence: a transformer under the softmax's squared loss at eta = 16 / sqrt(width)": [731, 732, 733],
    "controlled divergence: a transformer under the squared loss": [731, 732, 733],
}
"""Files that came later, with seeds of their own."""
PARTNERS = {
    "catapult/four-hidden": "catapult/depth",
    "maximal-initial-lr/depth-width": "maximal-initial-lr/mnist",
    "maximal-initial-lr/input-rate-mnist": "maximal-initial-lr/mnist",
    "width-scaling/coordinate-root": "width-scaling/coordinate-check",
    "width-scaling/softmax": "width-scaling/sp",
    "real-training/resnet-digits": "real-training/resnet-cifar10",
}
"""Small files whose question a large file of another name asks."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, copied beside a folder with as many images as the smallest of them asks for."""
    folder = tmp_path_factory.mktemp("examples")
    for example in available():
        place = folder / f"{example.name}.toml"
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(example.path, place)
        for code in example.path.parent.glob("*.py"):
            shutil.copy(code, place.parent)
    images, labels = np.zeros((5000, 28, 28), np.uint8), np.arange(5000).astype(np.uint8) % 10
    (folder / "data" / "MNIST" / "raw").mkdir(parents=True)
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        head = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / "data" / "MNIST" / "raw" / name).write_bytes(head + array.tobytes())
    (folder / "data" / "cifar-10-batches-bin").mkdir()
    records = np.zeros((1000, 3073), np.uint8)  # a label, then the pixels
    records[:, 0] = np.arange(1000) % 10
    for number in range(1, 6):
        (folder / "data" / "cifar-10-batches-bin" / f"data_batch_{number}.bin").write_bytes(records.tobytes())
    return folder


def test_every_paper_has_small_files_and_files_at_its_own_scale() -> None:
    for paper in PAPERS | OTHERS:
        kinds = {example.name.rpartition("-")[2] for example in available() if example.name.startswith(f"{paper}/")}
        assert kinds == {"cpu", "gpu"}
    names = {example.name for example in available()}
    small = {name.removesuffix("-cpu") for name in names if name.endswith("-cpu") and not name.startswith(f"{OWN}/")}
    assert {f"{PARTNERS.get(name, name)}-gpu" for name in small} <= names
    folders = {example.name.partition("/")[0] for example in available() if "/" in example.name}
    assert folders == PAPERS | OTHERS | {OWN}


def test_every_file_is_read_by_the_command(
    mlrtui: Callable[..., "subprocess.CompletedProcess[str]"], examples: Path
) -> None:
    coded, own = (sorted(examples.glob(f"{folder}/*.toml")) for folder in ("real-training", OWN))
    files = sorted(set(examples.rglob("*.toml")) - {*coded, *own})
    done = mlrtui("run", "--dry-run", *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a guess from the arithmetic alone") == len(files)
    for some in (coded, own):
        refused = mlrtui("run", "--dry-run", *some)
        assert refused.returncode == 2
        assert "runs code of that module; if you trust it, add --allow-code" in refused.stderr
    done = mlrtui("run", "--dry-run", "--allow-code", *own)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a process of its own") == len(own) > 0
    sizes = ("model.depth=1", "model.width=8", "data.samples=512")  # nets are built and tried
    small = [word for size in sizes for word in ("--set", size)]
    done = mlrtui("run", "--dry-run", "--allow-code", *small, *coded)
    assert done.returncode == 0, done.stderr
    cells = sum(map(int, re.findall(r", (\d+) cells? x ", done.stdout)))
    assert done.stdout.count("checked by differences in double precision") == cells >= len(coded)
    assert not list(examples.rglob("*.db"))


def test_real_training_runs(
    mlrtui: Callable[..., "subprocess.CompletedProcess[str]"], examples: Path, tmp_path: Path
) -> None:
    """A ResNet in training mode by search, and a GPT on tokens by scan, at sizes of seconds."""
    common = ["--allow-code", "--no-tui", "--devices", "cpu:1", "--store", "real.db", "--set", "sweep.seeds=1"]
    small = {"data.samples": 96, "model.depth": 1, "training.epochs": 2}
    small |= {"search.threshold": 0.05, "search.tolerance": 1.0}
    resnet = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    done = mlrtui("run", examples / "real-training" / "resnet-digits-cpu.toml", *common, *resnet)
    assert done.returncode == 0, done.stderr
    tiny = {"data.samples": 64, "training.steps": 4, "training.warmup_steps": 1}
    tiny |= {"scan.eta": "[0.01]", "sharpness.every": 2}
    gpt = [word for key, value in tiny.items() for word in ("--set", f"{key}={value}")]
    done = mlrtui("run", examples / "real-training" / "gpt-sentences-cpu.toml", *common, *gpt)
    assert done.returncode == 0, done.stderr
    assert "trained in training mode: λ is that of the loss in training mode, over batches of 32 samples" in done.stdout
    with closing(sqlite3.connect(tmp_path / "real.db")) as store:
        settings = [json.loads(text) for (text,) in store.execute("SELECT settings FROM cell ORDER BY cell_id")]
        targets = store.execute("SELECT target, accuracy_on FROM cell ORDER BY cell_id").fetchall()
        (star,) = store.execute("SELECT eta_star FROM eta_star").fetchone()
        query = "SELECT step, loss, sharpness FROM curves WHERE target = 'tokens' ORDER BY step"
        losses = store.execute(query).fetchall()
    assert [one["mode"] for one in settings] == ["train", "train"]
    assert settings[1]["clip"] == 1.0
    assert targets == [("classes", "validation"), ("tokens", "train")]
    assert star > 0
    assert losses[0][1] == pytest.approx(np.log(28), rel=0.1)  # as good as guessing among 28 characters
    assert all(sharpness > 0 for step, _, sharpness in losses if step % 2 == 0 and step > 0)


def test_small_files_keep_to_the_seeds_that_were_chosen_first(examples: Path) -> None:
    small = sorted(path for paper in PAPERS for path in examples.glob(f"{paper}/*-cpu.toml"))
    specs = [load_sweep(path) for path in small]
    assert len({spec.sweep.name for spec in specs}) == len(specs) >= 15
    assert all(list(spec.sweep.seeds) == LATER.get(spec.sweep.name, CHOSEN) for spec in specs)


def test_large_files_go_to_the_papers_own_sizes(examples: Path) -> None:
    plans = [planning.plan(load_sweep(path), None) for path in examples.glob("*/*-gpu.toml")]
    nets = [cell.net for plan in plans for cell in plan.cells if isinstance(cell, planning.CellPlan)]
    assert max(net.width for net in nets if net.kind == "mlp") == 16_384
    assert max(net.depth for net in nets) == 32
