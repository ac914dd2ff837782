"""The kernel: a program trains one lane for many steps, or evaluates it, see `decisions/0020`.

The twin of `models.mlp` and `optimizers`. Weights stay where they are and are changed in place. Hidden layers and
signals are in a scratch of the program's own, which the caches of the device hold; sums are in registers. A layer's
products are tiles of `rows` samples or `columns` inputs by all of its units, whose terms are loaded some at a time.

Every thread of a program sees what the others stored after a barrier, and there is one wherever it needs that. Nothing
here depends on other lanes: a lane's bits are the same whatever runs beside it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import triton
import triton.language as tl

from mlrtui_trainer.fast import records as numbers
from mlrtui_trainer.kernels import records

__all__ = ["train"]

COLUMNS, LOSS = tl.constexpr(numbers.COLUMNS), tl.constexpr(numbers.LOSS)
ACCURACY, DEAD = tl.constexpr(numbers.ACCURACY), tl.constexpr(numbers.DEAD)
OUTPUTS, CENTRED, HIDDEN = (tl.constexpr(n) for n in (numbers.OUTPUTS, numbers.CENTRED, numbers.HIDDEN))
PARTS = tl.constexpr(records.PARTS)
BATCHES, FULL, EVALUATE = (tl.constexpr(n) for n in (records.BATCHES, records.FULL, records.EVALUATE))
RELU, TANH = tl.constexpr(records.ACTIVATIONS.index("relu")), tl.constexpr(records.ACTIVATIONS.index("tanh"))
CE = tl.constexpr(records.LOSSES.index("ce"))
CLASSES, SIGN = tl.constexpr(records.KINDS.index("classes")), tl.constexpr(records.KINDS.index("sign"))
SGD, MOMENTUM = tl.constexpr(records.OPTIMIZERS.index("sgd")), tl.constexpr(records.OPTIMIZERS.index("momentum"))


@triton.jit
def _place(lanes, part, layer, work, count: tl.constexpr):
    """Where a layer's matrix (part 0), bias (1) or what is remembered of them (2, 3, …) is in memory.

    count: its numbers in one lane; where they are a multiple of four, every lane's start on a boundary of 16 bytes.
    """
    at = tl.load(lanes.places + (tl.program_id(0) * PARTS + part) * work.layers + layer).to(tl.pointer_type(tl.float32))
    if count % 4 == 0:
        at = tl.multiple_of(at, 16)
    return at


@triton.jit
def _tanh(z):
    """tanh z to a rounding or two: Cephes' polynomial near zero, where 1 - 2/(e²ᶻ + 1) has lost its digits."""
    a = tl.abs(z)
    far = 1.0 - 2.0 / (tl.exp(2.0 * a) + 1.0)
    s = z * z
    p = -5.70498872745e-3
    p = p * s + 2.06390887954e-2
    p = p * s - 5.37397155531e-2
    p = p * s + 1.33314422036e-1
    p = p * s - 3.33332819422e-1
    near = p * s * z + z
    return tl.where(a < 0.625, near, tl.where(z < 0.0, -far, far))


@triton.jit
def _activated(z, FORM: tl.constexpr):
    """φ(z); a NaN stays one."""
    if FORM.activation == RELU:
        z = tl.where(z < 0.0, 0.0, z)
    if FORM.activation == TANH:
        z = _tanh(z)
    return z


@triton.jit
def _pulled(back, h, FORM: tl.constexpr):
    """back · φ'(z), by h = φ(z)."""
    if FORM.activation == RELU:
        back = tl.where(h <= 0.0, 0.0, back)
    if FORM.activation == TANH:
        back = (1.0 - h * h) * back
    return back


