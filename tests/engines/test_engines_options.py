"""Options that one engine has and others have not, and what an engine cannot do: one line each."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui.engines import devices
from mlrtui.engines.devices import kind_of
from mlrtui.engines.ray import devices as ray_devices
from mlrtui.engines.ray.differences import differences
from mlrtui.engines.ray.reasons import reason_of
from mlrtui.errors import BadInput
from mlrtui_trainer.remote import Description

SweepFile = Callable[..., Path]


@pytest.mark.parametrize("engine", ["local", "fake"])
def test_an_option_of_another_engine_is_refused(mlrtui: Mlrtui, sweep_file: SweepFile, engine: str) -> None:
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--engine", engine, "--ray-address", "auto")
    expected = f"mlrtui: --ray-address: the engine {engine!r} has no such option; it is one of --engine ray\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_without_ray_it_says_how_to_install_it(
    mlrtui: Mlrtui, sweep_file: SweepFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(ray_devices, "find_spec", lambda name: None if name == "ray" else found(name))
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--engine", "ray")
    expected = "mlrtui: --engine ray: Ray is not installed here; install it with: pip install 'mlrtui[ray]'\n"
    assert (done.returncode, done.stderr) == (2, expected)


@pytest.mark.parametrize(
    ("text", "address", "message"),
    [
        ("cuda:0", None, "--devices cuda:0: with --engine ray use auto, cpu"),
        ("cuda", None, "--devices cuda: Ray has no GPU"),
        ("auto", "ray://host:10001", "--ray-address ray://host:10001: no address; use auto or HOST:PORT"),
        ("auto", "host", "--ray-address host: no address"),
    ],
)
def test_devices_and_addresses_that_cannot_be(
    text: str, address: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_devices, "find_spec", lambda name: name)
    monkeypatch.setattr(devices, "count_cuda", lambda: 0)
    with pytest.raises(BadInput) as refused:
        ray_devices.resolve(text, None, address)
    assert str(refused.value).startswith(message)


def test_devices_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_devices, "find_spec", lambda name: name)
    monkeypatch.setattr(devices, "count_cuda", lambda: 2)
    monkeypatch.setattr(devices, "cpu_cores", lambda: 6)
    assert ray_devices.resolve("auto", 3, None) == ("cuda",) * 2
    assert ray_devices.resolve("cpu", 3, None) == ("cpu",) * 3
    assert ray_devices.resolve("cpu:4", 3, None) == ("cpu",) * 4
    assert ray_devices.resolve("gpu:8", 3, None) == ("cuda",) * 8


def test_several_workers_on_a_device_are_refused(mlrtui: Mlrtui, sweep_file: SweepFile) -> None:
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--engine", "ray", "--workers", "2")
    expected = "mlrtui: --workers: --engine ray has one worker a device; choose them by --devices\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_the_kind_of_a_device() -> None:
    assert [kind_of(name) for name in ("cpu", "cuda", "cuda:3", "node3/cuda:1")] == ["cpu", "cuda", "cuda", "cuda"]


def test_machines_that_differ_are_named() -> None:
    here = Description("a", "1", 1, "cpu", "c", {"name": "AVX2", "steps and sharpness": "compiled by numba 0.68.1"})
    here.env.update((name, __import__(name).__version__) for name in ("torch", "numpy"))
    assert list(differences(here, here)) == []
    other = here._replace(host="b", env=here.env | {"torch": "1.0+cpu", "steps and sharpness": "not compiled"})
    torch, compiled = differences(other, here)
    assert torch.startswith("b has torch 1.0+cpu, the driver ")
    assert compiled.startswith("b has steps and sharpness 'not compiled', a 'compiled by numba 0.68.1': ")


def test_of_what_ray_says_the_telling_part_is_left() -> None:
    text = (
        "The actor died unexpectedly before finishing this task.\n\tclass_name: A\n\tpid: 12\n"
        "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: "
        "Worker unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) ..."
    )
    end = "ValueError: Worker unexpectedly exits with a connection error code 2. End of file."
    assert reason_of(ValueError(text)) == end
    assert reason_of(ValueError("")) == "ValueError"
