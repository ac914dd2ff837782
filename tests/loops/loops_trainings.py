"""Trainings as users write them, good and bad, which sweep files of these tests name: copied beside each as `own`."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STEPS = 40


def quadratic(lr: float, report: Any, seed: int, width: int = 4, scale: float = 1.0) -> None:
    """Gradient descent on ½ c w², c = scale·width: the loss ends below its start exactly below 2/c."""
    curvature = scale * width
    w = 1.0 + 0.01 * seed
    print("quadratic at", lr)
    for step in range(STEPS):
        if not report(step, 0.5 * curvature * w * w):
            return
        w -= lr * curvature * w


def held(lr: float, report: Any, seed: int) -> None:
    """The same; above a rate it waits after a few steps, for as long as a file lies beside it."""

    def waiting(step: int, loss: float) -> bool:
        while step > 5 and lr > 0.15 and Path(__file__).with_name("hold").exists():
            time.sleep(0.01)
        return bool(report(step, loss))

    quadratic(lr, waiting, seed)


def accurate(lr: float, report: Any, *, seed: int, limit: float) -> None:
    """An accuracy of 0.9 at step 3 below ``limit``; decided there, which it takes no notice of."""
    for step in range(STEPS):
        report(step, 1.0, 0.9 if step == 3 and lr < limit else 0.1)


def by_chance(lr: float, report: Any) -> None:
    """Other losses every time."""
    for step in range(5):
        report(step, 1.0 if step == 0 else random.uniform(0.1, 0.2) if lr < 0.5 else 2.0)


def raising(lr: float, report: Any) -> None:
    report(0, 1.0)
    raise KeyError("mine")


def leaving(lr: float, report: Any) -> None:
    report(0, 1.0)
    sys.exit("enough")


def greedy(lr: float, report: Any) -> None:
    report(0, 1.0)
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def dying(lr: float, report: Any) -> None:
    report(0, 1.0)
    os._exit(7)


def killed(lr: float, report: Any) -> None:
    report(0, 1.0)
    os.kill(os.getpid(), 9)


def hanging(lr: float, report: Any) -> None:
    report(0, 1.0)
    time.sleep(1000.0)


def silent(lr: float, report: Any) -> None:
    """Reports nothing."""


def backwards(lr: float, report: Any) -> None:
    report(5, 1.0)
    report(5, 1.0)


def leaking(lr: float, report: Any) -> None:
    """Leaves a process behind that keeps all that it inherited, and says its number."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], close_fds=False)
    with Path(__file__).with_name("children").open("a") as file:
        file.write(f"{child.pid}\n")
    if os.fork() == 0:
        time.sleep(1000.0)
    report(0, 1.0)
    report(1, 0.5 if lr < 1.0 else 2.0)


def where(lr: float, report: Any) -> None:
    """Says which devices it sees."""
    with Path(__file__).with_name("seen").open("a") as file:
        file.write(os.environ["CUDA_VISIBLE_DEVICES"] + ";")
    report(0, 1.0)


number = 3
