"""λ compiled: the whole Lanczos solve of a fully connected net, one lane after the other, in one call.

The twin of `curvature.lanczos`, with the same rules and the same records; its products are those of `fast.products`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numba
import numpy as np

from mlrtui_trainer.fast.basics import quick, strict
from mlrtui_trainer.fast.pieces import add, inner, times
from mlrtui_trainer.fast.products import product

__all__ = ["RULES", "solve"]

numba_version = numba.__version__
RULES = ("", "converged", "exhausted", "budget", "nonfinite")
CONVERGED, EXHAUSTED, BUDGET, NONFINITE = range(1, 5)
NEVER = np.zeros(6)


@quick
def _dot(a, b):
    return inner(a, b, a.dtype.type(0.0))


@quick
def _length(a):
    return np.sqrt(inner(a, a, 0.0))


@strict
def _eigen(d, e, z):
    """Eigenvalues of the tridiagonal d, e into d, by implicit QL; the rows of z [any, size] are turned along.

    With z the identity its columns become the eigenvectors; with its last row alone, their last components (EISPACK's
    tql2). e is lost.
    """
    size = d.size
    for first in range(size):
        for _ in range(50):
            m = first
            while m < size - 1:
                if abs(e[m]) <= 2.220446049250313e-16 * (abs(d[m]) + abs(d[m + 1])):
                    break
                m += 1
            if m == first:
                break
            g = (d[first + 1] - d[first]) / (2.0 * e[first])
            r = np.hypot(g, 1.0)
            g = d[m] - d[first] + e[first] / (g + (r if g >= 0.0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            early = False
            for i in range(m - 1, first - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.hypot(f, g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    early = True
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                for k in range(z.shape[0]):
                    f = z[k, i + 1]
                    z[k, i + 1] = s * z[k, i] + c * f
                    z[k, i] = c * z[k, i] - s * f
            if not early:
                d[first] -= p
                e[first] = g
                e[m] = 0.0


@strict
def _tridiagonal(g, d, e, z):
    """The symmetric g as a tridiagonal d, e, by reflections; the rows of z [any, size] are turned along. g is lost."""
    size = d.size
    u, p = np.zeros(size), np.zeros(size)
    for k in range(size - 2):
        below = 0.0
        for i in range(k + 2, size):
            below += g[i, k] * g[i, k]
        if below == 0.0:
            continue
        length = np.sqrt(below + g[k + 1, k] * g[k + 1, k])
        first = g[k + 1, k] + (length if g[k + 1, k] >= 0.0 else -length)
        u[k + 1], squares = first, first * first + below
        for i in range(k + 2, size):
            u[i] = g[i, k]
        for row in range(z.shape[0]):
            s = 0.0
            for i in range(k + 1, size):
                s += z[row, i] * u[i]
            s *= 2.0 / squares
            for i in range(k + 1, size):
                z[row, i] -= s * u[i]
        s = 0.0
        for i in range(k + 1, size):
            p[i] = 0.0
            for j in range(k + 1, size):
                p[i] += g[i, j] * u[j]
            p[i] *= 2.0 / squares
            s += p[i] * u[i]
        s /= squares
        for i in range(k + 1, size):
            p[i] -= s * u[i]
        for i in range(k + 1, size):
            for j in range(k + 1, size):
                g[i, j] -= u[i] * p[j] + p[i] * u[j]
        g[k + 1, k] -= first
    for i in range(size):
        d[i] = g[i, i]
        e[i] = g[i + 1, i] if i + 1 < size else 0.0


@strict
def _sort(d, order):
    """order ← where the values of d are, the largest first."""
    for i in range(d.size):
        place = i
        while place > 0 and d[order[place - 1]] < d[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i


@strict
def _settled(theta, error, order, i, before, tolerance):
    """Whether the i-th value moves no more: by the rule of `curvature.lanczos` for single solves."""
    value = theta[order[i]]
    limit = tolerance * abs(value)
    last, earlier = abs(value - before[0, i]), abs(before[0, i] - before[1, i])
    return last <= 0.5 * limit and earlier <= 0.5 * limit and error[order[i]] <= limit


@strict
def _met(theta, error, order, i, wanted, tolerance, along):
    """Whether the i-th of the wanted values is good enough, by the rule of `curvature.lanczos` along a training."""
    value, known = theta[order[i]], theta.size
    own, limit = error[order[i]], tolerance * abs(value)
    gap = np.inf
    if i > 0:
        gap = theta[order[i - 1]] - value
    if i + 1 < known:
        gap = min(gap, value - theta[order[i + 1]])
    gap = 0.0 if known == wanted and i == wanted - 1 else gap - own
    guess = own * own / gap if gap > own else own
    return guess <= along[3] * limit and own <= along[2] * limit


@strict
def _apart(theta, error, order, wanted, tolerance, along):
    """Whether the value after the wanted ones leaves them alone."""
    value = abs(theta[order[wanted - 1]])
    distance = max(theta[order[wanted - 1]] - theta[order[wanted]], tolerance * value)
    return error[order[wanted]] <= max(along[4] * distance, np.sqrt(along[5] * distance * value))


@strict
def _goal(theta, error, order, rules, along, before):
    """The first of the wanted values that falls short, then the next one where that may be above them; -1: none."""
    tolerance, wanted, alone = rules
    known = theta.size
    for i in range(min(wanted, known)):
        if alone:
            if not _settled(theta, error, order, i, before, tolerance):
                return i
        elif not _met(theta, error, order, i, wanted, tolerance, along):
            return i
    if alone or known <= wanted or _apart(theta, error, order, wanted, tolerance, along):
        return -1
    return wanted


@quick
def _take_out(w, rows, count, parts):
    """Take the first rows, by their count, out of w twice, once being too few where it almost lies in them; w · row."""
    for i in range(count):
        parts[i] = 0.0
    for _ in range(2):
        for i in range(count):
            part = _dot(w, rows[i])
            add(w, -part, rows[i])
            parts[i] += np.float64(part)


@quick
def _turn(free, c, aim, width, n):
    """Turn open directions, and c [n of any, directions], so that the last one is along ``aim``, by plane rotations."""
    for i in range(width - 1):
        r = np.hypot(aim[i], aim[i + 1])
        if r == 0.0:
            continue
        cos, sin = aim[i + 1] / r, aim[i] / r
        aim[i], aim[i + 1] = 0.0, r
        a, b = free.dtype.type(cos), free.dtype.type(sin)
        for k in range(free.shape[1]):
            x, y = free[i, k], free[i + 1, k]
            free[i, k] = a * x - b * y
            free[i + 1, k] = b * x + a * y
        for row in range(n):
            f, g = c[row, i], c[row, i + 1]
            c[row, i] = cos * f - sin * g
            c[row, i + 1] = sin * f + cos * g


@quick
def _combined(out, basis, weights):
    """out ← unit vector along this combination of the first basis vectors."""
    out[:] = 0.0
    for i in range(weights.size):
        add(out, out.dtype.type(weights[i]), basis[i, : out.size])
    length = _length(out)
    for i in range(out.size):
        out[i] = out[i] / out.dtype.type(length)


@strict
def solve(
    layout, weights, scale, constants, root, start, count, rules, table, known, basis, scratch, spare, address,
    values, residuals, vectors,
):  # fmt: skip
    """Solve one lane from ``start`` [starts, size], of which ``count`` are there, at right angles.

    Answers go into values, residuals [wanted] and vectors [keep, size]. Returns the number of products and that of the
    rule in `RULES`. weights: addresses of the lane's matrices. rules: samples, how many are done at a time, whether the
    loss is ce, tolerance, wanted values, most products, and the part of the norm below which a direction is rounding.
    table: fields of `curvature.lanczos.Along`, a rule a row, none where the solve stands alone; known: the largest
    value before, and that below which the first rule does not do. basis [most + starts + 2, padded size] is used.
    """
    samples, piece, loss_ce, tolerance, wanted, most, noise = rules
    starts, size = start.shape
    free, w, rooted = basis[most : most + starts], basis[most + starts], basis[most + starts + 1]
    small, g, c, z = np.zeros((most, most)), np.zeros((most, most)), np.zeros((most, starts)), np.zeros((starts, most))
    parts, outside, aim = np.zeros(max(most, starts)), np.zeros(starts), np.zeros(starts)
    d, e, error, order = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most, np.int64)
    before, along, width, alone = np.full((2, wanted), np.nan), 0, 0, table.shape[0] == 0
    w[size:] = 0.0
    for s in range(count):
        basis[s, :size] = start[s]
        basis[s, size:] = 0.0
    for j in range(most):
        q = basis[j, :size]
        if root.size:
            times(rooted[:size], q, root)
            q = rooted[:size]
        product(layout, weights, scale, samples, piece, loss_ce, constants, q, w[:size], scratch, spare, address)
        if root.size:
            times(w[:size], w[:size], root)
        n = j + 1
        seen = max(n, count)
        _take_out(w, basis, seen, parts)
        _take_out(w, free, width, outside)
        beta = _length(w)
        fine = np.isfinite(beta)
        for i in range(seen):
            fine = fine and np.isfinite(parts[i])
        if not fine:
            return n, NONFINITE
        if j == 0 and not alone:
            change = np.hypot(beta, parts[0] - known[0]) / abs(known[0])
            while along < table.shape[0] - 1 and not change <= table[along, 0]:
                along += 1
        if j < count:
            for i in range(count):
                small[i, j] = parts[i]
                small[j, i] = parts[i]
        small[j, j] = parts[j]
        for i in range(width):
            c[j, i] = outside[i]
        for row in range(width):
            for i in range(n):
                z[row, i] = c[i, row]
        z[width, :n] = 0.0
        z[width, j] = beta  # what is left of the product is open, unless it is rounding
        g[:n, :n] = small[:n, :n]
        _tridiagonal(g[:n, :n], d[:n], e[:n], z[: width + 1, :n])
        _eigen(d[:n], e[:n], z[: width + 1, :n])
        _sort(d[:n], order)
        floor = noise * max(abs(d[order[0]]), abs(d[order[j]]))
        if beta > floor:
            c[j, width] = beta
            for i in range(size):
                free[width, i] = w[i] / w.dtype.type(beta)
            free[width, size:] = 0.0
            width += 1
        worst = 0
        for i in range(n):
            error[i] = 0.0
            for row in range(width):
                error[i] += z[row, i] * z[row, i]
            error[i] = np.sqrt(error[i])
            worst = i if error[i] > error[worst] else worst
        if n < count:
            continue
        k, fallen = min(wanted, n), not d[order[0]] >= known[1]
        rule_of = NEVER if alone else table[max(along, 1 if fallen else 0)]
        goal = _goal(d[:n], error, order, (tolerance, wanted, alone), rule_of, before)
        rule = 0
        if n == most:
            rule = EXHAUSTED if n == size else BUDGET
        if goal < 0 and n >= max(3, wanted) and (alone or n >= rule_of[1]):
            rule = CONVERGED
        if error[worst] <= floor:
            rule = EXHAUSTED
        for i in range(k):
            before[1, i] = before[0, i]
            before[0, i] = d[order[i]]
        if rule:
            for i in range(k):
                values[i] = before[0, i]
                own = error[order[i]]
                residuals[i] = 0.0 if own == 0.0 else own / abs(before[0, i])
            _write(vectors, basis, small[:n, :n])
            return n, rule
        goal = order[goal if goal >= 0 else min(wanted, n - 1)]
        goal = goal if error[goal] > floor else worst
        for row in range(width):
            aim[row] = z[row, goal]
        _turn(free, c, aim, width, n)
        width -= 1
        for i in range(n):
            small[i, n] = c[i, width]
            small[n, i] = c[i, width]
            c[i, width] = 0.0
        basis[n] = free[width]
    return most, NONFINITE


@strict
def _write(vectors, basis, small):
    """vectors [keep, size] ← the Ritz vectors of the largest values, from G; zero where there are fewer."""
    n = small.shape[0]
    d, e, order, turned = np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.eye(n)
    _tridiagonal(small.copy(), d, e, turned)
    _eigen(d, e, turned)
    _sort(d, order)
    for rank in range(vectors.shape[0]):
        if rank >= n:
            vectors[rank] = 0.0
            continue
        for i in range(n):
            e[i] = turned[i, order[rank]]
        _combined(vectors[rank], basis, e)
