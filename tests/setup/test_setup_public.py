"""What the packages offer to scripts: all of it, nothing else, typed, and nothing heavy before it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

PACKAGES = ("mlrtui", "mlrtui_trainer", "mlrtui_db")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there_has_a_docstring_and_nothing_leaks(package: str) -> None:
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__ or name == "__version__", name
    shown = f"import {package} as p; print(*dir(p))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.split() == module.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = f"import {package}, sys; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "textual", "sqlite3", "pydantic", "typer"} & {*done.stdout.split()}


def test_a_measure_from_the_front_door() -> None:
    """In a process of its own, as a script does it; torch's compiler is imported by what compiles, in the loss too."""
    script = """
import sys, mlrtui, torch
model = torch.nn.Linear(2, 1, bias=False).double()
x = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
s = mlrtui.sharpness(model, lambda m, b: m(b).square().sum() / 2, x)
print(round(s.value, 6), s.converged, "torch._dynamo" in sys.modules)
half = lambda m, b: torch.compile(lambda out: out.square().sum() / 2, backend="aot_eager")(m(b))
s = mlrtui.sharpness(model, half, x)
print(round(s.value, 6), s.converged, "torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9.0", "True", "False", "9.0", "True", "True"]
