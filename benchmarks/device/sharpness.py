"""Stage 6: what λ at every step costs, in units of a step; how much of that is waiting; a recipe beside it."""

import statistics
from itertools import product

import torch
from torch import nn

from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import Ran, case_of, digits, in_turn, round_of, seconds_per_step, sync, trials_at, wall
from benchmarks.trainings import plain_net
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.building import build
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, TrainSpec

PRODUCTS = 20  # of the recipe


def run(setting: Setting, report: Report) -> None:
    """A step with λ over a step without, for each depth and width."""
    data = digits(256)
    depths, widths = setting.pick((2,), (2,), (2, 4)), setting.pick((16,), (32, 64), (32, 64, 128, 256))
    lanes, steps = setting.pick(2, 8, 256), setting.pick(2, 6, 20)
    for width, depth in setting.while_time(product(widths, depths), report):
        net = case_of(depth, width)
        train = TrainSpec("ce", len(data.x), steps, 1)
        trials = trials_at(lanes, 0.001, 0.01)
        without, with_it = (round_of(net, train, trials, data, every) for every in (0, 1))
        spent: dict[str, list[float]] = {"step": [], "step + λ": []}
        seconds_per_step(with_it, data, setting.device, 1)  # warms up
        for _ in range(setting.pick(1, 2, 3)):
            spent["step"].append(seconds_per_step(without, data, setting.device, steps))
            spent["step + λ"].append(seconds_per_step(with_it, data, setting.device, steps))
        step, both = (statistics.median(times) for times in spent.values())
        columns = Ran.of(with_it, data, setting.device).columns.values()
        products = statistics.fmean(float(one["products"].mean()) for one in columns)
        apart, waiting = _products(net, data.x.shape[0], lanes, setting)
        report.row("λ at every step, full batch of 256, Hessian", depth=depth, width=width, lanes=lanes,
                   step_ms=1e3 * step, step_and_sharpness_ms=1e3 * both, sharpness_in_steps=(both - step) / step,
                   products=products, product_ms=1e3 * apart, product_ms_waiting_each_time=1e3 * waiting,
                   recipe_in_our_sharpness=_recipe(net, setting) / ((both - step) / lanes))  # fmt: skip
    report.note(
        "the recipe: power iteration with 20 products by double backward on one net, as PyHessian does; its time over "
        "that of one lane's λ"
    )


def _products(net: NetSpec, samples: int, lanes: int, setting: Setting) -> tuple[float, float]:
    """Seconds of a product of all lanes: asked for one after the other, and waiting for each."""
    data, model = Samples.of(digits(samples), torch.float32, setting.device), build(net, "sgd")
    with torch.inference_mode():
        weights = model.initial_weights([i % 4 for i in range(lanes)], torch.float32, setting.device)
        matrix = curvature(model, weights, data.x, data.y, "ce", "hessian")
        v = torch.randn(lanes, matrix.size, device=setting.device)

        def ask(wait: bool) -> None:
            for _ in range(PRODUCTS):
                matrix.apply(v)
                if wait:
                    sync(setting.device)

        works = (("apart", lambda: ask(False)), ("waiting", lambda: ask(True)))
        found = dict[str, list[float]](apart=[], waiting=[])
        for name, seconds in in_turn(works, setting.device, 3):
            found[name].append(seconds / PRODUCTS)
    return statistics.median(found["apart"]), statistics.median(found["waiting"])


def _recipe(net: NetSpec, setting: Setting) -> float:
    """Seconds of one λ by a plain power iteration on one net."""
    data = digits(256)
    x = torch.tensor(data.x, dtype=torch.float32, device=setting.device)
    labels = torch.tensor(data.labels, device=setting.device)
    model = plain_net(net).to(setting.device)
    parameters = list(model.parameters())

    def once() -> None:
        loss = nn.functional.cross_entropy(model(x), labels)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        v = [torch.randn_like(p) for p in parameters]
        for _ in range(PRODUCTS):
            norm = torch.sqrt(sum((part * part).sum() for part in v))  # type: ignore[arg-type]
            v = [part / norm for part in v]
            product_ = torch.autograd.grad(gradient, parameters, grad_outputs=v, retain_graph=True)
            sum((a * b).sum() for a, b in zip(product_, v, strict=True)).item()  # type: ignore[union-attr]
            v = [part.detach() for part in product_]

    once()
    return min(wall(once, setting.device) for _ in range(2))
