"""What the kernel needs of a GPU, without one: compiled for sm_80, sm_90 and sm_100, disassembled and counted.

    python -m benchmarks.kernel_limits

Triton compiles on any machine and brings NVIDIA's assembler and disassemblers. The table has registers, spills, shared
memory, how many programs an SM holds, and from the instructions of the innermost loops an upper bound of lane-steps a
second. Nothing here is measured on a GPU.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mlrtui_trainer.kernels.forms import form_of, options_of
from mlrtui_trainer.kernels.records import BATCHES, Data, Form, Lanes, Span, Work
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.spec import NetSpec, TrainSpec

__all__ = ["GPUS", "Compiled", "Gpu", "compiled", "form", "main"]

BATCH, INPUTS, CLASSES = 128, 64, 10
ISSUED = 4  # instructions of warps that an SM starts in a cycle
DIVISIBLE = [["tt.divisibility", 16]]  # of what is passed: memory that torch gives starts on such boundaries


@dataclass(frozen=True)
class Gpu:
    """What the estimate takes of a GPU, from its data sheet."""

    name: str
    arch: int
    sms: int
    ghz: float
    fma: int  # instructions of warps that multiply and add, in a cycle of an SM
    shared: int  # bytes of an SM


GPUS = (
    Gpu("A100", 80, 108, 1.41, 2, 164 << 10),
    Gpu("H100 SXM", 90, 132, 1.98, 4, 228 << 10),
    Gpu("B200", 100, 148, 1.85, 4, 228 << 10),
)


@dataclass(frozen=True)
class Loop:
    """An innermost loop: instructions of a trip, and how many of them multiply and add."""

    instructions: int
    products: int


@dataclass(frozen=True)
class Compiled:
    """What one form needs on one architecture."""

    arch: int
    registers: int
    spilled: int  # bytes of a thread
    shared: int  # bytes of a program
    warps: int
    loops: tuple[Loop, ...]
    outside: int  # instructions outside of those loops

    def programs(self, gpu: Gpu) -> int:
        """How many programs, so lanes, an SM holds at a time."""
        by_registers = 65536 // (-(-self.registers // 8) * 8 * 32 * self.warps)
        return min(by_registers, gpu.shared // (self.shared + 1024), 64 // self.warps)

    @property
    def share(self) -> float:
        """Part of the innermost loops' instructions that multiply and add."""
        return sum(loop.products for loop in self.loops) / sum(loop.instructions for loop in self.loops)


def form(width: int, optimizer: str = "sgd", activation: str = "relu", *, bias: bool = False) -> Form:
    """The kernel's form for such a net, on 64 inputs and 10 classes, cross-entropy."""
    model = build(NetSpec("mlp", INPUTS, CLASSES, 2, width, activation, bias), optimizer)
    assert isinstance(model, Mlp)
    return form_of(model, TrainSpec("ce", BATCH, 1, 8, optimizer=optimizer), "classes", BATCHES)


