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
from mlrtui_trainer.fast.losses import MSE, NEITHER, centred_rms, count_right, lose, loss_alone, rms
from mlrtui_trainer.fast.pieces import RELU, activate, add_bias, add_sums, pull
from mlrtui_trainer.fast.records import (
    ACCURACY,
    CENTRED,
    DEAD,
    HIDDEN,
    LOSS,
    OUTPUTS,
    Data,
    Extent,
    Lane,
    Piece,
    Rows,
    Strided,
    Update,
)
from mlrtui_trainer.fast.tiles import ADDED, RECTIFIED, SET, add_outer, multiply, stride, transpose, whole

__all__ = ["evaluate", "train", "train_lane"]

# two signals; the inputs, [inputs, samples]; a layer's inputs as [samples, units]; the last columns of a gradient;
# working memory of losses; the gradient of one layer, for Adam
SIGNAL, INPUTS, UNITS, EDGE, ROOM, GRADIENT = 0, 2, 3, 4, 5, 6

WEIGHTS = 1 << 17
"""Bytes of matrices that are evaluated in turns, piece of samples by piece: they stay in the cache meanwhile."""

PART = 128
"""Samples of a piece that go through all layers at a time, for the same reason."""

SGD, MOMENTUM, ADAM = 0, 1, 2
ETA, BETA1, BETA2, EPS = 0, 1, 2, 3  # numbers of an optimizer; β of momentum is the first one


@quick
def _forward(net, weights, biases, places, part, line):
    """z of every layer into the scratch at its place, [out, samples]; hidden layers activated.

    part: `Piece`, the samples of a row that are taken; it begins at a whole vector.
    """
    shapes, scratch = net.shapes, net.scratch
    layers, item = shapes.shape[0], scratch.itemsize
    at_s, wide = scratch.ctypes.data, whole(part.samples, item)
    for layer in range(layers):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        h = at_s + item * (part.start + (places[layers + INPUTS] if layer == 0 else places[layer - 1]))
        first = part.start + places[layer]
        matrix, z = Strided(weights[layer], fan_in, 1), Rows(at_s + item * first, line)
        hidden = layer < layers - 1
        rectified = hidden and net.activation == RELU and biases.size == 0
        extent, how = Extent(out, wide, fan_in), RECTIFIED if rectified else SET
        multiply(net.multiply, extent, net.scale[layer], matrix, Rows(h, line), z, how)
        if biases.size:
            add_bias(scratch[first:], carray(pointer(biases[layer], scratch), out), line, wide)
        if hidden and not rectified:
            for o in range(out):
                activate(scratch[first + o * line : first + o * line + wide], net.activation)


@quick
def _is_dead(net, places, samples, line):
    """Whether every unit of the last hidden ReLU layer is zero on all samples."""
    layers = net.shapes.shape[0]
    if net.activation != RELU or layers == 1:
        return False
    first = places[layers - 2]
    for o in range(net.shapes[layers - 2, 0]):
        for s in range(first + o * line, first + o * line + samples):
            if not net.scratch[s] <= 0.0:
                return False
    return True


@quick
def _move(update, at_w, at_g, states, layer, size, rate, scratch):
    """Move numbers at an address by what their gradients at another, and what was remembered, ask for.

    update: `Update`. states [states, layers]: addresses of what is remembered. Of heavy-ball momentum that is what
    ``at_g`` points to.
    """
    inertia, step = update.inertia, update.step
    w, g = carray(pointer(at_w, scratch), size), carray(pointer(at_g, scratch), size)
    number = scratch.dtype.type
    by = number(-inertia[ETA]) * rate
    if update.optimizer == MOMENTUM:
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
def _descend(net, lane, update, at_x, samples, line):
    """One step in place, from the signal that lies where the outputs lay; by an `Update`.

    at_x: address of the inputs, [samples, inputs].
    """
    shapes, places, scale, rate, scratch = net.shapes, net.places, net.scale, net.rate, net.scratch
    weights, optimizer, states = lane.weights, update.optimizer, lane.states
    layers, item = shapes.shape[0], scratch.itemsize
    at_s, wide, one = scratch.ctypes.data, whole(samples, item), scratch.dtype.type(1.0)
    place, edge = places[layers + GRADIENT], scratch[places[layers + EDGE] :]
    push = places[layers - 1]
    for layer in range(layers - 1, -1, -1):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        delta = at_s + item * push
        back = places[layers + SIGNAL + layer % 2]
        if layer > 0:
            turned, passed = Strided(weights[layer], 1, fan_in), Rows(at_s + item * back, line)
            multiply(net.multiply, Extent(fan_in, wide, out), scale[layer], turned, Rows(delta, line), passed, SET)
        units, across = at_s + item * places[layers + UNITS], stride(fan_in, item)
        if layer > 0:
            transpose(at_s + item * places[layer - 1], line, fan_in, samples, units, across, scratch)
        elif fan_in == whole(fan_in, item):
            units, across = at_x, fan_in
        else:
            transpose(at_s + item * places[layers + INPUTS], line, fan_in, samples, units, across, scratch)
        for kind, there in enumerate((weights, lane.biases)):
            if there.size == 0 or (optimizer == SGD and rate[layer] == 0.0):
                continue
            size = out * fan_in if kind == 0 else out
            into, added, factor = there[layer], ADDED, rate[layer]
            if optimizer == MOMENTUM:
                into, factor = states[kind, 0, layer], one
                velocity = carray(pointer(into, scratch), size)
                for i in range(size):
                    velocity[i] *= scratch.dtype.type(update.inertia[BETA1])
            elif optimizer == ADAM:
                into, added, factor = at_s + item * place, SET, one
            if kind == 0:
                extent, signal = Extent(out, fan_in, samples), Rows(delta, line)
                add_outer(net.multiply, extent, factor * scale[layer], signal, Rows(units, across), into, added, edge)
            else:
                add_sums(into, added, factor, push, line, samples, out, scratch)
            if optimizer != SGD:
                _move(update, there[layer], into, states[kind], layer, size, rate[layer], scratch)
        if layer > 0:
            first = places[layer - 1]
            for i in range(fan_in):
                hidden = scratch[first + i * line : first + i * line + wide]
                pull(scratch[back + i * line : back + i * line + wide], hidden, net.activation)
            push = back


