"""Training compiled: many steps of one fully connected net in one call, and its evaluation.

The twin of `models.mlp`, `models.losses` and `optimizers`, with SciPy's BLAS and the lane's own weights in place. One
compilation serves every architecture. All compiled code of training but that of `fast.blas` and `fast.pieces` is
in this file: a cached kernel does not notice a change in another one.

The scratch holds, each at its place: z of every layer, [samples, out]; two signals; a row of ones; small matrices as
[in, out], large ones having no place; the gradient of one layer, for Adam.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np
from numba import carray, njit

from mlrtui_trainer.fast.blas import QUICK, call_gemm, pointer
from mlrtui_trainer.fast.pieces import RELU, activate, pull, turn

__all__ = ["COLUMNS", "DEAD", "LOSS", "RIGHT", "RMS", "evaluate", "train"]

LOSS, RIGHT, DEAD, RMS = 0, 1, 2, 3  # columns of what a step leaves: losses and right answers as sums over samples
COLUMNS = 4

CE, MSE, MSE_SOFTMAX = 0, 1, 2
CLASSES, SIGN, NEITHER = 0, 1, 2
SGD, MOMENTUM, ADAM = 0, 1, 2
ETA, BETA1, BETA2, EPS = 0, 1, 2, 3  # numbers of an optimizer; β of momentum is the first one


@njit(**QUICK)
def _turn_all(shapes, weights, places, scratch):
    """Small matrices as [in, out] into the scratch."""
    layers = shapes.shape[0]
    for layer in range(layers):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        first = places[layers + 3 + layer]
        if first >= 0:
            w = carray(pointer(weights[layer], scratch), out * fan_in)
            turn(scratch[first : first + out * fan_in], w, out, fan_in)


@njit(**QUICK)
def _forward(shapes, weights, biases, scale, places, activation, samples, at_x, scratch, address):
    """z of every layer into the scratch at its place, [samples, out]; hidden layers activated. See `_turn_all`."""
    layers, item = shapes.shape[0], scratch.itemsize
    at_s = scratch.ctypes.data
    zero, one = scratch.dtype.type(0.0), scratch.dtype.type(1.0)
    for layer in range(layers):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        h = at_x if layer == 0 else at_s + item * places[layer - 1]
        z = at_s + item * places[layer]
        turned = places[layers + 3 + layer] >= 0
        w = at_s + item * places[layers + 3 + layer] if turned else weights[layer]
        call_gemm(address, 0 if turned else 1, 0, out, samples, fan_in, scale[layer], w, out if turned else fan_in, h,
                  fan_in, zero, z, out)  # fmt: skip
        if biases.size:
            ones = at_s + item * places[layers + 2]
            call_gemm(address, 0, 0, out, samples, 1, one, biases[layer], out, ones, 1, one, z, out)
        if layer < layers - 1:
            activate(scratch[places[layer] : places[layer] + samples * out], activation)


@njit(**QUICK)
def _finite(f, first, last):
    total = f.dtype.type(0.0)
    for i in range(first, last):
        total += f[i] - f[i]
    return total == 0.0


@njit(**QUICK)
def _right(f, y, labels, kind):
    """How many answers are right; an output that is not finite is wrong. f [samples · outputs]."""
    samples, outputs = y.shape
    whole = _finite(f, 0, f.size)
    right = 0
    for s in range(samples):
        first = s * outputs
        if not whole and not _finite(f, first, first + outputs):
            continue
        if kind == SIGN:
            wrong = 0
            for i in range(outputs):
                wrong += np.sign(f[first + i]) != y[s, i]
            right += wrong == 0
            continue
        own, label = f[first + labels[s]], labels[s]
        above = 0  # a class before the right one wins a tie, as in argmax
        for i in range(outputs):
            above += f[first + i] > own or (f[first + i] == own and i < label)
        right += above == 0
    return right


@njit(**QUICK)
def _exp(x):
    """x ← exp x for x ≤ 0 or NaN, to a rounding; in single precision by Cephes' polynomial, which vectorises."""
    if x.itemsize == 8:
        for i in range(x.size):
            x[i] = np.exp(x[i])
        return
    bits = np.empty(x.size, np.int32)
    for i in range(x.size):
        z = x[i] if not x[i] < np.float32(-87.0) else np.float32(-87.0)  # below, 2^k would leave the exponent's range
        k = np.floor(z * np.float32(1.44269504) + np.float32(0.5))
        r = z - k * np.float32(0.693359375) + k * np.float32(2.12194440e-4)
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        x[i] = p * r * r + r + np.float32(1.0)
        bits[i] = (np.int32(k) + np.int32(127)) << np.int32(23)
    power = bits.view(np.float32)
    for i in range(x.size):
        x[i] *= power[i]


