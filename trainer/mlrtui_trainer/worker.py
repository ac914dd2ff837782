"""Does a task on one device and says what came out: the whole of what another process needs of this package."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import nan
from time import monotonic

import numpy as np
import torch
from torch import Tensor

from mlrtui_trainer import recorded
from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator, curvature, preconditioned
from mlrtui_trainer.curvature.tracker import COLD_PRODUCTS, TIGHT_BUDGET
from mlrtui_trainer.curvature.verification import flags, refusals
from mlrtui_trainer.devices import ceilings, memory_of
from mlrtui_trainer.fast import route
from mlrtui_trainer.forks import Bases, trained_bases
from mlrtui_trainer.kernels import route as kernel
from mlrtui_trainer.lanes import DTYPES, chunk_of, lanes_per_chunk, train_round
from mlrtui_trainer.meter import EXACT_TOLERANCE, measured_samples
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.imported import admit
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.onset import catapult_onsets
from mlrtui_trainer.raised import is_out_of_memory, said_in_short
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import SAME_NETS, Dataset, LambdaAtInit, Message, Probe, Round, Rounds, TaskDone, TaskFailed

__all__ = ["describe", "run_task"]

INIT_TOLERANCE = 1e-3
START_NOISE = 0.1
"""Length of the random part where a solve starts from another operator's eigenvector."""


def describe(device: str) -> dict[str, str]:
    """Versions and hardware behind the numbers of a device."""
    kind = torch.device(device)
    info = {
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": device,
        "threads": "1" if kind.type == "cpu" else str(torch.get_num_threads()),
    }
    if kind.type == "cuda":
        info["steps"] = "recorded as CUDA graphs" if recorded.in_use(device) else "one by one"
        if kernel.is_asked_for() and not kernel.missing(kind):
            where = " where that is faster" if kernel.is_measured() else ""
            info["steps"] = f"by a kernel of Triton {kernel.version()}{where}, others {info['steps']}"
        info |= {"name": torch.cuda.get_device_name(kind), "cuda": str(torch.version.cuda)}
        return info | {"memory": str(memory_of(device))} | ceilings(device)
    compiled = route.version()
    info["steps and sharpness"] = f"compiled by numba {compiled}" if compiled else "not compiled"
    return info | {"name": torch.backends.cpu.get_cpu_capability()}


def run_task(task: Round | Rounds | Probe, dataset: Dataset, device: str) -> Iterator[Message]:
    """Measure λ at initialisation (`Probe`) or train (`Round`); the last message is `TaskDone` or `TaskFailed`.

    Never raises for a lane that overflows, nor for a task that cannot be done: that is a `TaskFailed` with one line.
    """
    begun = monotonic()
    try:
        for part in task.rounds if isinstance(task, Rounds) else (task,):
            yield from _messages(part, dataset, device)
    except Exception as error:
        short = is_out_of_memory(error)
        failure = TaskFailed(task.task_id, f"out of memory on {device}" if short else said_in_short(error), short)
    else:
        yield TaskDone(task.task_id, monotonic() - begun)
        return
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
    yield failure


def _messages(task: Round | Probe, dataset: Dataset, device: str) -> Iterator[Message]:
    if task.data_id != dataset.data_id:
        raise ValueError(f"the task asks for data {task.data_id!r}, the worker holds {dataset.data_id!r}")
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)  # with more, bits would depend on how many
    else:
        torch.cuda.set_device(device)  # streams and recordings are those of the current device
    torch.set_float32_matmul_precision("highest")  # no TF32
    admit(task.train)
    dtype = DTYPES[task.train.dtype]
    samples = Samples.of(dataset, dtype, device)
    if isinstance(task, Probe):
        yield from _probe(task, samples, device)
        return
    held_out = Samples.held_out(dataset, dtype, device) if task.train.on == "validation" else None
    yield from train_round(task, samples, device, held_out)


def _probe(task: Probe, samples: Samples, device: str) -> Iterator[LambdaAtInit]:
    measured = measured_samples(samples, task.sharpness)
    model = build(task.net, task.train.optimizer, measured.x, batch=task.train.batch, precision=task.train.precision)
    size = lanes_per_chunk(model, measured.count, measured.x.element_size(), device)
    if task.fork is not None:
        size = min(size, chunk_of(model, task.train, samples, device))  # bases train here, too
    for first in range(0, len(task.nets), size):
        nets, bases = task.nets[first : first + size], None
        if task.fork is not None:
            wanted = [(seed, eta) for (_, seed), eta in zip(nets, task.base_etas[first : first + size], strict=True)]
            bases = trained_bases(task.train, task.fork, model, wanted, samples)
        found = _probe_chunk(task, model, nets, measured, device, None if bases is None else bases.weights)
        onsets = [] if bases is None else _onsets(task, model, samples, bases, found)
        for i, one in enumerate(found):
            if bases is None:
                yield one
            else:
                loss, loss_initial = float(bases.loss[i]), float(bases.loss_initial[i])
                yield replace(one, loss=loss, loss_initial=loss_initial, eta_catapult=onsets[i])


