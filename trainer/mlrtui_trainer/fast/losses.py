"""Losses, right answers and what else steps read off a net's outputs, compiled.

The twin of `models.losses`. Outputs lie as [outputs, samples], a row every ``line`` numbers, so that samples are
taken by vectors.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np

from mlrtui_trainer.fast.basics import quick
from mlrtui_trainer.fast.pieces import inner

__all__ = ["MSE", "NEITHER", "ROOM", "centred_rms", "count_right", "lose", "loss_alone", "rms", "softmax"]

CE, MSE, MSE_SOFTMAX = 0, 1, 2
CLASSES, SIGN, NEITHER = 0, 1, 2
ROOM = 5  # rows of working memory that a loss takes, beside one for every output


@quick
def rms(f, line, samples, outputs):
    """The root mean square of outputs, or of a layer's units, in double."""
    squares = 0.0
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        squares = inner(row, row, squares)
    return np.sqrt(squares / (samples * outputs))


@quick
def centred_rms(f, line, samples, outputs):
    """The same of the outputs less their mean over each sample's: what a softmax sees of them."""
    squares = 0.0
    for s in range(samples):
        mean = 0.0
        for i in range(outputs):
            mean += np.float64(f[i * line + s])
        mean /= outputs
        for i in range(outputs):
            own = np.float64(f[i * line + s]) - mean
            squares += own * own
    return np.sqrt(squares / (samples * outputs))


@quick
def count_right(f, line, y, labels, kind, room):
    """How many answers are right; an output that is not finite is wrong. y [samples, outputs], labels [samples]."""
    samples, outputs = y.shape
    own, wrong, label = room[:samples], room[line : line + samples], room[2 * line : 2 * line + samples]
    number = f.dtype.type
    zero, one = number(0.0), number(1.0)
    for s in range(samples):
        own[s] = f[labels[s] * line + s] if kind == CLASSES else zero
        label[s] = number(labels[s])
        wrong[s] = zero
    for i in range(outputs):
        row, place = f[i * line : i * line + samples], number(i)
        if kind == SIGN:
            for s in range(samples):
                wrong[s] += one if np.sign(row[s]) != y[s, i] else zero
        else:
            for s in range(samples):  # a class before the right one wins a tie, as in argmax; no branches: by vectors
                before = (row[s] == own[s]) & (place < label[s])
                wrong[s] += one if (row[s] > own[s]) | before else zero
        for s in range(samples):
            wrong[s] += one if row[s] - row[s] != zero else zero
    right = 0
    for s in range(samples):
        right += wrong[s] == zero
    return right


@quick
def _exp(x, bits):
    """x ← exp x for x ≤ 0 or NaN, to a rounding; in single precision by Cephes' polynomial, which vectorises."""
    if x.itemsize == 8:
        for i in range(x.size):
            x[i] = np.exp(x[i])
        return
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
    power = bits[: x.size].view(np.float32)
    for i in range(x.size):
        x[i] *= power[i]


@quick
def lose(f, line, y, labels, loss, factor, room):
    """The sum of the samples' losses in double; f becomes d loss / d f times ``factor``.

    y [samples, outputs], labels [samples], room [ROOM + outputs rows].
    """
    samples, outputs = y.shape
    if loss == MSE:
        return _lose_squares(f, line, y, factor, room)
    _shift(f, line, samples, outputs, room)
    if loss == MSE_SOFTMAX:
        _divide(f, line, samples, outputs, room)
        return _lose_softmax(f, line, y, factor, room)
    own = _right_outputs(f, line, labels)
    _divide(f, line, samples, outputs, room)
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        for s in range(samples):
            row[s] = (row[s] - y[s, i]) * factor
    return _log_sums(room[:samples]) - own


@quick
def loss_alone(f, line, y, labels, loss, room):
    """What `lose` returns, where its derivative is not needed; f is lost."""
    samples, outputs = y.shape
    if loss != CE:
        return lose(f, line, y, labels, loss, f.dtype.type(0.0), room)
    _shift(f, line, samples, outputs, room)
    own = _right_outputs(f, line, labels)
    _raise(f, line, samples, outputs, room)
    return _log_sums(room[:samples]) - own


@quick
def _right_outputs(f, line, labels):
    """The sum of every sample's output of its own class, in double."""
    total = 0.0
    for s in range(labels.size):
        total += np.float64(f[labels[s] * line + s])
    return total


