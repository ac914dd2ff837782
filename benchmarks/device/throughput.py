"""Stage 4: lane-steps a second against the number of lanes, beside what arithmetic and memory of the device allow."""

from itertools import product

from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import (
    bytes_of_step,
    case_of,
    ceilings,
    digits,
    flop_of_step,
    round_of,
    seconds_per_step,
    trials_at,
)
from mlrtui_trainer.spec import TrainSpec

BATCH = 64
AIM = 0.5  # of the lower ceiling, at full lanes


def run(setting: Setting, report: Report) -> None:
    """Every depth and width, from one lane to as many as are allowed."""
    data = digits(1024)
    rate, traffic = ceilings(setting.device, setting.pick(256, 1024, 8192))
    report.note(f"ceilings: {rate / 1e12:.3g} TFLOP/s (one large product, float32), {traffic / 1e12:.3g} TB/s (a copy)")
    depths = setting.pick((2,), (2, 4), (2, 4, 8))
    widths = setting.pick((32,), (32, 64), (32, 64, 128, 256, 512))
    counts = setting.pick((2,), (1, 16), (1, 32, 256, 1024))
    steps = setting.pick(2, 8, 48)
    reached: dict[tuple[int, int], float] = {}
    for width, depth, lanes in setting.while_time(product(widths, depths, counts), report):
        net = case_of(depth, width)
        train = TrainSpec("ce", BATCH, steps, len(data.x) // BATCH)
        task = round_of(net, train, trials_at(lanes, 0.001, 0.01), data)
        seconds_per_step(task, data, setting.device, 1)  # warms up
        speed = lanes / seconds_per_step(task, data, setting.device, steps)
        by_arithmetic, by_memory = rate / flop_of_step(net, BATCH), traffic / bytes_of_step(net, BATCH)
        part = speed / min(by_arithmetic, by_memory)
        reached[depth, width] = max(reached.get((depth, width), 0.0), part)
        report.row("lane-steps a second, batch 64, ce, sgd", depth=depth, width=width, lanes=lanes, measured=speed,
                   ceiling_by_arithmetic=by_arithmetic, ceiling_by_memory=by_memory, part_of_ceiling=part)  # fmt: skip
    if setting.on_gpu and reached:
        good = sum(part >= AIM for part in reached.values())
        report.note(f"{good} of {len(reached)} architectures reach {AIM:.0%} of the lower ceiling (the aim: all)")