@triton.jit
def _sums(h, ok, layer, lanes, work, FIRST: tl.constexpr, LAST: tl.constexpr, FORM: tl.constexpr):
    """z of a layer for a tile of samples, [rows, units or classes].

    h: where the tile's first row is; ok [rows]: which rows are samples of the batch.
    """
    fan_in: tl.constexpr = FORM.inputs if FIRST else FORM.width
    out: tl.constexpr = FORM.outputs if LAST else FORM.width
    wide: tl.constexpr = FORM.classes if LAST else FORM.units
    stride: tl.constexpr = FORM.inputs if FIRST else FORM.units
    rows: tl.constexpr = FORM.rows
    w = _place(lanes, 0, layer, work, out * fan_in)
    r, o = tl.arange(0, rows), tl.arange(0, wide)
    z = tl.zeros((rows, wide), tl.float32)
    for start in range(0, fan_in, FORM.terms):
        i = start + tl.arange(0, FORM.terms)
        if FIRST:
            a = tl.load(h + r[:, None] * stride + i[None, :], mask=ok[:, None] & (i < fan_in)[None, :], other=0.0)
        else:
            a = tl.load(h + r[:, None] * stride + i[None, :])
        b = tl.load(w + o[None, :] * fan_in + i[:, None], mask=(o < out)[None, :] & (i < fan_in)[:, None], other=0.0)
        z = tl.dot(a, b, z, input_precision="ieee")
    z *= tl.load(work.scales + 2 * layer)
    if FORM.bias:
        z += tl.load(_place(lanes, 1, layer, work, out) + o, mask=o < out, other=0.0)[None, :]
    return z


@triton.jit
def _hidden(h, into, layer, samples, lanes, work, FIRST: tl.constexpr, FORM: tl.constexpr):
    """A hidden layer of all samples, from the layer below."""
    stride: tl.constexpr = FORM.inputs if FIRST else FORM.units
    r, o = tl.arange(0, FORM.rows), tl.arange(0, FORM.units)
    for start in range(0, samples, FORM.rows):
        ok = start + r < samples
        z = _sums(h + start * stride, ok, layer, lanes, work, FIRST, False, FORM)
        tl.store(into + (start + r)[:, None] * FORM.units + o[None, :], _activated(z, FORM))
    tl.debug_barrier()


@triton.jit
def _lose(f, rows, own, FORM: tl.constexpr):
    """Of a tile: losses [rows], whether answers are wrong [rows], and d loss / d f [rows, classes].

    own: the batch's y and labels, and how many samples it has.
    """
    y, labels, samples = own
    c = tl.arange(0, FORM.classes)
    ok = (rows < samples)[:, None] & (c < FORM.outputs)[None, :]
    target = tl.load(y + rows[:, None] * FORM.outputs + c[None, :], mask=ok, other=0.0)
    label = tl.load(labels + rows, mask=rows < samples, other=0).to(tl.int32)
    right = tl.sum(tl.where(c[None, :] == label[:, None], f, 0.0), axis=1)
    if FORM.loss == CE:
        known = tl.where((c < FORM.outputs)[None, :], f, float("-inf"))
        top = tl.max(known, axis=1)
        e = tl.exp(known - top[:, None])
        whole = tl.sum(e, axis=1)
        losses = tl.log(whole) - (right - top)
        signal = e / whole[:, None] - target
    else:
        signal = tl.where(ok, f - target, 0.0)
        losses = 0.5 * tl.sum(signal * signal, axis=1)
    bad = tl.abs(f) < float("inf")
    bad = bad == 0
    if FORM.kind == CLASSES:  # a class before the right one wins a tie
        bad = bad | (f > right[:, None]) | ((f == right[:, None]) & (c[None, :] < label[:, None]))
    if FORM.kind == SIGN:
        bad = bad | (tl.where(f > 0.0, 1.0, tl.where(f < 0.0, -1.0, 0.0)) != target)
    wrong = tl.max(tl.where(ok & bad, 1.0, 0.0), axis=1)
    return losses, wrong, tl.where(ok, signal, 0.0)


