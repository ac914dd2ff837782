"""Products of λ's operators with one lane's vector, compiled: forward and backward pass of the derivative.

The twin of `curvature.operators`, in flat buffers and integer offsets, so that one compilation serves every
architecture. A cached kernel does not notice a change in another file, nor one in the columns of `fast.constants`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

from numba import njit

from mlrtui_trainer.fast.blas import QUICK, STRICT, call_gemm
from mlrtui_trainer.fast.constants import (
    AT_BEND,
    AT_BIAS,
    AT_DELTA,
    AT_H,
    AT_HDOT,
    AT_IN,
    AT_OUT,
    AT_SLOPE,
    AT_TURNED,
    AT_TURNED_V,
    AT_V,
    AT_ZDOT,
)
from mlrtui_trainer.fast.pieces import add, times, turn

__all__ = ["product"]


@njit(**QUICK)
def _curve(loss_ce, u, p, outputs, factor):
    """u ← factor · H u, with H of the loss by the outputs; p [samples · outputs] are the probabilities under ce."""
    if not loss_ce:
        for i in range(u.size):
            u[i] *= factor
        return
    for first in range(0, u.size, outputs):
        likeliest = first
        for i in range(first, first + outputs):
            if p[i] > p[likeliest]:
                likeliest = i
        moved, total = u[likeliest], u.dtype.type(0.0)
        for i in range(first, first + outputs):
            u[i] = p[i] * (u[i] - moved)
            total += u[i]
        for i in range(first, first + outputs):
            u[i] = factor * (u[i] - p[i] * total)


@njit(**QUICK)
def _product_of(some, layout, weights, scale, loss_ce, constants, x, v, out, scratch, gemm):
    """What some samples (the first, how many, of how many, room) give to the product; the first of all begin it."""
    start, samples, total, room = some
    layers, item = layout.shape[0], v.itemsize
    at_v, at_out, at_x = v.ctypes.data, out.ctypes.data, x.ctypes.data
    at_c, at_s = constants.ctypes.data, scratch.ctypes.data
    zero, one = v.dtype.type(0.0), v.dtype.type(1.0)
    for layer in range(layers):
        row = layout[layer]
        rows, columns = row[AT_OUT], row[AT_IN]
        z = at_s + item * row[AT_ZDOT]
        h = item * start * columns + (at_x if layer == 0 else at_c + item * row[AT_H])
        s = scale[layer]
        direction, w, step, flip = at_v + item * row[AT_V], weights[layer], columns, 1
        if row[AT_TURNED] >= 0:
            direction, w = at_s + item * row[AT_TURNED_V], at_c + item * row[AT_TURNED]
            step, flip = rows, 0
        call_gemm(gemm, flip, 0, rows, samples, columns, s, direction, step, h, columns, zero, z, rows)
        if layer > 0:
            h_dot = at_s + item * layout[layer - 1, AT_HDOT]
            call_gemm(gemm, flip, 0, rows, samples, columns, s, w, step, h_dot, columns, one, z, rows)
        z_dot = scratch[row[AT_ZDOT] : row[AT_ZDOT] + samples * rows]
        if row[AT_BIAS] >= 0:
            bias = v[row[AT_BIAS] : row[AT_BIAS] + rows]
            for first in range(0, z_dot.size, rows):
                add(z_dot[first : first + rows], one, bias)
        if layer < layers - 1:
            at_slope = row[AT_SLOPE] + start * rows
            slope = constants[at_slope : at_slope + samples * rows]
            if row[AT_HDOT] == row[AT_ZDOT]:
                times(z_dot, z_dot, slope)
            else:
                times(scratch[row[AT_HDOT] : row[AT_HDOT] + samples * rows], z_dot, slope)
    last = layout[layers - 1]
    n = samples * last[AT_OUT]
    u = scratch[last[AT_ZDOT] : last[AT_ZDOT] + n]
    at_p = last[AT_SLOPE] + start * last[AT_OUT]
    _curve(loss_ce, u, constants[at_p : at_p + n], last[AT_OUT], v.dtype.type(1.0 / total))
    kept = zero if start == 0 else one  # of what the samples before gave
    push = last[AT_ZDOT]  # where the signal is
    for layer in range(layers - 1, -1, -1):
        row = layout[layer]
        rows, columns = row[AT_OUT], row[AT_IN]
        s = scale[layer]
        signal = at_s + item * push
        if row[AT_BIAS] >= 0:
            bias = out[row[AT_BIAS] : row[AT_BIAS] + rows]
            if start == 0:
                bias[:] = zero
            for first in range(push, push + samples * rows, rows):
                add(bias, one, scratch[first : first + rows])
        h = item * start * columns + (at_x if layer == 0 else at_c + item * row[AT_H])
        grad = at_out + item * row[AT_V]
        call_gemm(gemm, 0, 1, columns, rows, samples, s, h, columns, signal, rows, kept, grad, columns)
        if layer == 0:
            return
        below = layout[layer - 1]
        pulled = layout[layers - 1, AT_HDOT] + (layer % 2) * room * _widest(layout)  # two places, by turns
        place = at_s + item * pulled
        call_gemm(gemm, 0, 0, columns, samples, rows, s, weights[layer], columns, signal, rows, zero, place, columns)
        if row[AT_DELTA] >= 0:
            delta, h_dot = at_c + item * (row[AT_DELTA] + start * rows), at_s + item * below[AT_HDOT]
            call_gemm(gemm, 0, 1, columns, rows, samples, s, h_dot, columns, delta, rows, one, grad, columns)
            direction = at_v + item * row[AT_V]
            call_gemm(gemm, 0, 0, columns, samples, rows, s, direction, columns, delta, rows, one, place, columns)
        n = samples * columns
        u = scratch[pulled : pulled + n]
        at_slope = below[AT_SLOPE] + start * columns
        times(u, u, constants[at_slope : at_slope + n])
        if below[AT_BEND] >= 0:
            z_dot = scratch[below[AT_ZDOT] : below[AT_ZDOT] + n]
            at_bend = below[AT_BEND] + start * columns
            bend = constants[at_bend : at_bend + n]
            for i in range(n):
                u[i] += bend[i] * z_dot[i]
        push = pulled


@njit(**STRICT)
def _widest(layout):
    most = 0
    for layer in range(layout.shape[0]):
        most = max(most, layout[layer, AT_IN])
    return most


@njit(**QUICK)
def product(layout, weights, scale, samples, piece, loss_ce, constants, x, v, out, scratch, gemm):
    """out ← A v of one lane; v and out [size], x [samples · inputs], constants and scratch by ``layout``.

    weights: addresses of the matrices, by layer. piece: how many samples are done at a time, so that they stay in the
    cache.
    """
    for layer in range(layout.shape[0]):
        row = layout[layer]
        if row[AT_TURNED] >= 0:
            n = row[AT_OUT] * row[AT_IN]
            turned = scratch[row[AT_TURNED_V] : row[AT_TURNED_V] + n]
            turn(turned, v[row[AT_V] : row[AT_V] + n], row[AT_OUT], row[AT_IN])
    for first in range(0, samples, piece):
        some = (first, min(piece, samples - first), samples, piece)
        _product_of(some, layout, weights, scale, loss_ce, constants, x, v, out, scratch, gemm)
