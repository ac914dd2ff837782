"""Compiled pieces that training and λ share."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np
from numba import carray

from mlrtui_trainer.fast.basics import pointer, quick
from mlrtui_trainer.fast.tiles import VECTOR, dot, rectify

__all__ = ["activate", "add", "add_bias", "add_sums", "inner", "length_of", "pull", "scalar_product", "times"]

RELU, LINEAR, TANH = range(3)  # as `fast.route.ACTIVATIONS` has them


@quick
def activate(z, activation):
    """z ← φ(z); what is not finite stays so."""
    if activation == RELU:
        zero = z.dtype.type(0.0)
        vectors = z.size * z.itemsize // VECTOR
        rectify(z, z.ctypes.data, vectors)
        for i in range(vectors * (VECTOR // z.itemsize), z.size):
            z[i] = zero if z[i] <= zero else z[i]
    elif activation == TANH:
        for i in range(z.size):
            z[i] = np.tanh(z[i])


@quick
def pull(delta, h, activation):
    """δ ← δ φ'(z), by h = φ(z)."""
    if activation == RELU:
        zero = delta.dtype.type(0.0)
        for i in range(delta.size):
            delta[i] = delta[i] if h[i] > zero else zero
    elif activation == TANH:
        one = delta.dtype.type(1.0)
        for i in range(delta.size):
            delta[i] *= one - h[i] * h[i]


@quick
def add_bias(z, bias, line, wide):
    """z [units, samples], a row every ``line``, plus the bias of each unit, for the first ``wide`` samples."""
    for o in range(bias.size):
        row = z[o * line : o * line + wide]
        for s in range(wide):
            row[s] += bias[o]


@quick
def add_sums(into, added, factor, first, line, samples, out, scratch):
    """Factor times the gradient of biases, [out], set or added at an address; the signal lies at ``first``."""
    bias, zero = carray(pointer(into, scratch), out), scratch.dtype.type(0.0)
    for o in range(out):
        begin = first + o * line
        end = begin + samples // 4 * 4
        s0, s1, s2, s3 = zero, zero, zero, zero
        for s in range(begin, end, 4):
            s0 += scratch[s]
            s1 += scratch[s + 1]
            s2 += scratch[s + 2]
            s3 += scratch[s + 3]
        for s in range(end, begin + samples):
            s0 += scratch[s]
        slope = factor * ((s0 + s1) + (s2 + s3))
        bias[o] = bias[o] + slope if added else slope


@quick
def add(total, factor, a):
    """total += factor · a."""
    for i in range(total.size):
        total[i] += factor * a[i]


@quick
def times(out, a, b):
    """out ← a b, number by number."""
    for i in range(out.size):
        out[i] = a[i] * b[i]


@quick
def inner(a, b, total):
    """Σ a b, added to ``total`` and in its precision."""
    vectors = a.size * a.itemsize // VECTOR
    value = dot(total, vectors, a, a.ctypes.data, b.ctypes.data)
    for i in range(vectors * (VECTOR // a.itemsize), a.size):
        value += type(total)(a[i]) * type(total)(b[i])
    return value


@quick
def scalar_product(a, b):
    """Σ a b in their own precision."""
    return inner(a, b, a.dtype.type(0.0))


@quick
def length_of(a):
    """Euclidean length, summed in double precision."""
    return np.sqrt(inner(a, a, 0.0))
