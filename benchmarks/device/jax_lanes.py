"""Trainings of `benchmarks.trainings` by JAX on its own default device: `vmap` over lanes, `scan` over steps, `jit`.

Needs JAX, NumPy and the data of `benchmarks.device.tools`. Its argument is a case as JSON, ``{"depth", "width",
"epochs", "batch", "etas"}``; it prints ``{"seconds": ..., "compile": ...}``, the median of three runs.
"""

import json
import statistics
import sys
import time
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.device.tools import digits

DATA = digits(1024)
X, LABELS = jnp.asarray(DATA.x, dtype=jnp.float32), jnp.asarray(DATA.labels, dtype=jnp.int32)


def mean_loss(weights: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy of ReLU layers with a linear head and no biases."""
    for w in weights[:-1]:
        x = jax.nn.relu(x @ w)
    logits = jax.nn.log_softmax(x @ weights[-1])
    return -jnp.take_along_axis(logits, labels[:, None], 1).mean()


def train(weights: Any, rows: Any, eta: Any) -> Any:
    """One lane: the loss of every step."""

    def step(weights: Any, batch: Any) -> Any:
        loss, gradient = jax.value_and_grad(mean_loss)(weights, X[batch], LABELS[batch])
        return [w - eta * g for w, g in zip(weights, gradient, strict=True)], loss

    return lax.scan(step, weights, rows)[1]


def main() -> None:
    """Time a case."""
    jax.config.update("jax_default_matmul_precision", "highest")
    case = json.loads(sys.argv[1])
    random, lanes = np.random.default_rng(0), len(case["etas"])
    sizes = (64, *[case["width"]] * case["depth"], 10)
    weights = [
        jnp.asarray(random.standard_normal((lanes, fan_in, out)) * (2.0 / fan_in) ** 0.5, dtype=jnp.float32)
        for fan_in, out in pairwise(sizes)
    ]
    steps = len(X) // case["batch"]
    orders = [
        np.concatenate([random.permutation(len(X))[: steps * case["batch"]] for _ in range(case["epochs"])])
        for _ in range(lanes)
    ]
    rows = jnp.asarray(np.stack(orders).reshape(lanes, -1, case["batch"]))
    etas, together = jnp.asarray(case["etas"], dtype=jnp.float32), jax.jit(jax.vmap(train))
    times = []
    for _ in range(4):
        begun = time.perf_counter()
        jax.block_until_ready(together(weights, rows, etas))
        times.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": statistics.median(times[1:]), "compile": times[0]}))


if __name__ == "__main__":
    main()