@triton.jit
def _output(h, into, own, how, lanes, work, FORM: tl.constexpr):
    """The last layer of all samples: the signal times ``how``'s factor, and sums over samples of the step's numbers.

    own: the batch's y and labels, and how many samples it has. how: what signals are multiplied by, and whether the
    outputs' sizes are wanted. The sums: losses, right answers, units that are not dead, squares of outputs, of outputs
    less their mean over classes, of the last hidden layer.
    """
    samples = own[2]
    first: tl.constexpr = FORM.hidden == 0
    stride: tl.constexpr = FORM.inputs if FORM.hidden == 0 else FORM.units
    r, c, o = tl.arange(0, FORM.rows), tl.arange(0, FORM.classes), tl.arange(0, FORM.units)
    rows: tl.constexpr = FORM.rows
    losses, inner = tl.zeros((rows,), tl.float64), tl.zeros((rows,), tl.float64)
    size, spread = tl.zeros((rows,), tl.float64), tl.zeros((rows,), tl.float64)
    right, alive = tl.zeros((rows,), tl.float32), tl.zeros((rows,), tl.float32)
    for start in range(0, samples, FORM.rows):
        ok = start + r < samples
        f = _sums(h + start * stride, ok, work.layers - 1, lanes, work, first, True, FORM)
        own_losses, wrong, signal = _lose(f, start + r, own, FORM)
        losses += tl.where(ok, own_losses, 0.0).to(tl.float64)
        right += tl.where(ok, 1.0 - wrong, 0.0)
        if FORM.mode != EVALUATE:
            tl.store(into + (start + r)[:, None] * FORM.classes + c[None, :], signal * how[0])
        if FORM.hidden:
            last = tl.load(h + (start + r)[:, None] * FORM.units + o[None, :])
            last = tl.where(ok[:, None], last, 0.0)
            inner += tl.sum(last * last, axis=1).to(tl.float64)
            alive += tl.sum(tl.where(last <= 0.0, 0.0, 1.0), axis=1)
        if how[1]:
            seen = tl.where(ok[:, None] & (c < FORM.outputs)[None, :], f, 0.0).to(tl.float64)
            mean = tl.sum(seen, axis=1) / FORM.outputs
            centred = tl.where((c < FORM.outputs)[None, :], seen - mean[:, None], 0.0)
            size += tl.sum(seen * seen, axis=1)
            spread += tl.sum(centred * centred, axis=1)
    tl.debug_barrier()
    return tl.sum(losses), tl.sum(right), tl.sum(alive), tl.sum(size), tl.sum(spread), tl.sum(inner)


@triton.jit
def _back(at, layer, samples, lanes, work, LAST: tl.constexpr, FORM: tl.constexpr):
    """The signal below a layer. at: where the signal is, where it goes, and the hidden layer below."""
    delta, into, h = at
    out: tl.constexpr = FORM.outputs if LAST else FORM.width
    wide: tl.constexpr = FORM.classes if LAST else FORM.units
    terms: tl.constexpr = min(FORM.terms, wide)
    rows: tl.constexpr = FORM.rows
    units: tl.constexpr = FORM.units
    w = _place(lanes, 0, layer, work, out * FORM.width)
    scale = tl.load(work.scales + 2 * layer)
    r, i = tl.arange(0, FORM.rows), tl.arange(0, FORM.units)
    for start in range(0, samples, FORM.rows):
        back = tl.zeros((rows, units), tl.float32)
        for first in range(0, wide, terms):
            o = first + tl.arange(0, terms)
            a = tl.load(delta + (start + r)[:, None] * wide + o[None, :])
            some = (o < out)[:, None] & (i < FORM.width)[None, :]
            b = tl.load(w + o[:, None] * FORM.width + i[None, :], mask=some, other=0.0)
            back = tl.dot(a, b, back, input_precision="ieee")
        there = (start + r)[:, None] * FORM.units + i[None, :]
        tl.store(into + there, _pulled(back * scale, tl.load(h + there), FORM))
    tl.debug_barrier()


