"""Compiled pieces that training and λ share.

A cached kernel does not notice a change in another file: after one here, touch the files that use it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np
from numba import njit

from mlrtui_trainer.fast.blas import QUICK

__all__ = ["activate", "add", "pull", "times", "turn"]

RELU, LINEAR, TANH = range(3)  # as `fast.route.ACTIVATIONS` has them


@njit(**QUICK)
def activate(z, activation):
    """z ← φ(z); what is not finite stays so."""
    if activation == RELU:
        for i in range(z.size):
            if z[i] <= 0.0:
                z[i] = 0.0
    elif activation == TANH:
        for i in range(z.size):
            z[i] = np.tanh(z[i])


@njit(**QUICK)
def pull(delta, h, activation):
    """δ ← δ φ'(z), by h = φ(z)."""
    if activation == RELU:
        for i in range(delta.size):
            if not h[i] > 0.0:
                delta[i] = 0.0
    elif activation == TANH:
        one = delta.dtype.type(1.0)
        for i in range(delta.size):
            delta[i] *= one - h[i] * h[i]


@njit(**QUICK)
def turn(turned, w, out, fan_in):
    """turned [in, out] ← w [out, in], both flat: BLAS is quicker with small matrices so."""
    for i in range(fan_in):
        for o in range(out):
            turned[i * out + o] = w[o * fan_in + i]


@njit(**QUICK)
def add(total, factor, a):
    """total += factor · a."""
    for i in range(total.size):
        total[i] += factor * a[i]


@njit(**QUICK)
def times(out, a, b):
    """out ← a b, number by number."""
    for i in range(out.size):
        out[i] = a[i] * b[i]