def _onsets(task: Probe, model: Model, samples: Samples, bases: Bases, found: Sequence[LambdaAtInit]) -> list[float]:
    """Where catapults of these forks begin, NaN where that is not known."""
    assert task.fork is not None
    seeds = dict(task.nets)
    order = Batches(samples, [seeds[one.net_id] for one in found], task.train.batch, task.train.steps_per_epoch)
    near = [2.0 / one.preconditioned if one.preconditioned else nan for one in found]
    before = bases.optimizer if task.fork.state == "keep" else None
    onsets = catapult_onsets(model, task.train, bases.weights, order.at(task.fork.step), near, before)
    sound = np.isfinite(bases.loss).tolist()  # a base that diverged has no fork
    return [onset if ok else nan for onset, ok in zip(onsets, sound, strict=True)]


@torch.inference_mode()
def _probe_chunk(
    task: Probe,
    model: Model,
    nets: tuple[tuple[int, int], ...],
    samples: Samples,
    device: str,
    start: Weights | None,
) -> list[LambdaAtInit]:
    seeds, dtype = [seed for _, seed in nets], samples.x.dtype
    weights = start if start is not None else model.initial_weights(seeds, DTYPES[task.train.dtype], device)
    weights = weights.to(dtype)
    cold = start_vectors(seeds, model.n_params, dtype, device)
    rates = model.rate_vector(dtype, device)
    tolerance = EXACT_TOLERANCE if task.sharpness.exact else min(task.sharpness.tolerance, INIT_TOLERANCE)

    def matrix(operator: str) -> Operator:
        return curvature(model, weights, samples.x, samples.y, task.train.loss, operator)

    def solve(operator: Operator, start: Tensor, such: str) -> Eigen:
        most = COLD_PRODUCTS * (TIGHT_BUDGET if task.sharpness.exact else 1)
        return largest(operator, start, tolerance, most, such=such)

    named = task.sharpness.operator
    refused = refusals(model, weights, samples, task.train.loss, dict.fromkeys(("gauss-newton", "hessian", named)))
    missing = _missing(cold)
    newton = missing if "gauss-newton" in refused else solve(matrix("gauss-newton"), cold, "gauss-newton")
    near = cold if newton is missing else newton.vector + START_NOISE * cold
    hessian = missing if "hessian" in refused else solve(matrix("hessian"), near, "hessian")
    main = hessian if named == "hessian" else newton
    if named == "ntk" and task.train.loss != "mse":  # under mse it is the Gauss-Newton matrix
        main = missing if "ntk" in refused else solve(matrix("ntk"), near, "ntk")
    rated = main
    if bool((rates != 1.0).any()) and main is not missing:
        operator = preconditioned(matrix(named), rates)
        rated = solve(operator, main.vector * rates.sqrt() + START_NOISE * cold, "rated")
    reasons = tuple((name, why) for name, all_of_it in refused.items() for why in all_of_it)
    return [
        LambdaAtInit(
            net_id=net_id,
            main=float(main.value[i]),
            main_residual=float(main.residual[i]),
            preconditioned=float(rated.value[i]),
            preconditioned_residual=float(rated.residual[i]),
            gauss_newton=float(newton.value[i]),
            gauss_newton_residual=float(newton.residual[i]),
            hessian=float(hessian.value[i]),
            hessian_residual=float(hessian.residual[i]),
            converged=all(bool(found.converged[i]) for found in (newton, hessian, main, rated) if found is not missing),
            refused=reasons,
            remarks=_remarks(model),
        )
        for i, (net_id, _) in enumerate(nets)
    ]


def _missing(cold: Tensor) -> Eigen:
    """What stands for λ that is not measured."""
    lanes = cold.shape[0]
    none = np.full((lanes, 1), np.nan)
    return Eigen(none, none, cold[:, None], np.zeros(lanes, dtype=np.int64), np.full(lanes, "refused"))


def _remarks(model: Model) -> tuple[str, ...]:
    """What a person should know of a user's nets, beside their λ."""
    if not isinstance(model, General) or model.made is None:
        return ()
    made = model.made
    remarks = [model.said] if isinstance(model, InTraining) else []
    if made.same:
        remarks.append(SAME_NETS)
    if not made.double:
        remarks.append(
            f"{made.name}: does not compute in double precision, so that λ is checked by the symmetry of products only"
        )
    return (*remarks, *flags(model))