@quick
def train_lane(net, lane, rules, data, span, seen):
    """Steps of one lane; how many were taken: all, or up to the first whose loss is beyond the lane's limit.

    The arguments are records of `fast.records`. seen [steps, COLUMNS] is filled; losses and right answers are
    sums over samples.
    """
    shapes, places, scratch = net.shapes, net.places, net.scratch
    samples, full = span.samples, rules.full
    layers, inputs, outputs = shapes.shape[0], shapes[0, 1], data.y.shape[1]
    item = scratch.itemsize
    line = stride(samples, item)
    at_inputs = scratch.ctypes.data + item * places[layers + INPUTS]
    f, room = scratch[places[layers - 1] :], scratch[places[layers + ROOM] :]
    for k in range(span.steps):
        row = span.first if full else span.first + k * samples
        at_x = data.x.ctypes.data + item * row * inputs
        if k == 0 or not full:
            transpose(at_x, inputs, samples, inputs, at_inputs, line, scratch)
        _forward(net, lane.weights, lane.biases, places, Piece(0, samples), line)
        seen[k, OUTPUTS] = seen[k, CENTRED] = np.nan
        if k < span.watched:
            seen[k, OUTPUTS] = seen[k, CENTRED] = rms(f, line, samples, outputs)
            if rules.loss != MSE:
                seen[k, CENTRED] = centred_rms(f, line, samples, outputs)
        last = layers - 2  # the last hidden layer
        seen[k, HIDDEN] = rms(scratch[places[last] :], line, samples, shapes[last, 0]) if last >= 0 else 1.0
        seen[k, ACCURACY] = seen[k, DEAD] = np.nan
        own_y, own_labels = data.y[row : row + samples], data.labels[row : row + samples]
        if full:
            known = rules.kind != NEITHER
            seen[k, ACCURACY] = count_right(f, line, own_y, own_labels, rules.kind, room) if known else np.nan
            seen[k, DEAD] = 1.0 if _is_dead(net, places, samples, line) else 0.0
        seen[k, LOSS] = lose(f, line, own_y, own_labels, rules.loss, lane.factor, room)
        if not seen[k, LOSS] <= lane.limit:
            return k + 1
        update = Update(rules.optimizer, lane.inertia, span.before + k + 1)
        _descend(net, lane, update, at_x, samples, line)
    return span.steps


@quick
def train(net, lanes, rules, data, span, seen):
    """`train_lane` of every lane, one after the other; see `records.Lanes`. seen [lanes, steps, COLUMNS]."""
    for i in range(lanes.slots.size):
        states, slot = lanes.states[i], lanes.slots[i]
        lane = Lane(lanes.weights[i], lanes.biases[i], states, lanes.inertia[i], lanes.factor[i], lanes.limit[i])
        train_lane(net, lane, rules, Data(data.x[slot], data.y[slot], data.labels[slot]), span, seen[i])


@quick
def evaluate(net, weights, biases, rules, data, piece, seen):
    """Sums of losses and of right answers over all samples, and deadness, ``piece`` at a time; seen [lanes, COLUMNS].

    net, rules, data: records of `fast.records`. weights, biases: addresses, [lanes, layers]. Layers take turns in two
    places of the scratch.
    """
    scratch, places, x, y, labels = net.scratch, net.places, data.x, data.y, data.labels
    count = y.shape[0]
    layers, inputs, item = net.shapes.shape[0], net.shapes[0, 1], scratch.itemsize
    line = stride(piece, item)
    turns = places.copy()
    for layer in range(layers):
        turns[layer] = places[layers + SIGNAL + layer % 2]
    f, room = scratch[turns[layers - 1] :], scratch[places[layers + ROOM] :]
    lanes, size = seen.shape[0], 0
    for layer in range(layers):
        size += net.shapes[layer, 0] * net.shapes[layer, 1] * item
    turn = max(WEIGHTS // size, 1)
    seen[:, LOSS] = 0.0
    seen[:, ACCURACY] = np.nan if rules.kind == NEITHER else 0.0
    seen[:, DEAD] = 1.0
    for start in range(0, lanes, turn):
        for first in range(0, count, piece):
            last = min(first + piece, count)
            samples, own_y, own_labels = last - first, y[first:last], labels[first:last]
            transpose(x.ctypes.data + item * first * inputs, inputs, samples, inputs,
                      scratch.ctypes.data + item * places[layers + INPUTS], line, scratch)  # fmt: skip
            for i in range(start, min(start + turn, lanes)):
                for begin in range(0, samples, PART):
                    _forward(net, weights[i], biases[i], turns, Piece(begin, min(PART, samples - begin)), line)
                if rules.kind != NEITHER:
                    seen[i, ACCURACY] += count_right(f, line, own_y, own_labels, rules.kind, room)
                if not _is_dead(net, turns, samples, line):
                    seen[i, DEAD] = 0.0
                seen[i, LOSS] += loss_alone(f, line, own_y, own_labels, rules.loss, room)
