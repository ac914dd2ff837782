"""λ along given trainings by JAX, as a child process with an environment of its own; see `benchmarks.sharpness_cost`.

What a person who knows JAX writes: the products are derivatives of the gradient (`jax.linearize` of `jax.grad`, which
is `jax.jvp` with what all products share done once), a fixed number at every step, from the last step's vector; all
steps of a training in one `lax.scan`, the whole compiled by `jit`, in single precision. Needs what
`benchmarks.jax_trainings` needs, and nothing of mlrtui. A line of its input is ``{"trainings", "products"}``: a file of
arrays (x, labels, and the weights w0, w1, ... of every layer, [trainings, steps, in, out]) and a number of products. It
answers with a line ``{"step", "both", "sharpness"}``: processor seconds of all steps without and with λ, and every λ.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from benchmarks.jax_trainings import mean_loss

ETA = 0.01  # of the steps, whose results are kept and not used: the next step's weights are given


@partial(jax.jit, static_argnames="products")
def follow(weights: Sequence[Any], start: Any, x: Any, labels: Any, products: int) -> tuple[Any, Any, Any]:
    """Loss, step and λ at all weights of one training, λ by a Lanczos space of ``products`` vectors."""

    def at(v: Any, weights: Sequence[Any]) -> tuple[Any, tuple[Any, Any, Any]]:
        theta, unravel = ravel_pytree(weights)
        both = jax.value_and_grad(lambda theta: mean_loss(unravel(theta), x, labels))
        (loss, gradient), tangents = jax.linearize(both, theta)
        lam = jnp.zeros(())
        if products:
            lam, v = largest(lambda u: tangents(u)[1], v, products)
        return v, (loss, theta - ETA * gradient, lam)

    return lax.scan(at, start, weights)[1]  # type: ignore[no-any-return]


def largest(product: Callable[[Any], Any], v: Any, count: int) -> tuple[Any, Any]:
    """The largest eigenvalue, and its vector, in the space of v and its products, all of them kept orthogonal."""

    def extend(j: Any, state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        basis, images, v = state
        basis = basis.at[j].set(v / jnp.linalg.norm(v))
        image = product(basis[j])
        rest = image
        for _ in range(2):  # once is not enough in single precision
            rest = rest - (basis @ rest) @ basis
        return basis, images.at[j].set(image), rest

    blank = jnp.zeros((count, v.size))
    basis, images, _ = lax.fori_loop(0, count, extend, (blank, blank, v))
    small = basis @ images.T
    values, vectors = jnp.linalg.eigh((small + small.T) / 2)
    return values[-1], vectors[:, -1] @ basis


def seconds(weights: list[Any], start: Any, x: Any, labels: Any, products: int) -> tuple[float, list[list[float]]]:
    """Processor time of all trainings, one after the other, and every λ."""
    lanes = [[w[i] for w in weights] for i in range(len(weights[0]))]
    jax.block_until_ready(follow(lanes[0], start, x, labels, products))  # compiles, the first time
    begun = time.process_time()
    found = jax.block_until_ready([follow(lane, start, x, labels, products) for lane in lanes])
    return time.process_time() - begun, [np.asarray(lam).tolist() for _, _, lam in found]


def main() -> None:
    """Answer until the input ends; the first answer says which JAX this is."""
    print(json.dumps({"jax": jax.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        with np.load(asked["trainings"]) as file:
            arrays = {name: jnp.asarray(file[name]) for name in file.files}
        x, labels = arrays.pop("x"), arrays.pop("labels")
        weights = [arrays[f"w{layer}"] for layer in range(len(arrays))]
        start = np.random.default_rng(0).standard_normal(sum(w[0, 0].size for w in weights)).astype(np.float32)
        step, _ = seconds(weights, start, x, labels, 0)
        both, sharpness = seconds(weights, start, x, labels, asked["products"])
        print(json.dumps({"step": step, "both": both, "sharpness": sharpness}), flush=True)


if __name__ == "__main__":
    main()