@njit(**QUICK)
def _lose(f, y, labels, loss, factor):
    """The sum of the samples' losses in double; f [samples · outputs] becomes d loss / d f times ``factor``."""
    if loss == MSE:
        return _lose_squares(f, y, factor)
    samples, outputs = y.shape
    for s in range(samples):
        first = s * outputs
        most = f[first]
        for i in range(1, outputs):
            most = f[first + i] if f[first + i] > most else most
        for i in range(outputs):
            f[first + i] -= most
    return _lose_entropy(f, y, labels, factor) if loss == CE else _lose_softmax(f, y, factor)


@njit(**QUICK)
def _lose_squares(f, y, factor):
    """`_lose` under mse."""
    samples, outputs = y.shape
    total = 0.0
    for s in range(samples):
        own = f.dtype.type(0.0)
        for i in range(outputs):
            e = f[s * outputs + i] - y[s, i]
            own += e * e
            f[s * outputs + i] = e * factor
        total += 0.5 * np.float64(own)
    return total


@njit(**QUICK)
def _lose_entropy(f, y, labels, factor):
    """`_lose` under ce, from outputs less the largest of each sample."""
    samples, outputs = y.shape
    total = 0.0
    for s in range(samples):
        total -= np.float64(f[s * outputs + labels[s]])
    _exp(f)
    product = 1.0
    for s in range(samples):
        first = s * outputs
        whole = f.dtype.type(0.0)
        for i in range(outputs):
            whole += f[first + i]
        product *= np.float64(whole)  # each is from 1 to the number of outputs: sixteen stay within a double's range
        if s % 16 == 15:
            total += np.log(product)
            product = 1.0
        for i in range(outputs):
            f[first + i] = (f[first + i] / whole - y[s, i]) * factor
    total += np.log(product)
    return total


@njit(**QUICK)
def _lose_softmax(f, y, factor):
    """`_lose` under mse-softmax, from outputs less the largest of each sample.

    As in `models.losses`, nothing of the size of 1 cancels where p is nearly 1: the residual of the right class is the
    sum of the others', and residuals count from that of the likeliest class.
    """
    samples, outputs = y.shape
    zero, one = f.dtype.type(0.0), f.dtype.type(1.0)
    residual = np.empty(outputs, f.dtype)
    _exp(f)
    total = 0.0
    for s in range(samples):
        p, right = f[s * outputs : (s + 1) * outputs], y[s]
        whole, rest, own, inner = zero, zero, zero, zero
        top = 0
        for i in range(outputs):
            whole += p[i]
            top = i if p[i] > p[top] else top
        for i in range(outputs):
            p[i] /= whole
            residual[i] = p[i] * (one - right[i])
            rest += residual[i]
        for i in range(outputs):
            residual[i] -= right[i] * rest
            own += residual[i] * residual[i]
        total += 0.5 * np.float64(own)
        origin = residual[top]
        for i in range(outputs):
            residual[i] -= origin
            inner += p[i] * residual[i]
        for i in range(outputs):
            p[i] *= (residual[i] - inner) * factor
    return total


@njit(**QUICK)
def _is_dead(shapes, places, activation, samples, scratch):
    """Whether every unit of the last hidden ReLU layer is zero on all samples."""
    layers = shapes.shape[0]
    if activation != RELU or layers == 1:
        return False
    for i in range(places[layers - 2], places[layers - 2] + samples * shapes[layers - 2, 0]):
        if not scratch[i] <= 0.0:
            return False
    return True


@njit(**QUICK)
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


@njit(**QUICK)
def _descend(
    shapes, weights, biases, scale, rate, places, activation, samples, at_x, optimizer, states, inertia, step, scratch,
    address,
):  # fmt: skip
    """One step in place, from the signal that lies where the outputs lay; ``step`` counts from 1.

    states [2, states, layers]: addresses of what an optimizer remembers of matrices and of biases. inertia [4]: its
    numbers, in double: 1 - β loses half of its digits in single precision.
    """
    layers, item = shapes.shape[0], scratch.itemsize
    at_s = scratch.ctypes.data
    zero, one = scratch.dtype.type(0.0), scratch.dtype.type(1.0)
    ones, place = at_s + item * places[layers + 2], at_s + item * places[2 * layers + 3]
    push = places[layers - 1]
    for layer in range(layers - 1, -1, -1):
        out, fan_in = shapes[layer, 0], shapes[layer, 1]
        delta = at_s + item * push
        h = at_x if layer == 0 else at_s + item * places[layer - 1]
        back = places[layers + layer % 2]  # two places, by turns
        if layer > 0:
            pulled = at_s + item * back
            call_gemm(address, 0, 0, fan_in, samples, out, scale[layer], weights[layer], fan_in, delta, out, zero,
                      pulled, fan_in)  # fmt: skip
        for kind, there in enumerate((weights, biases)):
            if there.size == 0 or (optimizer == SGD and rate[layer] == zero):
                continue
            # where a gradient is added, what is kept of what is there, and by what the gradient is multiplied
            into, kept, factor = there[layer], one, rate[layer]
            if optimizer == MOMENTUM:
                into, kept, factor = states[kind, 0, layer], scratch.dtype.type(inertia[BETA1]), one
            elif optimizer == ADAM:
                into, kept, factor = place, zero, one
            if kind == 0:
                size = out * fan_in
                call_gemm(address, 0, 1, fan_in, out, samples, factor * scale[layer], h, fan_in, delta, out, kept, into,
                          fan_in)  # fmt: skip
            else:
                size = out
                call_gemm(address, 0, 0, out, 1, samples, factor, delta, out, ones, samples, kept, into, out)
            if optimizer != SGD:
                _move(optimizer, there[layer], into, states[kind], layer, size, rate[layer], inertia, step, scratch)
        if layer > 0:
            size = samples * fan_in
            hidden = scratch[places[layer - 1] : places[layer - 1] + size]
            pull(scratch[back : back + size], hidden, activation)
            push = back