@triton.jit
def _move(at, where, g, how, lanes, work, FORM: tl.constexpr):
    """Move parameters by their gradients. at: which part of which layer; where: their places in it, which are real,
    and how many there are in one lane.

    how: by what they move, Adam's corrections of the mean and of the root of the square. Of gradient descent g is the
    movement itself.
    """
    part, layer = at
    places, ok, count = where
    rate = tl.load(work.scales + 2 * layer + 1)
    w = _place(lanes, part, layer, work, count) + places
    step = g
    if FORM.optimizer == MOMENTUM:
        memory = _place(lanes, part + 2, layer, work, count) + places
        step = tl.load(work.settings) * tl.load(memory, mask=ok, other=0.0) + g
        tl.store(memory, step, mask=ok)
    elif FORM.optimizer != SGD:
        memory = _place(lanes, part + 2, layer, work, count) + places
        mean = tl.load(work.settings) * tl.load(memory, mask=ok, other=0.0) + tl.load(work.settings + 3) * g
        tl.store(memory, mean, mask=ok)
        memory = _place(lanes, part + 4, layer, work, count) + places
        square = tl.load(work.settings + 1) * tl.load(memory, mask=ok, other=0.0) + tl.load(work.settings + 4) * (g * g)
        tl.store(memory, square, mask=ok)
        step = (mean / how[1]) / (tl.sqrt_rn(square) / how[2] + tl.load(work.settings + 2))
    before = tl.load(w, mask=ok, other=0.0)
    tl.store(w, tl.where(rate == 0.0, before, before + how[0] * rate * step), mask=ok)  # a frozen layer stays


@triton.jit
def _learn(at, layer, how, lanes, work, FIRST: tl.constexpr, LAST: tl.constexpr, FORM: tl.constexpr):
    """Form a layer's gradient, and move its parameters. at: the layer's inputs, its signal, and how many samples."""
    h, delta, samples = at
    fan_in: tl.constexpr = FORM.inputs if FIRST else FORM.width
    out: tl.constexpr = FORM.outputs if LAST else FORM.width
    wide: tl.constexpr = FORM.classes if LAST else FORM.units
    stride: tl.constexpr = FORM.inputs if FIRST else FORM.units
    columns: tl.constexpr = FORM.columns
    scale = tl.load(work.scales + 2 * layer)
    o = tl.arange(0, wide)
    for first in range(0, fan_in, FORM.columns):
        i = first + tl.arange(0, FORM.columns)
        g = tl.zeros((wide, columns), tl.float32)
        for start in range(0, samples, FORM.terms):
            s = start + tl.arange(0, FORM.terms)
            a = tl.load(delta + s[None, :] * wide + o[:, None])
            if FIRST:
                some = (s < samples)[:, None] & (i < fan_in)[None, :]
                b = tl.load(h + s[:, None] * stride + i[None, :], mask=some, other=0.0)
            else:
                b = tl.load(h + s[:, None] * stride + i[None, :])
            g = tl.dot(a, b, g, input_precision="ieee")
        ok = (o < out)[:, None] & (i < fan_in)[None, :]
        _move((0, layer), (o[:, None] * fan_in + i[None, :], ok, out * fan_in), g * scale, how, lanes, work, FORM)
    if FORM.bias:
        total = tl.zeros((wide,), tl.float32)
        for start in range(0, samples, FORM.terms):
            s = start + tl.arange(0, FORM.terms)
            total += tl.sum(tl.load(delta + s[:, None] * wide + o[None, :]), axis=0)
        _move((1, layer), (o, o < out, out), total, how, lanes, work, FORM)
    tl.debug_barrier()


@triton.jit
def _descend(x, hidden, signals, samples, how, lanes, work, FORM: tl.constexpr):
    """One step, from the signal of the last layer. hidden, signals: where they are, and how many numbers each takes."""
    top = work.layers - 1
    if FORM.hidden:
        h, one = hidden
        signal, two = signals
        below = h + (top - 1) * one
        _back((signal, signal + two, below), top, samples, lanes, work, True, FORM)
        _learn((below, signal, samples), top, how, lanes, work, False, True, FORM)
        for j in range(1, top):
            layer = top - j
            here = signal + (j % 2) * two
            below = h + (layer - 1) * one
            _back((here, signal + ((j + 1) % 2) * two, below), layer, samples, lanes, work, False, FORM)
            _learn((below, here, samples), layer, how, lanes, work, False, False, FORM)
        _learn((x, signal + (top % 2) * two, samples), 0, how, lanes, work, True, False, FORM)
    else:
        _learn((x, signals[0], samples), 0, how, lanes, work, True, True, FORM)


