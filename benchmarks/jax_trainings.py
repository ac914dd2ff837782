"""The trainings of `benchmarks.trainings` by JAX, as a child process with an environment of its own.

What a person who knows JAX writes: a step under `jax.value_and_grad`, all steps of a training in one `lax.scan`, the
whole compiled by `jit`; lanes one after the other, by a loop in Python or by `lax.map`, whichever is faster. Needs JAX,
NumPy and scikit-learn, and nothing of mlrtui: a line of its input is a case, ``{"depth", "width", "epochs", "batch",
"etas"}``, and it answers each with a line of processor seconds by variant, ``{"loop", "map", "compile"}``.
"""

import json
import os
import sys
import time
from itertools import pairwise

os.environ.setdefault("NPROC", "1")  # read at import; else XLA takes every core, whatever its flags say

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from sklearn.datasets import load_digits


def digits():
    """All digits, one mean image and one standard deviation; x and labels."""
    raw = load_digits()
    x = np.asarray(raw.data, dtype=np.float64)
    x = (x - x.mean(axis=0)) / (x - x.mean(axis=0)).std()
    return jnp.asarray(x, dtype=jnp.float32), jnp.asarray(raw.target, dtype=jnp.int32)


X, LABELS = digits()


def forward(weights, x):
    """ReLU layers, a linear head, no biases."""
    for w in weights[:-1]:
        x = jax.nn.relu(x @ w)
    return x @ weights[-1]


def mean_loss(weights, x, labels):
    """Mean cross-entropy."""
    logits = forward(weights, x)
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(logits, axis=1) - own).mean()


def evaluate(weights):
    """Loss and accuracy over all samples."""
    return mean_loss(weights, X, LABELS), (forward(weights, X).argmax(1) == LABELS).mean()


def train(weights, orders, eta):
    """One training; orders [epochs, steps, batch]. Every step's loss, and loss and accuracy of every epoch."""

    def step(weights, rows):
        loss, gradient = jax.value_and_grad(mean_loss)(weights, X[rows], LABELS[rows])
        return [w - eta * g for w, g in zip(weights, gradient, strict=True)], loss

    def epoch(weights, rows):
        weights, losses = lax.scan(step, weights, rows)
        return weights, (losses, evaluate(weights))

    begun = evaluate(weights)
    weights, seen = lax.scan(epoch, weights, orders)
    return weights, begun, seen


ONE = jax.jit(train)
LANES = jax.jit(lambda weights, orders, etas: lax.map(lambda lane: train(*lane), (weights, orders, etas)))


def drawn(case, lane):
    """He normal weights, and the order of the samples of every epoch."""
    generator = np.random.default_rng(lane)
    sizes = [X.shape[1], *[case["width"]] * case["depth"], 10]
    weights = [
        (generator.standard_normal((fan_in, out)) * np.sqrt(2 / fan_in)).astype(np.float32)
        for fan_in, out in pairwise(sizes)
    ]
    steps = len(X) // case["batch"]
    orders = np.stack([generator.permutation(len(X))[: steps * case["batch"]] for _ in range(case["epochs"])])
    return weights, orders.reshape(case["epochs"], steps, case["batch"]).astype(np.int32)


def by_loop(case, lanes):
    """A call for every lane."""
    return [ONE(weights, orders, eta) for (weights, orders), eta in zip(lanes, case["etas"], strict=True)]


def by_map(case, lanes):
    """One call for all lanes."""
    weights = [np.stack(parts) for parts in zip(*(weights for weights, _ in lanes), strict=True)]
    return LANES(weights, np.stack([orders for _, orders in lanes]), np.asarray(case["etas"], dtype=np.float32))


def seconds(work, case, lanes):
    """Processor time until every number is there."""
    begun = time.process_time()
    done = jax.block_until_ready(work(case, lanes))
    spent = time.process_time() - begun
    if not all(bool(jnp.isfinite(part).all()) for part in jax.tree.leaves(done)):
        raise SystemExit("a training of JAX did not stay finite")
    return spent


def main() -> None:
    """Answer cases until the input ends; the first answer says which JAX this is."""
    print(json.dumps({"jax": jax.__version__}), flush=True)
    known = {}
    for line in sys.stdin:
        case = json.loads(line)
        lanes = [drawn(case, lane) for lane in range(len(case["etas"]))]
        answer = {}
        for name, work in (("loop", by_loop), ("map", by_map)):
            if (name, line) not in known:
                known[name, line] = seconds(work, case, lanes)  # compiles
            answer[name] = seconds(work, case, lanes)
        answer["compile"] = known["loop", line] - answer["loop"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