@njit(**QUICK)
def train(
    shapes, weights, biases, scale, rate, places, rules, x, y, labels, span, factor, states, inertia, limit, seen,
    scratch, address,
):  # fmt: skip
    """Steps of one lane; how many were taken: all, or up to the first whose loss is beyond the limit.

    weights, biases: addresses of the lane's matrices, by layer. rules: activation, loss, kind of the data, optimizer,
    whether all samples are in a batch. span: first row, samples a batch, steps, steps whose outputs' RMS is wanted,
    and how many steps were taken before. factor: what the samples' gradients are multiplied by, -η/batch or 1/batch.
    states, inertia: see `_descend`. limit: of the sum of a step's losses. x [rows · inputs], y [rows, outputs], labels
    [rows]. seen [steps, COLUMNS] is filled.
    """
    activation, loss, kind, optimizer, full = rules
    first, samples, count, watched, before = span
    layers, inputs, outputs = shapes.shape[0], shapes[0, 1], y.shape[1]
    item = scratch.itemsize
    f = scratch[places[layers - 1] : places[layers - 1] + samples * outputs]
    for k in range(count):
        row = first if full else first + k * samples
        at_x = x.ctypes.data + item * row * inputs
        _turn_all(shapes, weights, places, scratch)
        _forward(shapes, weights, biases, scale, places, activation, samples, at_x, scratch, address)
        seen[k, RMS] = np.nan
        if k < watched:
            squares = 0.0
            for i in range(f.size):
                squares += np.float64(f[i]) * np.float64(f[i])
            seen[k, RMS] = np.sqrt(squares / f.size)
        seen[k, RIGHT] = seen[k, DEAD] = np.nan
        if full:
            right = np.nan if kind == NEITHER else _right(f, y[row : row + samples], labels[row : row + samples], kind)
            seen[k, RIGHT] = right
            seen[k, DEAD] = 1.0 if _is_dead(shapes, places, activation, samples, scratch) else 0.0
        seen[k, LOSS] = _lose(f, y[row : row + samples], labels[row : row + samples], loss, factor)
        if not seen[k, LOSS] <= limit:
            return k + 1
        _descend(shapes, weights, biases, scale, rate, places, activation, samples, at_x, optimizer, states,
                 inertia, before + k + 1, scratch, address)  # fmt: skip
    return count


@njit(**QUICK)
def evaluate(shapes, weights, biases, scale, places, rules, x, y, labels, piece, seen, scratch, address):
    """Losses, right answers and deadness of one lane over all samples, ``piece`` at a time, into seen [COLUMNS]."""
    activation, loss, kind, _, _ = rules
    count, outputs = y.shape
    layers, inputs, item = shapes.shape[0], shapes[0, 1], scratch.itemsize
    total, right, dead = 0.0, 0, True
    _turn_all(shapes, weights, places, scratch)
    for first in range(0, count, piece):
        samples = min(piece, count - first)
        at_x = x.ctypes.data + item * first * inputs
        _forward(shapes, weights, biases, scale, places, activation, samples, at_x, scratch, address)
        f = scratch[places[layers - 1] : places[layers - 1] + samples * outputs]
        last = first + samples
        if kind != NEITHER:
            right += _right(f, y[first:last], labels[first:last], kind)
        dead = dead and _is_dead(shapes, places, activation, samples, scratch)
        total += _lose(f, y[first:last], labels[first:last], loss, scratch.dtype.type(0.0))
    seen[LOSS] = total
    seen[RIGHT] = np.nan if kind == NEITHER else right
    seen[DEAD] = 1.0 if dead else 0.0
