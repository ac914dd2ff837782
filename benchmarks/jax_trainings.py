"""The trainings of `benchmarks.trainings` by JAX, as a child process with an environment of its own.

What a person who knows JAX writes: a step under `jax.value_and_grad`, all steps of a training in one `lax.scan`, the
whole compiled by `jit`; lanes one after the other, by a loop in Python or by `lax.map`, whichever is faster. Needs JAX,
NumPy and scikit-learn, and nothing of mlrtui: a line of its input is a case, ``{"depth", "width", "epochs", "batch",
"etas"}``, and it answers each with a line of processor seconds by variant, ``{"loop", "map", "compile"}``.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from sklearn.datasets import load_digits


def digits() -> tuple[Any, Any]:
    """All digits, one mean image and one standard deviation; x and labels."""
    raw = load_digits()
    x = np.asarray(raw.data, dtype=np.float64)
    x = (x - x.mean(axis=0)) / (x - x.mean(axis=0)).std()
    return jnp.asarray(x, dtype=jnp.float32), jnp.asarray(raw.target, dtype=jnp.int32)


X, LABELS = digits()


class Case(NamedTuple):
    """A list of trainings of one architecture."""

    depth: int  # hidden layers
    width: int
    epochs: int
    batch: int
    etas: tuple[float, ...]


def forward(weights: Sequence[Any], x: Any) -> Any:
    """ReLU layers, a linear head, no biases."""
    for w in weights[:-1]:
        x = jax.nn.relu(x @ w)
    return x @ weights[-1]


def mean_loss(weights: Sequence[Any], x: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    logits = forward(weights, x)
    own = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(logits, axis=1) - own).mean()


def evaluate(weights: Sequence[Any]) -> tuple[Any, Any]:
    """Loss and accuracy over all samples."""
    return mean_loss(weights, X, LABELS), (forward(weights, X).argmax(1) == LABELS).mean()


def train(weights: Sequence[Any], orders: Any, eta: Any) -> tuple[Any, Any, Any]:
    """One training; orders [epochs, steps, batch]. Every step's loss, and loss and accuracy of every epoch."""

    def step(weights: Sequence[Any], rows: Any) -> tuple[list[Any], Any]:
        loss, gradient = jax.value_and_grad(mean_loss)(weights, X[rows], LABELS[rows])
        return [w - eta * g for w, g in zip(weights, gradient, strict=True)], loss

    def epoch(weights: Sequence[Any], rows: Any) -> tuple[Sequence[Any], Any]:
        weights, losses = lax.scan(step, weights, rows)
        return weights, (losses, evaluate(weights))

    begun = evaluate(weights)
    weights, seen = lax.scan(epoch, weights, orders)
    return weights, begun, seen


ONE = jax.jit(train)
LANES = jax.jit(lambda weights, orders, etas: lax.map(lambda lane: train(*lane), (weights, orders, etas)))


def drawn(case: Case, lane: int) -> tuple[list[Any], Any]:
    """He normal weights, and the order of the samples of every epoch."""
    generator = np.random.default_rng(lane)
    sizes = [X.shape[1], *[case.width] * case.depth, 10]
    weights = [
        (generator.standard_normal((fan_in, out)) * np.sqrt(2 / fan_in)).astype(np.float32)
        for fan_in, out in pairwise(sizes)
    ]
    steps = len(X) // case.batch
    orders = np.stack([generator.permutation(len(X))[: steps * case.batch] for _ in range(case.epochs)])
    return weights, orders.reshape(case.epochs, steps, case.batch).astype(np.int32)


def by_loop(case: Case) -> Any:
    """A call for every lane."""
    return [ONE(*drawn(case, lane), eta) for lane, eta in enumerate(case.etas)]


def by_map(case: Case) -> Any:
    """One call for all lanes."""
    lanes = [drawn(case, lane) for lane in range(len(case.etas))]
    weights = [np.stack(parts) for parts in zip(*(weights for weights, _ in lanes), strict=True)]
    return LANES(weights, np.stack([orders for _, orders in lanes]), np.asarray(case.etas, dtype=np.float32))


def seconds(work: Callable[[Case], Any], case: Case) -> float:
    """Processor time, initial weights included, until every number is there."""
    begun = time.process_time()
    done = jax.block_until_ready(work(case))
    spent = time.process_time() - begun
    if not all(bool(jnp.isfinite(part).all()) for part in jax.tree.leaves(done)):
        raise SystemExit("a training of JAX did not stay finite")
    return spent


def main() -> None:
    """Answer cases until the input ends; the first answer says which JAX this is."""
    print(json.dumps({"jax": jax.__version__}), flush=True)
    known: dict[tuple[str, str], float] = {}
    for line in sys.stdin:
        case = Case(**json.loads(line))
        answer = {}
        for name, work in (("loop", by_loop), ("map", by_map)):
            if (name, line) not in known:
                known[name, line] = seconds(work, case)  # compiles
            answer[name] = seconds(work, case)
        answer["compile"] = known["loop", line] - answer["loop"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