def compiled(one: Form, arch: int) -> Compiled:
    """Compile a form for an architecture, and count."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from mlrtui_trainer.kernels.training import train

    records: dict[str, tuple[Any, ...]] = {
        "lanes": Lanes._make(("*i64", "*i32", "*fp32", "*fp64")),
        "data": Data._make(("*fp32", "*fp32", "*i64", "i32")),
        "span": Span._make(("i32", "i32", "i32", "i32", "i32")),
        "work": Work._make(("i32", "*fp32", "*fp32", "*fp32", "fp32", "*fp32", "i32", "*fp64")),
    }
    attributes = {
        (at, place): DIVISIBLE
        for at, record in enumerate(records.values())
        for place, kind in enumerate(record)
        if kind.startswith("*")
    }
    source = ASTSource(train, {**records, "FORM": "constexpr"}, {(len(records),): one}, attributes)
    options = options_of(one)
    found = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.cubin"
        binary.write_bytes(found.asm["cubin"])
        usage = _run(tools / "cuobjdump", "-res-usage", binary)
        listing = _run(tools / "nvdisasm", "-c", binary)
    registers, stack, local = _needs(usage)
    loops, outside = loops_of(listing)
    return Compiled(arch, registers, stack + local, int(found.metadata.shared), options["num_warps"], loops, outside)


def _run(tool: Path, *arguments: object) -> str:
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout


def _needs(usage: str) -> tuple[int, int, int]:
    """Registers, bytes of stack and of local memory of a thread."""
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", usage)
    if found is None:
        raise ValueError(f"cuobjdump says nothing of registers: {usage[:200]}")
    registers, stack, local = map(int, found.groups())
    return registers, stack, local


def loops_of(listing: str) -> tuple[tuple[Loop, ...], int]:
    """The innermost loops with products of a disassembled kernel, and how many instructions are outside of them."""
    labels: dict[str, int] = {}
    names: list[str] = []
    jumps: list[tuple[int, str]] = []
    for line in listing.splitlines():
        label = re.match(r"(\.L_x_\d+):", line)
        if label:
            labels[label.group(1)] = len(names)
        code = re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)(.*)", line)
        if code:
            to = re.search(r"\.L_x_\d+", code.group(2))
            if code.group(1).startswith("BRA") and to:
                jumps.append((len(names), to.group()))
            names.append(code.group(1))
    back = [(labels[to], at) for at, to in jumps if labels.get(to, at + 1) <= at]
    inner = [(a, b) for a, b in back if not any((c, d) != (a, b) and a <= c and d <= b for c, d in back)]
    loops = [Loop(b - a + 1, sum(name.startswith("FFMA") for name in names[a : b + 1])) for a, b in inner]
    loops = [loop for loop in loops if loop.products >= 16]
    return tuple(loops), len(names) - sum(loop.instructions for loop in loops)


def products_of_step(one: Form, depth: int, batch: int = BATCH) -> int:
    """Multiplications of a step with its padding: forward, backward and gradient of each layer."""
    hidden = (depth - 1) * 3 * one.units * one.units
    first = 2 * -(-one.inputs // one.terms) * one.terms * one.units
    return (-(-batch // one.rows) * one.rows) * (first + hidden + 3 * one.units * one.classes)


def lane_steps(found: Compiled, one: Form, depth: int, gpu: Gpu) -> float:
    """Lane-steps a second of a whole GPU at most, with as many lanes as it holds.

    Counted are instructions alone: no wait for memory, a barrier or a result is. What is outside of the innermost loops
    counts once for each layer and tile, which is more often than it is done.
    """
    products = products_of_step(one, depth) / 32  # instructions of warps
    outside = found.outside * found.warps * (depth + 1) * -(-BATCH // one.rows)
    cycles = max(products / gpu.fma, (products / found.share + outside) / ISSUED)
    return gpu.sms * gpu.ghz * 1e9 / cycles


def rows(widths: Sequence[int], depths: Sequence[int], optimizer: str) -> Iterator[dict[str, Any]]:
    """The table; of plain gradient descent with relu, or of another optimizer with tanh and biases."""
    for width, gpu in product(widths, GPUS):
        plain = optimizer == "sgd"
        one = form(width, optimizer, "relu" if plain else "tanh", bias=not plain)
        found = compiled(one, gpu.arch)
        row = {"width": width, "GPU": f"{gpu.name} (sm_{gpu.arch})", "registers": found.registers}
        row |= {"spilled, bytes": found.spilled, "shared, bytes": found.shared, "programs an SM": found.programs(gpu)}
        row |= {"products in loops": f"{found.share:.0%}"}
        for depth in depths:
            row[f"depth {depth}, at most"] = f"{lane_steps(found, one, depth, gpu) / 1e6:.2f}"
        yield row


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_limits", description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--optimizer", default="sgd", help="another one than sgd: with tanh and biases")
    options = parser.parse_args()
    for number, row in enumerate(rows(options.widths, options.depths, options.optimizer)):
        if number == 0:
            print("| " + " | ".join(row) + " |\n" + "| --- " * len(row) + "|")
        print("| " + " | ".join(map(str, row.values())) + " |", flush=True)


if __name__ == "__main__":
    main()