@triton.jit
def train(lanes, data, span, work, FORM: tl.constexpr):
    """Steps of one lane, up to the first that ends it; or losses over all samples, a piece a step.

    The arguments are records of `kernels.records`. A lane ends where its loss is beyond its limit, and with full
    batches where answers are right often enough or its last layer is dead: before that step, and what would come after
    it is left as it is in the numbers.
    """
    lane = tl.program_id(0)
    slot = tl.load(lanes.slots + lane).to(tl.int64) * data.rows
    limit, factor = tl.load(lanes.limits + lane), tl.load(lanes.factors + lane)
    padded = tl.cdiv(span.samples, FORM.rows) * FORM.rows
    h, one = work.scratch + lane.to(tl.int64) * work.size, padded * FORM.units
    signal, two = h + (work.layers - 1) * one, padded * max(FORM.units, FORM.classes)
    k, going = 0, 1
    while (k < span.steps) & (going > 0):
        row, samples = slot + span.first, span.samples
        if FORM.mode != FULL:
            row += k * span.samples
        if FORM.mode == EVALUATE:
            samples = tl.minimum(samples, data.rows - k * span.samples)
        x = data.x + row * FORM.inputs
        part = tl.load(work.clock + 3 * k)
        push = factor * part if FORM.optimizer == SGD else 1.0 / samples
        below = x
        if FORM.hidden:
            _hidden(x, h, 0, samples, lanes, work, True, FORM)
            for layer in range(1, work.layers - 1):
                _hidden(h + (layer - 1) * one, h + layer * one, layer, samples, lanes, work, False, FORM)
            below = h + (work.layers - 2) * one
        own = (data.y + row * FORM.outputs, data.labels + row, samples)
        found = _output(below, signal, own, (push, k < span.watched), lanes, work, FORM)
        loss, right = found[0], found[1]
        into = work.numbers + (lane.to(tl.int64) * span.steps + k) * COLUMNS
        tl.store(into + LOSS, loss)
        if FORM.mode != BATCHES:
            dead = 0.0
            if FORM.hidden:  # noqa: SIM102 - Triton decides each while it compiles
                if FORM.activation == RELU:
                    dead = tl.where(found[2] > 0.0, 0.0, 1.0)
            tl.store(into + DEAD, dead)
            if FORM.kind == CLASSES or FORM.kind == SIGN:
                tl.store(into + ACCURACY, right.to(tl.float64))
        if FORM.mode != EVALUATE:
            if k < span.watched:
                tl.store(into + OUTPUTS, tl.sqrt(found[3] / (samples * FORM.outputs)))
                spread = found[4] if FORM.loss == CE else found[3]
                tl.store(into + CENTRED, tl.sqrt(spread / (samples * FORM.outputs)))
            if FORM.hidden:
                tl.store(into + HIDDEN, tl.sqrt(found[5] / (samples * FORM.width)))
            else:
                tl.store(into + HIDDEN, 1.0)
            fine = loss <= limit
            if FORM.mode == FULL:
                fine = fine & (dead == 0.0)
                if FORM.kind == CLASSES or FORM.kind == SIGN:
                    fine = fine & ((right < work.enough) | (k + span.before == 0))
            if fine:
                by = 1.0 if FORM.optimizer == SGD else -factor * part
                how = (by, tl.load(work.clock + 3 * k + 1), tl.load(work.clock + 3 * k + 2))
                _descend(x, (h, one), (signal, two), samples, how, lanes, work, FORM)
            else:
                going = 0
        k += 1
