"""Training compiled: many steps of one fully connected net in one call, and its evaluation.

The twin of `models.mlp` and `optimizers`, with the lane's own weights in place. One compilation serves every
architecture.

Activations and signals lie as [units, samples], a row every `stride` of the samples, so that both products of a net
take matrices as they are stored, [out, in], and samples by vectors. What lies behind the last sample of a row is never
read into another one. Of activations a copy as [samples, units] is made where a gradient is formed.

The scratch holds, each at its place: z of every layer; then, counted from the last layer, what SIGNAL to GRADIENT name.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np
from numba import carray

from mlrtui_trainer.fast.basics import pointer, quick
from mlrtui_trainer.fast.losses import MSE, NEITHER, centred_rms, count_right, lose, rms
from mlrtui_trainer.fast.pieces import RELU, activate, add_bias, add_sums, pull
from mlrtui_trainer.fast.tiles import add_outer, multiply, stride, transpose, whole

__all__ = ["CENTRED", "COLUMNS", "DEAD", "HIDDEN", "LOSS", "RIGHT", "RMS", "evaluate", "train"]

# columns of what a step leaves, as `evaluation.step_numbers` has them, losses and right answers as sums over samples
LOSS, RIGHT, DEAD, RMS, CENTRED, HIDDEN = 0, 1, 2, 3, 4, 5
COLUMNS = 6

# two signals; the inputs, [inputs, samples]; a layer's inputs as [samples, units]; the last columns of a gradient;
# working memory of losses; the gradient of one layer, for Adam
SIGNAL, INPUTS, UNITS, EDGE, ROOM, GRADIENT = 0, 2, 3, 4, 5, 6

SGD, MOMENTUM, ADAM = 0, 1, 2
ETA, BETA1, BETA2, EPS = 0, 1, 2, 3  # numbers of an optimizer; β of momentum is the first one


@quick
def _forward(shapes, weights, biases, scale, places, activation, samples, line, scratch, address):
    """z of every layer into the scratch at its place, [out, samples]; hidden layers activated."""
    layers, item = shapes.shape[0], scratch.itemsize
    at_s, wide = scratch.ctypes.data, whole(samples, item)
    for layer in range(layers):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        h = at_s + item * (places[layers + INPUTS] if layer == 0 else places[layer - 1])
        first = places[layer]
        multiply(
            address, out, wide, fan_in, scale[layer], weights[layer], fan_in, 1, h, line, at_s + item * first, line, 0
        )
        if biases.size:
            add_bias(scratch[first:], carray(pointer(biases[layer], scratch), out), line, wide)
        if layer < layers - 1:
            for o in range(out):
                activate(scratch[first + o * line : first + o * line + wide], activation)


@quick
def _is_dead(shapes, places, activation, samples, line, scratch):
    """Whether every unit of the last hidden ReLU layer is zero on all samples."""
    layers = shapes.shape[0]
    if activation != RELU or layers == 1:
        return False
    first = places[layers - 2]
    for o in range(shapes[layers - 2, 0]):
        for s in range(first + o * line, first + o * line + samples):
            if not scratch[s] <= 0.0:
                return False
    return True


@quick
def _move(optimizer, at_w, at_g, states, layer, size, rate, inertia, step, scratch):
    """Move numbers at an address by what their gradients at another, and what was remembered, ask for.

    states [states, layers]: addresses of what is remembered. Of heavy-ball momentum that is what ``at_g`` points to.
    """
    w, g = carray(pointer(at_w, scratch), size), carray(pointer(at_g, scratch), size)
    number = scratch.dtype.type
    by = number(-inertia[ETA]) * rate
    if optimizer == MOMENTUM:
        for i in range(size):
            w[i] += by * g[i]
        return
    mean = carray(pointer(states[0, layer], scratch), size)
    square = carray(pointer(states[1, layer], scratch), size)
    beta1, beta2, eps = number(inertia[BETA1]), number(inertia[BETA2]), number(inertia[EPS])
    fresh1, fresh2 = number(1.0 - inertia[BETA1]), number(1.0 - inertia[BETA2])
    whole1 = number(1.0 - inertia[BETA1] ** step)
    whole2 = number(np.sqrt(1.0 - inertia[BETA2] ** step))
    for i in range(size):
        mean[i] = beta1 * mean[i] + fresh1 * g[i]
        square[i] = beta2 * square[i] + fresh2 * (g[i] * g[i])
        w[i] += by * (mean[i] / whole1) / (np.sqrt(square[i]) / whole2 + eps)


@quick
def _descend(
    shapes, weights, biases, scale, rate, places, activation, samples, line, at_x, optimizer, states, inertia, step,
    scratch, address,
):  # fmt: skip
    """One step in place, from the signal that lies where the outputs lay; ``step`` counts from 1.

    at_x: the inputs, [samples, inputs]. states [2, states, layers]: addresses of what an optimizer remembers of
    matrices and of biases. inertia [4]: its numbers, in double: 1 - β loses half of its digits in single precision.
    """
    layers, item = shapes.shape[0], scratch.itemsize
    at_s, wide, one = scratch.ctypes.data, whole(samples, item), scratch.dtype.type(1.0)
    place, edge = places[layers + GRADIENT], places[layers + EDGE]
    push = places[layers - 1]
    for layer in range(layers - 1, -1, -1):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        delta = at_s + item * push
        back = places[layers + SIGNAL + layer % 2]
        if layer > 0:
            multiply(address, fan_in, wide, out, scale[layer], weights[layer], 1, fan_in, delta, line,
                     at_s + item * back, line, 0)  # fmt: skip
        units, across = at_s + item * places[layers + UNITS], stride(fan_in, item)
        if layer > 0:
            transpose(at_s + item * places[layer - 1], line, fan_in, samples, units, across, scratch)
        elif fan_in == whole(fan_in, item):
            units, across = at_x, fan_in
        else:
            transpose(at_s + item * places[layers + INPUTS], line, fan_in, samples, units, across, scratch)
        for kind, there in enumerate((weights, biases)):
            if there.size == 0 or (optimizer == SGD and rate[layer] == 0.0):
                continue
            size = out * fan_in if kind == 0 else out
            into, added, factor = there[layer], 1, rate[layer]
            if optimizer == MOMENTUM:
                into, factor = states[kind, 0, layer], one
                velocity = carray(pointer(into, scratch), size)
                for i in range(size):
                    velocity[i] *= scratch.dtype.type(inertia[BETA1])
            elif optimizer == ADAM:
                into, added, factor = at_s + item * place, 0, one
            if kind == 0:
                add_outer(into, added, factor * scale[layer], delta, line, units, across, samples, out, fan_in, edge,
                          scratch, address)  # fmt: skip
            else:
                add_sums(into, added, factor, push, line, samples, out, scratch)
            if optimizer != SGD:
                _move(optimizer, there[layer], into, states[kind], layer, size, rate[layer], inertia, step, scratch)
        if layer > 0:
            first = places[layer - 1]
            for i in range(fan_in):
                hidden = scratch[first + i * line : first + i * line + wide]
                pull(scratch[back + i * line : back + i * line + wide], hidden, activation)
            push = back


@quick
def train(
    shapes, weights, biases, scale, rate, places, rules, x, y, labels, span, factor, states, inertia, limit, seen,
    scratch, address,
):  # fmt: skip
    """Steps of one lane; how many were taken: all, or up to the first whose loss is beyond the limit.

    weights, biases: addresses of the lane's matrices, by layer. rules: activation, loss, kind of the data, optimizer,
    whether all samples are in a batch. span: first row, samples a batch, steps, steps whose outputs' sizes are wanted,
    and how many steps were taken before. factor: what the samples' gradients are multiplied by, -η/batch or 1/batch.
    states, inertia: see `_descend`. limit: of the sum of a step's losses. x [rows · inputs], y [rows, outputs], labels
    [rows]. seen [steps, COLUMNS] is filled.
    """
    activation, loss, kind, optimizer, full = rules
    first, samples, count, watched, before = span
    layers, inputs, outputs = shapes.shape[0], shapes[0, 1], y.shape[1]
    item = scratch.itemsize
    line = stride(samples, item)
    at_inputs = scratch.ctypes.data + item * places[layers + INPUTS]
    f, room = scratch[places[layers - 1] :], scratch[places[layers + ROOM] :]
    for k in range(count):
        row = first if full else first + k * samples
        at_x = x.ctypes.data + item * row * inputs
        if k == 0 or not full:
            transpose(at_x, inputs, samples, inputs, at_inputs, line, scratch)
        _forward(shapes, weights, biases, scale, places, activation, samples, line, scratch, address)
        seen[k, RMS] = seen[k, CENTRED] = np.nan
        if k < watched:
            seen[k, RMS] = seen[k, CENTRED] = rms(f, line, samples, outputs)
            if loss != MSE:
                seen[k, CENTRED] = centred_rms(f, line, samples, outputs)
        last = layers - 2  # the last hidden layer
        seen[k, HIDDEN] = rms(scratch[places[last] :], line, samples, shapes[last, 0]) if last >= 0 else 1.0
        seen[k, RIGHT] = seen[k, DEAD] = np.nan
        own_y, own_labels = y[row : row + samples], labels[row : row + samples]
        if full:
            seen[k, RIGHT] = np.nan if kind == NEITHER else count_right(f, line, own_y, own_labels, kind, room)
            seen[k, DEAD] = 1.0 if _is_dead(shapes, places, activation, samples, line, scratch) else 0.0
        seen[k, LOSS] = lose(f, line, own_y, own_labels, loss, factor, room)
        if not seen[k, LOSS] <= limit:
            return k + 1
        _descend(shapes, weights, biases, scale, rate, places, activation, samples, line, at_x, optimizer, states,
                 inertia, before + k + 1, scratch, address)  # fmt: skip
    return count


@quick
def evaluate(shapes, weights, biases, scale, places, rules, x, y, labels, piece, seen, scratch, address):
    """Losses, right answers and deadness of lanes over all samples, ``piece`` at a time, into seen [lanes, COLUMNS].

    weights, biases: addresses, [lanes, layers]. Layers take turns in two places of the scratch.
    """
    activation, loss, kind, _, _ = rules
    count = y.shape[0]
    layers, inputs, item = shapes.shape[0], shapes[0, 1], scratch.itemsize
    line = stride(piece, item)
    turns = places.copy()
    for layer in range(layers):
        turns[layer] = places[layers + SIGNAL + layer % 2]
    f, room = scratch[turns[layers - 1] :], scratch[places[layers + ROOM] :]
    lanes = seen.shape[0]
    seen[:, LOSS] = 0.0
    seen[:, RIGHT] = np.nan if kind == NEITHER else 0.0
    seen[:, DEAD] = 1.0
    for first in range(0, count, piece):
        last = min(first + piece, count)
        samples = last - first
        transpose(x.ctypes.data + item * first * inputs, inputs, samples, inputs,
                  scratch.ctypes.data + item * places[layers + INPUTS], line, scratch)  # fmt: skip
        for i in range(lanes):
            _forward(shapes, weights[i], biases[i], scale, turns, activation, samples, line, scratch, address)
            if kind != NEITHER:
                seen[i, RIGHT] += count_right(f, line, y[first:last], labels[first:last], kind, room)
            if not _is_dead(shapes, turns, activation, samples, line, scratch):
                seen[i, DEAD] = 0.0
            seen[i, LOSS] += lose(f, line, y[first:last], labels[first:last], loss, scratch.dtype.type(0.0), room)
