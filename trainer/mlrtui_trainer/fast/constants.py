"""What all products of λ with one lane share, compiled: its forward pass, and the signals that are passed down.

The twin of `curvature.operators`' passes, written into one flat buffer where `fast.curvature` reads it. All compiled
code of this but that of `fast.blas` and `fast.pieces` is in this file: a cached kernel does not notice a change in
another one.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np
from numba import carray, njit

from mlrtui_trainer.fast.blas import QUICK, call_gemm, pointer
from mlrtui_trainer.fast.pieces import activate, pull, turn

__all__ = [
    "AT_BEND",
    "AT_BIAS",
    "AT_DELTA",
    "AT_H",
    "AT_HDOT",
    "AT_IN",
    "AT_OUT",
    "AT_SLOPE",
    "AT_TURNED",
    "AT_TURNED_V",
    "AT_V",
    "AT_ZDOT",
    "COLUMNS",
    "fill",
]

# Columns of the layout, one row a weight layer; -1: not there.
AT_OUT, AT_IN = 0, 1
AT_V = 2  # in a vector: the layer's matrix
AT_BIAS = 3  # in a vector: its biases
AT_TURNED = 4  # in a lane's constants: a small matrix as [in, out], which BLAS is quicker with
AT_H = 5  # inputs of the layer, [samples, in]; of layer 0 in ``x``
AT_SLOPE = 6  # φ' of the layer's hidden units, [samples, out]; of the last layer what the loss bends by
AT_DELTA = 7  # d loss / d z, [samples, out]; Hessian only
AT_BEND = 8  # φ'' times d loss / d h, [samples, out]; Hessian with a curved activation only
AT_ZDOT = 9  # in the scratch: ż
AT_HDOT = 10  # in the scratch: ḣ, in place of ż where that is not needed again; of the last layer two work places
AT_TURNED_V = 11  # in the scratch: the vector's part of a small matrix, turned as the matrix is
COLUMNS = 12


@njit(**QUICK)
def _probabilities(f, outputs):
    """f ← softmax of each sample's outputs."""
    for first in range(0, f.size, outputs):
        most = f[first]
        for i in range(first + 1, first + outputs):
            most = f[i] if f[i] > most else most
        total = f.dtype.type(0.0)
        for i in range(first, first + outputs):
            f[i] = np.exp(f[i] - most)
            total += f[i]
        for i in range(first, first + outputs):
            f[i] /= total


@njit(**QUICK)
def _fill_piece(layout, weights, biases, scale, activation, some, ce, x, constants, scratch, gemm):
    """The forward pass of some samples (the first, how many, of how many); their largest output in magnitude."""
    start, samples, _ = some
    layers, item = layout.shape[0], constants.itemsize
    at_c = constants.ctypes.data
    zero, one = constants.dtype.type(0.0), constants.dtype.type(1.0)
    last = layout[layers - 1]
    for layer in range(layers):
        row = layout[layer]
        out, fan_in = row[AT_OUT], row[AT_IN]
        turned = row[AT_TURNED] >= 0
        w = at_c + item * row[AT_TURNED] if turned else weights[layer]
        h = item * start * fan_in + (x.ctypes.data if layer == 0 else at_c + item * row[AT_H])
        at_z = start * out + (row[AT_SLOPE] if layer == layers - 1 else layout[layer + 1, AT_H])
        call_gemm(gemm, 0 if turned else 1, 0, out, samples, fan_in, scale[layer], w, out if turned else fan_in, h,
                  fan_in, zero, at_c + item * at_z, out)  # fmt: skip
        z = constants[at_z : at_z + samples * out]
        if biases.size:
            bias = carray(pointer(biases[layer], constants), out)
            for first in range(0, z.size, out):
                for i in range(out):
                    z[first + i] += bias[i]
        if layer < layers - 1:
            activate(z, activation)
            at_slope = row[AT_SLOPE] + start * out
            slope = constants[at_slope : at_slope + samples * out]
            slope[:] = one
            pull(slope, z, activation)
    n = samples * last[AT_OUT]
    at_f = last[AT_SLOPE] + start * last[AT_OUT]
    f = constants[at_f : at_f + n]
    most = zero
    for i in range(n):
        most = abs(f[i]) if abs(f[i]) > most else most
    if ce:
        _probabilities(f, last[AT_OUT])
    return most


@njit(**QUICK)
def _pass_down(layout, weights, scale, some, y, constants, scratch, gemm):
    """The signals of some samples: d loss / d z of every layer, and what a curved activation makes of them."""
    start, samples, total = some
    layers, item = layout.shape[0], constants.itemsize
    at_c, at_s = constants.ctypes.data, scratch.ctypes.data
    zero, one = constants.dtype.type(0.0), constants.dtype.type(1.0)
    last = layout[layers - 1]
    n = samples * last[AT_OUT]
    at_f, at_y = last[AT_SLOPE] + start * last[AT_OUT], start * last[AT_OUT]
    at_delta = last[AT_ZDOT]  # of a net without hidden layers no product asks for it
    for i in range(n):
        scratch[at_delta + i] = (constants[at_f + i] - y[at_y + i]) / total
    for layer in range(layers - 1, 0, -1):
        row, below = layout[layer], layout[layer - 1]
        out, fan_in = row[AT_OUT], row[AT_IN]
        at_kept = row[AT_DELTA] + start * out
        constants[at_kept : at_kept + samples * out] = scratch[at_delta : at_delta + samples * out]
        if layer == 1 and below[AT_BEND] < 0:
            break  # what would be passed down is asked for by nobody
        at_back = below[AT_ZDOT]
        call_gemm(gemm, 0, 0, fan_in, samples, out, scale[layer], weights[layer], fan_in,
                  at_c + item * at_kept, out, zero, at_s + item * at_back, fan_in)  # fmt: skip
        n = samples * fan_in
        back = scratch[at_back : at_back + n]
        shift = start * fan_in
        at_h, at_slope, at_bend = row[AT_H] + shift, below[AT_SLOPE] + shift, below[AT_BEND] + shift
        slope = constants[at_slope : at_slope + n]
        if below[AT_BEND] >= 0:
            h, bend = constants[at_h : at_h + n], constants[at_bend : at_bend + n]
            for i in range(n):
                bend[i] = (h[i] * h[i] - one) * h[i] * (one + one) * back[i]
        for i in range(n):
            back[i] *= slope[i]
        at_delta = at_back


@njit(**QUICK)
def fill(layout, weights, biases, scale, activation, rules, x, y, constants, scratch, gemm):
    """Write one lane's constants, [numbers] by ``layout``; returns its largest output in magnitude.

    weights, biases: addresses of the lane's matrices and biases, by layer. rules: samples, whether the loss is ce,
    whether this is for the Hessian of the loss, and how many samples are done at a time. x [samples · inputs],
    y [samples · outputs]. The scratch is used.
    """
    samples, ce, full, piece = rules
    for layer in range(layout.shape[0]):
        row = layout[layer]
        if row[AT_TURNED] >= 0:
            n = row[AT_OUT] * row[AT_IN]
            w = carray(pointer(weights[layer], constants), n)
            turn(constants[row[AT_TURNED] : row[AT_TURNED] + n], w, row[AT_OUT], row[AT_IN])
    most = constants.dtype.type(0.0)
    for first in range(0, samples, piece):
        some = (first, min(piece, samples - first), samples)
        largest = _fill_piece(layout, weights, biases, scale, activation, some, ce, x, constants, scratch, gemm)
        most = largest if largest > most else most
        if full:
            _pass_down(layout, weights, scale, some, y, constants, scratch, gemm)
    return most
