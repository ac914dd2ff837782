"""What the kernel needs of a GPU, compiled without one: registers, spills and shared memory stay within limits."""

import os
from pathlib import Path

import pytest

from benchmarks.kernel_limits import GPUS, Gpu, compiled, form, lane_steps, loops_of, products_of_step

pytest.importorskip("triton", reason="needs Triton: make kernel")

SPILLED = 64  # bytes of a thread: a few numbers
SHARED = 16 << 10  # bytes of a program
A100, H100, B200 = GPUS


@pytest.mark.parametrize(
    ("gpu", "width", "optimizer", "programs", "share"),
    # each compilation takes ten seconds; Triton 3.7.1 moves more data on sm_100 than 3.9.0
    [(A100, 64, "sgd", 3, 0.6), (H100, 64, "adam", 2, 0.6), (B200, 128, "sgd", 1, 0.4)],
    ids=lambda value: f"sm_{value.arch}" if isinstance(value, Gpu) else str(value),
)
@pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION")
def test_it_fits(gpu: Gpu, width: int, optimizer: str, programs: int, share: float) -> None:
    one = form(width, optimizer, "relu" if optimizer == "sgd" else "tanh", bias=optimizer != "sgd")
    found = compiled(one, gpu.arch)
    assert found.registers <= 255
    assert found.spilled <= SPILLED
    assert found.shared <= SHARED
    assert found.programs(gpu) >= programs
    assert found.share >= share
    assert lane_steps(found, one, 2, gpu) > lane_steps(found, one, 8, gpu) > 0.0


def test_triton_has_what_it_compiles_with_in_its_own_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has no CUDA toolkit: `pip install 'mlrtui[gpu]'` must do."""
    import triton
    from triton import knobs

    monkeypatch.setenv("PATH", "")
    home = Path(triton.__file__).parent
    for tool in (knobs.nvidia.ptxas, knobs.nvidia.ptxas_blackwell, knobs.nvidia.cuobjdump):
        assert home in Path(tool.path).parents
        assert os.access(tool.path, os.X_OK)


def test_the_products_of_a_step_are_counted_with_their_padding() -> None:
    one = form(32)
    assert (one.units, one.classes) == (32, 16)
    assert products_of_step(one, 1) == 128 * (2 * 64 * 32 + 3 * 32 * 16)
    assert products_of_step(one, 3) - products_of_step(one, 2) == 128 * 3 * 32 * 32


def test_innermost_loops_are_found_in_a_listing() -> None:
    code = [
        ".L_x_0:",
        ".L_x_1:",
        *["FFMA R1, R2, R3, R1 ;"] * 20,
        "LDS R1, [R2] ;",
        "@P0 BRA `(.L_x_1) ;",
        "MOV R1, R2 ;",
        "@!P1 BRA `(.L_x_0) ;",
    ]
    listing = "\n".join(line if line.startswith(".") else f"        /*0010*/                   {line}" for line in code)
    loops, outside = loops_of(listing)
    assert [(loop.instructions, loop.products) for loop in loops] == [(22, 20)]
    assert outside == 2
