"""Products of λ's operators with one lane's vector, compiled: forward and backward pass of the derivative.

The twin of `curvature.operators`, in flat buffers and integer offsets, so that one compilation serves every
architecture; samples lie as `fast.constants` has them.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

from mlrtui_trainer.fast.basics import quick, strict
from mlrtui_trainer.fast.constants import (
    AT_BEND,
    AT_BIAS,
    AT_DELTA,
    AT_H,
    AT_HDOT,
    AT_IN,
    AT_OUT,
    AT_SLOPE,
    AT_UNITS,
    AT_V,
    AT_ZDOT,
    EDGE,
    ROOM,
    UNITS,
)
from mlrtui_trainer.fast.pieces import add_bias, add_sums, times
from mlrtui_trainer.fast.records import Extent, Piece, Rows, Strided
from mlrtui_trainer.fast.tiles import add_outer, multiply, stride, transpose, whole

__all__ = ["product"]


@quick
def _curve(loss_ce, u, p, line, samples, outputs, factor, room):
    """u ← factor · H u, with H of the loss by the outputs; p are the probabilities under ce. room [3 rows]."""
    if not loss_ce:
        for i in range(outputs * line):
            u[i] *= factor
        return
    top, moved, total = room[:samples], room[line : line + samples], room[2 * line : 2 * line + samples]
    zero = u.dtype.type(0.0)
    top[:], moved[:], total[:] = -u.dtype.type(1.0), zero, zero
    for o in range(outputs):
        row, chance = u[o * line : o * line + samples], p[o * line : o * line + samples]
        for s in range(samples):  # the derivative of the likeliest output, which all others count from
            moved[s] = row[s] if chance[s] > top[s] else moved[s]
            top[s] = chance[s] if chance[s] > top[s] else top[s]
    for o in range(outputs):
        row, chance = u[o * line : o * line + samples], p[o * line : o * line + samples]
        for s in range(samples):
            row[s] = chance[s] * (row[s] - moved[s])
            total[s] += row[s]
    for o in range(outputs):
        row, chance = u[o * line : o * line + samples], p[o * line : o * line + samples]
        for s in range(samples):
            row[s] = factor * (row[s] - chance[s] * total[s])


@quick
def _forward(operator, piece, v):
    """The outputs' derivative along the vector for a piece of the samples; ż and ḣ into the scratch."""
    layout, scale, constants, scratch = operator.layout, operator.scale, operator.constants, operator.scratch
    layers, item = layout.shape[0], v.itemsize
    line, wide, number = stride(operator.piece, item), whole(piece.samples, item), piece.start // operator.piece
    at_v, at_c, at_s = v.ctypes.data, constants.ctypes.data, scratch.ctypes.data
    for layer in range(layers):
        row = layout[layer]
        out, fan_in = row[AT_OUT], row[AT_IN]
        n, extent = out * line, Extent(out, wide, fan_in)
        z, h = Rows(at_s + item * row[AT_ZDOT], line), Rows(at_c + item * (row[AT_H] + number * fan_in * line), line)
        own = Strided(at_v + item * row[AT_V], fan_in, 1)  # the vector's part that belongs to this layer
        multiply(operator.multiply, extent, scale[layer], own, h, z, 0)
        if layer > 0:
            h_dot = Rows(at_s + item * layout[layer - 1, AT_HDOT], line)
            matrix = Strided(operator.weights[layer], fan_in, 1)
            multiply(operator.multiply, extent, scale[layer], matrix, h_dot, z, 1)
        z_dot = scratch[row[AT_ZDOT] : row[AT_ZDOT] + n]
        if row[AT_BIAS] >= 0:
            add_bias(z_dot, v[row[AT_BIAS] : row[AT_BIAS] + out], line, wide)
        if layer < layers - 1:
            at_slope = row[AT_SLOPE] + number * n
            slope = constants[at_slope : at_slope + n]
            if row[AT_HDOT] == row[AT_ZDOT]:
                times(z_dot, z_dot, slope)
            else:
                times(scratch[row[AT_HDOT] : row[AT_HDOT] + n], z_dot, slope)


@quick
def _product_of(operator, piece, v, out):
    """What a piece of the samples gives to the product; the first one begins it."""
    layout, scale, constants, scratch = operator.layout, operator.scale, operator.constants, operator.scratch
    start, samples, by = piece.start, piece.samples, operator.multiply
    layers, item = layout.shape[0], v.itemsize
    line, wide, number = stride(operator.piece, item), whole(samples, item), start // operator.piece
    at_v, at_out, at_c, at_s = v.ctypes.data, out.ctypes.data, constants.ctypes.data, scratch.ctypes.data
    one, mean = v.dtype.type(1.0), v.dtype.type(1.0 / operator.samples)
    _forward(operator, piece, v)
    last, edge = layout[layers - 1], scratch[operator.spare[EDGE] :]
    push = last[AT_ZDOT]  # where the signal is
    p = constants[last[AT_SLOPE] + number * last[AT_OUT] * line :]
    _curve(operator.loss_ce, scratch[push:], p, line, samples, last[AT_OUT], mean, scratch[operator.spare[ROOM] :])
    kept = 0 if start == 0 else 1  # whether to add to what the samples before gave
    for layer in range(layers - 1, -1, -1):
        row = layout[layer]
        rows, columns = row[AT_OUT], row[AT_IN]
        s, across = scale[layer], stride(columns, item)
        signal, gradient = Rows(at_s + item * push, line), Extent(rows, columns, samples)
        if row[AT_BIAS] >= 0:
            add_sums(at_out + item * row[AT_BIAS], kept, one, push, line, samples, rows, scratch)
        units = Rows(at_c + item * (row[AT_UNITS] + start * across), across)
        grad = at_out + item * row[AT_V]
        add_outer(by, gradient, s, signal, units, grad, kept, edge)
        if layer == 0:
            return
        below, n, extent = layout[layer - 1], columns * line, Extent(columns, wide, rows)
        pulled = last[AT_HDOT] + (layer % 2) * _widest(layout) * line  # two places, by turns
        place = Rows(at_s + item * pulled, line)
        multiply(by, extent, s, Strided(operator.weights[layer], 1, columns), signal, place, 0)
        if row[AT_DELTA] >= 0:
            delta = Rows(at_c + item * (row[AT_DELTA] + number * rows * line), line)
            turned = Rows(at_s + item * operator.spare[UNITS], across)
            transpose(at_s + item * below[AT_HDOT], line, columns, samples, turned.at, across, scratch)
            add_outer(by, gradient, s, delta, turned, grad, 1, edge)
            multiply(by, extent, s, Strided(at_v + item * row[AT_V], 1, columns), delta, place, 1)
        u = scratch[pulled : pulled + n]
        at_slope = below[AT_SLOPE] + number * n
        times(u, u, constants[at_slope : at_slope + n])
        if below[AT_BEND] >= 0:
            z_dot = scratch[below[AT_ZDOT] : below[AT_ZDOT] + n]
            at_bend = below[AT_BEND] + number * n
            bend = constants[at_bend : at_bend + n]
            for i in range(n):
                u[i] += bend[i] * z_dot[i]
        push = pulled


@strict
def _widest(layout):
    most = 0
    for layer in range(layout.shape[0]):
        most = max(most, layout[layer, AT_IN], layout[layer, AT_OUT])
    return most


@quick
def product(operator, v, out):
    """out ← A v of one lane's `Operator`; v and out [size]."""
    for first in range(0, operator.samples, operator.piece):
        _product_of(operator, Piece(first, min(operator.piece, operator.samples - first)), v, out)
