"""Stage 7: memory a lane against the planned one; a real shortage that halves a round; two workers on one device."""

import multiprocessing
import multiprocessing.connection
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import Ran, case_of, digits, round_of, sync, trials_at, wall
from benchmarks.machine import peak_memory
from mlrtui_trainer import worker
from mlrtui_trainer.lanes import bytes_per_lane
from mlrtui_trainer.models.building import build
from mlrtui_trainer.spec import Round, TaskFailed, TrainSpec

ROOMS = tuple(16 << 20 << k for k in range(8))  # bytes beyond what is in use already, while memory is short


def run(setting: Setting, report: Report) -> None:
    """The three in turn."""
    for width, depth in setting.while_time(
        product(setting.pick((64,), (64, 128), (64, 256, 512)), setting.pick((2,), (2, 4), (2, 4))), report
    ):
        _per_lane(setting, report, depth, width)
    _shortage(setting, report)
    _two_workers(setting, report)


def _per_lane(setting: Setting, report: Report, depth: int, width: int) -> None:
    net, data = case_of(depth, width), digits(512)
    lanes, steps = setting.pick(4, 16, 256), 4
    train = TrainSpec("ce", 512, steps, 1)
    for every in (0, 1):
        task = round_of(net, train, trials_at(lanes, 0.001, 0.01), data, every)
        if setting.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(setting.device)
            before = torch.cuda.memory_allocated(setting.device)
            Ran.of(task, data, setting.device)
            peak = (torch.cuda.max_memory_allocated(setting.device) - before) / lanes
        else:
            peak = _in_child(task, lanes)
        planned = bytes_per_lane(build(net, train.optimizer), train.batch, 4)
        report.row("bytes a lane", depth=depth, width=width, lanes=lanes, sharpness=bool(every), planned=planned,
                   peak=peak, peak_over_planned=peak / planned)  # fmt: skip


def _in_child(task: Round, lanes: int) -> float:
    """Growth of the largest resident size of a fresh process, a lane; a process's own never shrinks."""
    with multiprocessing.get_context("fork").Pool(1) as pool:  # no GPU here: nothing that a fork would break
        return pool.apply(_peak_growth, (task,)) / lanes


def _peak_growth(task: Round) -> int:
    data = digits(512)
    Ran.of(replace(task, trials=task.trials[:1]), data, "cpu")  # libraries make themselves ready
    before = _peak()
    Ran.of(task, data, "cpu")
    return _peak() - before


def _peak() -> int:
    return peak_memory(resource.getrusage(resource.RUSAGE_SELF))


def _shortage(setting: Setting, report: Report) -> None:
    """Halve a round as the driver does until it fits; the trials' numbers are those of enough memory."""
    net, data = case_of(2, setting.pick(512, 512, 1024)), digits(256)
    train = TrainSpec("ce", 256, 2, 1)
    task = round_of(net, train, trials_at(setting.pick(32, 64, 64), 0.001, 0.01), data, every=1)
    enough = Ran.of(replace(task, trials=task.trials[:1]), data, setting.device)
    size, halvings, failures = len(task.trials), 0, list[str]()
    for room in ROOMS:  # how much a single trial takes is the device's: the first room that holds one
        size = len(task.trials)
        with _short_of_memory(setting, room):
            while True:
                found = list(worker.run_task(replace(task, trials=task.trials[:size]), data, setting.device))
                failed = found[-1]
                if not isinstance(failed, TaskFailed):
                    break
                failures.append(failed.error)
                if not failed.out_of_memory or size == 1:
                    break
                size, halvings = size // 2, halvings + 1
        if not isinstance(found[-1], TaskFailed):
            break
    fits = not isinstance(found[-1], TaskFailed)
    report.row("a round that does not fit", lanes=len(task.trials), fits=size, halvings=halvings,
               said=failures[-1] if failures else None)  # fmt: skip
    report.expect(fits, f"no round fits: {failures[-1] if failures else ''}")
    report.expect(halvings > 0, "the round fitted at once: nothing was shown")
    if fits:
        ours, theirs = (run.columns[0]["loss"] for run in (Ran.from_messages(found), enough))
        same = np.allclose(ours, theirs, rtol=1e-4 if setting.on_gpu else 0.0, atol=0.0)  # a CPU's are the same bits
        report.expect(same, "the first trial has other losses where memory was short")
    after = list(worker.run_task(task, data, setting.device))[-1]
    report.expect(not isinstance(after, TaskFailed), f"the round fails though memory is free again: {after}")


@contextmanager
def _short_of_memory(setting: Setting, room: int) -> Iterator[None]:
    """Allow this process little more memory than it holds."""
    if setting.on_gpu:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(setting.device).total_memory
        share = (torch.cuda.memory_reserved(setting.device) + room) / total
        torch.cuda.set_per_process_memory_fraction(share, setting.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, setting.device)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _two_workers(setting: Setting, report: Report) -> None:
    """The same rounds by one process and by two, processes ready before the clock starts."""
    context = multiprocessing.get_context("spawn")
    seconds = {}
    for workers in (1, 2):
        pipes, processes = [], []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, setting, 4 // workers), daemon=True)
            process.start()
            theirs.close()  # so that one that dies is not waited for
            pipes.append(ours)
            processes.append(process)
        for pipe in pipes:
            pipe.recv()  # ready

        def go(pipes: list = pipes) -> None:  # type: ignore[type-arg]
            for pipe in pipes:
                pipe.send("go")
            for pipe in pipes:
                pipe.recv()

        seconds[workers] = wall(go, "cpu")
        for process in processes:
            process.join()
    report.row("four rounds by one worker and by two on the device", one_s=seconds[1], two_s=seconds[2],
               times_as_fast=seconds[1] / seconds[2])  # fmt: skip


def _work(pipe: "multiprocessing.connection.Connection", setting: Setting, rounds: int) -> None:
    data, net = digits(1024), case_of(4, 64)
    train = TrainSpec("ce", 64, setting.pick(4, 32, 320), 16)
    task = round_of(net, train, trials_at(setting.pick(2, 8, 128), 0.001, 0.01), data)
    Ran.of(replace(task, train=replace(train, max_steps=2)), data, setting.device)
    pipe.send("ready")
    pipe.recv()
    for _ in range(rounds):
        Ran.of(task, data, setting.device)
    sync(setting.device)
    pipe.send("done")