@quick
def softmax(f, line, samples, outputs, room):
    """f ← softmax of each sample's outputs; room [3 rows]."""
    _shift(f, line, samples, outputs, room)
    _divide(f, line, samples, outputs, room)


@quick
def _shift(f, line, samples, outputs, room):
    """f ← f less the largest output of each sample."""
    most, larger = room[:samples], room[line : line + samples]
    for s in range(samples):
        most[s] = f[s]
    for i in range(1, outputs):
        row = f[i * line : i * line + samples]
        for s in range(samples):  # into another row: in place it would be a store under a mask, slow without AVX-512
            larger[s] = row[s] if row[s] > most[s] else most[s]
        most, larger = larger, most
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        for s in range(samples):
            row[s] -= most[s]


@quick
def _raise(f, line, samples, outputs, room):
    """f ← exp f; its sum for each sample into the first row of room."""
    whole, bits = room[:samples], room[2 * line : 3 * line].view(np.int32)
    whole[:] = f.dtype.type(0.0)
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        _exp(row, bits)
        for s in range(samples):
            whole[s] += row[s]


@quick
def _divide(f, line, samples, outputs, room):
    """f ← exp f over its sum for each sample, which the first row of room keeps."""
    _raise(f, line, samples, outputs, room)
    whole, part = room[:samples], room[line : line + samples]
    for s in range(samples):
        part[s] = f.dtype.type(1.0) / whole[s]
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        for s in range(samples):
            row[s] *= part[s]


@quick
def _lose_squares(f, line, y, factor, room):
    """`lose` under mse."""
    samples, outputs = y.shape
    own = room[:samples]
    own[:] = f.dtype.type(0.0)
    for i in range(outputs):
        row = f[i * line : i * line + samples]
        for s in range(samples):
            e = row[s] - y[s, i]
            own[s] += e * e
            row[s] = e * factor
    return _half(own)


@quick
def _half(own):
    """Half the sum, in double."""
    total = 0.0
    for s in range(own.size):
        total += np.float64(own[s])
    return 0.5 * total


@quick
def _log_sums(whole):
    """The sum of the logarithms of numbers from 1 to that of the outputs, in double."""
    total, product = 0.0, 1.0
    for s in range(whole.size):
        product *= np.float64(whole[s])  # sixteen stay within a double's range
        if s % 16 == 15:
            total += np.log(product)
            product = 1.0
    return total + np.log(product)


@quick
def _lose_softmax(f, line, y, factor, room):
    """`lose` under mse-softmax, from softmax's answers p in f.

    As in `models.losses`, nothing of the size of 1 cancels where p is nearly 1: the residual of the right class is the
    sum of the others', and residuals count from that of the likeliest class.
    """
    samples, outputs = y.shape
    zero, one = f.dtype.type(0.0), f.dtype.type(1.0)
    rest, own = room[:samples], room[line : line + samples]
    top, origin = room[2 * line : 2 * line + samples], room[3 * line : 3 * line + samples]
    inner = room[4 * line : 4 * line + samples]
    rest[:], own[:], inner[:], top[:] = zero, zero, zero, -one
    for i in range(outputs):
        p = f[i * line : i * line + samples]
        residual = room[(ROOM + i) * line : (ROOM + i) * line + samples]
        for s in range(samples):
            residual[s] = p[s] * (one - y[s, i])
            rest[s] += residual[s]
    for i in range(outputs):
        p = f[i * line : i * line + samples]
        residual = room[(ROOM + i) * line : (ROOM + i) * line + samples]
        for s in range(samples):
            residual[s] -= y[s, i] * rest[s]
            own[s] += residual[s] * residual[s]
            if p[s] > top[s]:
                top[s], origin[s] = p[s], residual[s]
    for i in range(outputs):
        p = f[i * line : i * line + samples]
        residual = room[(ROOM + i) * line : (ROOM + i) * line + samples]
        for s in range(samples):
            residual[s] -= origin[s]
            inner[s] += p[s] * residual[s]
    for i in range(outputs):
        p = f[i * line : i * line + samples]
        residual = room[(ROOM + i) * line : (ROOM + i) * line + samples]
        for s in range(samples):
            p[s] *= (residual[s] - inner[s]) * factor
    return _half(own)
