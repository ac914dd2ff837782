"""What all products of λ with one lane share, compiled: its forward pass, and the signals that are passed down.

The twin of `curvature.operators`' passes, written into one flat buffer where `fast.products` reads it. What belongs
to samples lies a piece of them after the other, as [units, samples] of each, a row every `tiles.stride` of a piece.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

from numba import carray

from mlrtui_trainer.fast.basics import pointer, quick
from mlrtui_trainer.fast.losses import softmax
from mlrtui_trainer.fast.pieces import activate, add_bias, pull
from mlrtui_trainer.fast.records import Extent, Piece, Rows, Strided
from mlrtui_trainer.fast.tiles import multiply, stride, transpose, whole

__all__ = [
    "AT_BEND",
    "AT_BIAS",
    "AT_DELTA",
    "AT_H",
    "AT_HDOT",
    "AT_IN",
    "AT_OUT",
    "AT_SLOPE",
    "AT_UNITS",
    "AT_V",
    "AT_ZDOT",
    "COLUMNS",
    "EDGE",
    "ROOM",
    "SPARE",
    "UNITS",
    "arrange",
    "fill",
]

# Columns of the layout, one row a weight layer; -1: not there.
AT_OUT, AT_IN = 0, 1
AT_V = 2  # in a vector: the layer's matrix
AT_BIAS = 3  # in a vector: its biases
AT_H = 4  # in the constants: inputs of the layer, [in, samples]
AT_UNITS = 5  # the same of all samples as [samples, in], a row every stride of the inputs
AT_SLOPE = 6  # φ' of the layer's hidden units, [out, samples]; of the last layer what the loss bends by
AT_DELTA = 7  # d loss / d z, [out, samples]; Hessian only
AT_BEND = 8  # φ'' times d loss / d h, [out, samples]; Hessian with a curved activation only
AT_ZDOT = 9  # in the scratch: ż
AT_HDOT = 10  # in the scratch: ḣ, in place of ż where that is not needed again; of the last layer two work places
COLUMNS = 11

# Places in the scratch that belong to no layer: ḣ as [samples, units]; last columns of a gradient; what losses take.
UNITS, EDGE, ROOM = 0, 1, 2
SPARE = 3


@quick
def arrange(layout, samples, piece, x, constants):
    """Write the inputs, x [samples · inputs], for all lanes."""
    item, inputs = constants.itemsize, layout[0, AT_IN]
    line, across = stride(piece, item), stride(inputs, item)
    at_c = constants.ctypes.data
    for first in range(0, samples, piece):
        some = min(piece, samples - first)
        transpose(x.ctypes.data + item * first * inputs, inputs, some, inputs,
                  at_c + item * (layout[0, AT_H] + first // piece * inputs * line), line, constants)  # fmt: skip
    units = layout[0, AT_UNITS]
    for s in range(samples):
        for i in range(inputs):
            constants[units + s * across + i] = x[s * inputs + i]


@quick
def _fill_piece(operator, signals, piece):
    """The forward pass of a piece of the samples; the largest size of its outputs."""
    layout, scale, constants, biases = operator.layout, operator.scale, operator.constants, signals.biases
    start, samples, activation = piece.start, piece.samples, signals.activation
    layers, item = layout.shape[0], constants.itemsize
    line, wide, number = stride(operator.piece, item), whole(samples, item), start // operator.piece
    at_c = constants.ctypes.data
    one = constants.dtype.type(1.0)
    last = layout[layers - 1]
    for layer in range(layers):
        row = layout[layer]
        out, fan_in = row[AT_OUT], row[AT_IN]
        at_h = row[AT_H] + number * fan_in * line
        at_z = number * out * line + (row[AT_SLOPE] if layer == layers - 1 else layout[layer + 1, AT_H])
        matrix = Strided(operator.weights[layer], fan_in, 1)
        h, z = Rows(at_c + item * at_h, line), Rows(at_c + item * at_z, line)
        multiply(operator.multiply, Extent(out, wide, fan_in), scale[layer], matrix, h, z, 0)
        if biases.size:
            add_bias(constants[at_z:], carray(pointer(biases[layer], constants), out), line, wide)
        if layer == layers - 1:
            break
        at_slope = row[AT_SLOPE] + number * out * line
        for o in range(out):
            hidden = constants[at_z + o * line : at_z + o * line + wide]
            slope = constants[at_slope + o * line : at_slope + o * line + wide]
            activate(hidden, activation)
            slope[:] = one
            pull(slope, hidden, activation)
        across = stride(out, item)
        transpose(at_c + item * at_z, line, out, samples,
                  at_c + item * (layout[layer + 1, AT_UNITS] + start * across), across, constants)  # fmt: skip
    outputs = last[AT_OUT]
    f = constants[last[AT_SLOPE] + number * outputs * line :]
    most = constants.dtype.type(0.0)
    for o in range(outputs):
        for s in range(o * line, o * line + samples):
            most = abs(f[s]) if abs(f[s]) > most else most
    if operator.loss_ce:
        softmax(f, line, samples, outputs, operator.scratch[operator.spare[ROOM] :])
    return most


@quick
def _pass_down(operator, y, piece):
    """The signals of a piece of the samples: d loss / d z of every layer, and what a curved activation makes of them.

    y [samples · outputs].
    """
    layout, scale, constants, scratch = operator.layout, operator.scale, operator.constants, operator.scratch
    start, samples = piece.start, piece.samples
    layers, item = layout.shape[0], constants.itemsize
    line, wide, number = stride(operator.piece, item), whole(samples, item), start // operator.piece
    at_c, at_s = constants.ctypes.data, scratch.ctypes.data
    one = constants.dtype.type(1.0)
    last = layout[layers - 1]
    outputs = last[AT_OUT]
    at_f = last[AT_SLOPE] + number * outputs * line
    at_delta = last[AT_ZDOT]  # of a net without hidden layers no product asks for it
    for o in range(outputs):
        for s in range(samples):
            f = constants[at_f + o * line + s]
            scratch[at_delta + o * line + s] = (f - y[(start + s) * outputs + o]) / operator.samples
    for layer in range(layers - 1, 0, -1):
        row, below = layout[layer], layout[layer - 1]
        out, fan_in = row[AT_OUT], row[AT_IN]
        at_kept = row[AT_DELTA] + number * out * line
        kept, delta = constants[at_kept : at_kept + out * line], scratch[at_delta : at_delta + out * line]
        for i in range(out * line):
            kept[i] = delta[i]
        if layer == 1 and below[AT_BEND] < 0:
            break  # nothing needs what would be passed down
        at_back, n, shift = below[AT_ZDOT], fan_in * line, number * fan_in * line
        turned = Strided(operator.weights[layer], 1, fan_in)
        signal, passed = Rows(at_c + item * at_kept, line), Rows(at_s + item * at_back, line)
        multiply(operator.multiply, Extent(fan_in, wide, out), scale[layer], turned, signal, passed, 0)
        back, slope = scratch[at_back : at_back + n], constants[below[AT_SLOPE] + shift :]
        if below[AT_BEND] >= 0:
            h, bend = constants[row[AT_H] + shift :], constants[below[AT_BEND] + shift :]
            for i in range(n):
                bend[i] = (h[i] * h[i] - one) * h[i] * (one + one) * back[i]
        for i in range(n):
            back[i] *= slope[i]
        at_delta = at_back


@quick
def fill(operator, signals):
    """Write one lane's constants beside the inputs, from its `Operator` and `Signals`; its largest output's size.

    The scratch is used.
    """
    most = operator.constants.dtype.type(0.0)
    for first in range(0, operator.samples, operator.piece):
        piece = Piece(first, min(operator.piece, operator.samples - first))
        largest = _fill_piece(operator, signals, piece)
        most = largest if largest > most else most
        if signals.full:
            _pass_down(operator, signals.y, piece)
    return most
