"""λ compiled: the whole Lanczos solve of a fully connected net, one lane after the other, in one call.

The twin of `curvature.lanczos`, with the same rules and the same records; its products are those of `fast.products`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numba
import numpy as np

from mlrtui_trainer.fast.basics import quick, strict
from mlrtui_trainer.fast.pieces import add, length_of, scalar_product, times
from mlrtui_trainer.fast.products import product

__all__ = ["RULES", "solve"]

numba_version = numba.__version__
RULES = ("", "converged", "exhausted", "budget", "nonfinite")
CONVERGED, EXHAUSTED, BUDGET, NONFINITE = range(1, 5)


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
def _sort(d, order):
    """order ← where the values of d are, the largest first."""
    for i in range(d.size):
        place = i
        while place > 0 and d[order[place - 1]] < d[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i


@strict
def _settled(theta, error, order, wanted, before, tolerance):
    """Whether the first ``wanted`` values move no more: by the rule of `curvature.lanczos` for single solves."""
    for i in range(wanted):
        value = theta[order[i]]
        limit = tolerance * abs(value)
        last, earlier = abs(value - before[0, i]), abs(before[0, i] - before[1, i])
        if not (last <= 0.5 * limit and earlier <= 0.5 * limit and error[i] <= limit):
            return False
    return True


@quick
def _orthogonal(w, basis, j, before):
    """Take the basis vectors 0..j out of w; w · basis[j].

    By the recurrence first, which takes out what is large, then from all of them: what is left is rounding.
    """
    alpha = scalar_product(w, basis[j])
    add(w, -alpha, basis[j])
    if j > 0:
        add(w, -w.dtype.type(before), basis[j - 1])
    last = alpha
    for i in range(j + 1):
        last = scalar_product(w, basis[i])
        add(w, -last, basis[i])
    return np.float64(alpha) + np.float64(last)


@quick
def _combined(out, basis, weights):
    """out ← unit vector along this combination of the first basis vectors."""
    out[:] = 0.0
    for i in range(weights.size):
        add(out, out.dtype.type(weights[i]), basis[i, : out.size])
    length = length_of(out)
    for i in range(out.size):
        out[i] = out[i] / out.dtype.type(length)


@strict
def solve(operator, root, start, stopping, basis, answers):
    """Solve one lane's `records.Operator` from ``start`` [size], and write its `Answers`.

    Returns the number of products and that of the rule in `RULES`. root [size]: the root of a diagonal that scales the
    operator from both sides; [0] of none. basis [products + 2, padded size].
    """
    tolerance, wanted, noise = stopping
    size, most = start.size, basis.shape[0] - 2  # the last two rows are at hand for products
    w, rooted = basis[most], basis[most + 1]
    alpha, beta, d, e, error = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    last_row, before, order = np.zeros((1, most)), np.zeros((2, wanted)), np.zeros(most, np.int64)
    before[:, :] = np.nan
    length = length_of(start)
    basis[0, size:] = 0.0
    w[size:] = 0.0
    for i in range(size):
        basis[0, i] = start[i] / start.dtype.type(length)
    for j in range(most):
        q = basis[j, :size]
        if root.size:
            times(rooted[:size], q, root)
            q = rooted[:size]
        product(operator, q, w[:size])
        if root.size:
            times(w[:size], w[:size], root)
        alpha[j] = _orthogonal(w, basis, j, beta[j - 1])
        beta[j] = length_of(w)
        if not (np.isfinite(alpha[j]) and np.isfinite(beta[j])):
            return j + 1, NONFINITE
        n, k = j + 1, min(wanted, j + 1)
        for i in range(n):
            d[i], e[i], last_row[0, i] = alpha[i], beta[i], 0.0
        last_row[0, j] = 1.0
        _eigen(d[:n], e, last_row)
        _sort(d[:n], order)
        for i in range(k):
            error[i] = beta[j] * abs(last_row[0, order[i]])
        rule = 0
        if n == most:
            rule = EXHAUSTED if n == size else BUDGET
        if n >= max(3, wanted):
            rule = CONVERGED if _settled(d, error, order, wanted, before, tolerance) else rule
        if beta[j] <= noise * max(abs(d[order[0]]), abs(d[order[j]])):
            rule = EXHAUSTED
        for i in range(k):
            before[1, i] = before[0, i]
            before[0, i] = d[order[i]]
        if rule:
            for i in range(k):
                answers.values[i] = before[0, i]
                answers.residuals[i] = 0.0 if error[i] == 0.0 else error[i] / abs(before[0, i])
            _write(answers.vectors, basis, alpha, beta, n)
            return n, rule
        for i in range(size):
            basis[j + 1, i] = w[i] / w.dtype.type(beta[j])
        basis[j + 1, size:] = 0.0
    return most, NONFINITE


@strict
def _write(vectors, basis, alpha, beta, n):
    """vectors [rows, size] ← Ritz vectors after n products, the largest's first; further rows stay."""
    d, e, s, order = np.zeros(n), np.zeros(n), np.zeros((n, n)), np.zeros(n, np.int64)
    for i in range(n):
        d[i], e[i], s[i, i] = alpha[i], beta[i], 1.0
    _eigen(d, e, s)
    _sort(d, order)
    for which in range(min(n, vectors.shape[0])):
        for row in range(n):
            e[row] = s[row, order[which]]
        _combined(vectors[which], basis, e)
