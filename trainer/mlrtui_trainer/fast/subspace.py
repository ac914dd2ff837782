"""λ along a training compiled: one lane's whole solve from a block of vectors, in one call.

The twin of `curvature.subspace`, with the same rules and the same records; its products are those of `fast.products`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import numpy as np

from mlrtui_trainer.fast.basics import quick, strict
from mlrtui_trainer.fast.curvature import BUDGET, CONVERGED, EXHAUSTED, NONFINITE
from mlrtui_trainer.fast.pieces import add, length_of, scalar_product, times
from mlrtui_trainer.fast.products import product
from mlrtui_trainer.fast.records import Ritz

__all__ = ["follow"]

TURN, PRODUCTS, RESIDUAL, ERROR, CROWDING = range(5)  # columns of a table of `curvature.stopping.Rule`


@quick
def _orthogonal(q, basis, j):
    """Make q a unit vector orthogonal to the first j rows of the basis."""
    for turn in range(3):
        length = q.dtype.type(length_of(q))
        for i in range(q.size):
            q[i] = q[i] / length
        if turn == 2 or j == 0:
            return
        for i in range(j):
            add(q, -scalar_product(q, basis[i]), basis[i])


@quick
def _combined(out, rows, weights):
    """out ← this combination of the first rows."""
    out[:] = 0.0
    for i in range(weights.size):
        add(out, out.dtype.type(weights[i]), rows[i])


@quick
def _residual_of(out, ritz, i, n):
    """out ← A u − θ u for the i-th Ritz vector in n rows of the basis; its length."""
    for k in range(n):
        ritz.weight[k] = ritz.vectors[k, ritz.order[i]]
    _combined(out, ritz.pulled, ritz.weight[:n])
    for k in range(n):
        add(out, out.dtype.type(-ritz.theta[i] * ritz.weight[k]), ritz.basis[k])
    return length_of(out)


@strict
def _diagonalise(a, vectors, order):
    """Eigenvectors of the symmetric a into the columns of vectors, its eigenvalues onto its diagonal; by Jacobi.

    order ← their places, the largest first.
    """
    size = a.shape[0]
    for i in range(size):
        for k in range(size):
            vectors[i, k] = 0.0
        vectors[i, i] = 1.0
    for _ in range(40):
        off, on = 0.0, 0.0
        for i in range(size):
            on += a[i, i] * a[i, i]
            for k in range(i):
                off += a[i, k] * a[i, k]
        if off <= 1e-32 * on or off == 0.0:
            break
        for p in range(size - 1):
            for q in range(p + 1, size):
                if a[p, q] == 0.0:
                    continue
                theta = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
                t = 1.0 / (abs(theta) + np.hypot(theta, 1.0))
                t = t if theta >= 0.0 else -t
                c = 1.0 / np.sqrt(t * t + 1.0)
                s = t * c
                for k in range(size):
                    f, g = a[k, p], a[k, q]
                    a[k, p], a[k, q] = c * f - s * g, s * f + c * g
                for k in range(size):
                    f, g = a[p, k], a[q, k]
                    a[p, k], a[q, k] = c * f - s * g, s * f + c * g
                    f, g = vectors[k, p], vectors[k, q]
                    vectors[k, p], vectors[k, q] = c * f - s * g, s * f + c * g
                a[p, q] = a[q, p] = 0.0
    for i in range(size):
        place = i
        while place > 0 and a[order[place - 1], order[place - 1]] < a[i, i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i


@strict
def _rule(table, overlap, value, before):
    """The place in the table: see `curvature.stopping.rules_of`."""
    turn = np.sqrt(max(0.0, 1.0 - overlap * overlap))
    place = 0
    while place < table.shape[0] - 1 and turn > table[place, TURN]:
        place += 1
    return place if value >= before.fall * before.value else max(place, before.fallen)


@strict
def _good(theta, i, known, error, limit, residual, estimate):
    """Whether the i-th of the known values, falling, is good enough: see `curvature.subspace`."""
    gap = np.inf
    if i > 0:
        gap = theta[i - 1] - theta[i]
    if i + 1 < known:
        gap = min(gap, theta[i] - theta[i + 1])
    gap -= error
    guess = error * error / gap if gap > error else error
    return error <= residual * limit and guess <= estimate * limit


@strict
def follow(operator, root, block, stopping, table, before, space, answers):
    """Solve one lane's `records.Operator` from ``block`` [rows, size], and write its `Answers`.

    Returns the number of products and that of the rule in `fast.curvature.RULES`. root: as for `curvature.solve`.
    stopping: `Stopping`. table: `stopping.RULES`. before: `Before`. space: `Basis`, which is overwritten.
    """
    tolerance, wanted, along = stopping.tolerance, stopping.wanted, before.along
    basis, pulled = space.vectors, space.pulled
    rows, size = block.shape
    most = pulled.shape[0]
    w, rooted = basis[most], basis[most + 1]  # rows at hand
    small, a, vectors = np.zeros((most, most)), np.zeros((most, most)), np.zeros((most, most))
    theta, order, seen = np.zeros(most), np.zeros(most, np.int64), np.zeros((2, wanted))
    seen[:, :] = np.nan
    weight = np.zeros(most)
    ritz = Ritz(basis, pulled, vectors, order, theta, weight)
    w[size:] = 0.0
    rooted[size:] = 0.0
    for j in range(most):
        q = basis[j]
        q[size:] = 0.0
        if j < rows:
            for i in range(size):
                q[i] = block[j, i]
        else:
            for i in range(size):
                q[i] = w[i]
        _orthogonal(q, basis, j)
        part, out = q[:size], pulled[j]
        out[size:] = 0.0
        if root.size:
            times(rooted[:size], part, root)
            part = rooted[:size]
        product(operator, part, out[:size])
        if root.size:
            times(out[:size], out[:size], root)
        for i in range(j + 1):
            along_basis = np.float64(scalar_product(out, basis[i]))
            if not np.isfinite(along_basis):
                return j + 1, NONFINITE
            small[i, j] = along_basis
            small[j, i] = along_basis
        n = j + 1
        if n < rows:
            continue
        for i in range(n):
            for k in range(n):
                a[i, k] = small[i, k]
        _diagonalise(a[:n, :n], vectors[:n, :n], order)
        norm = 0.0
        for i in range(n):
            theta[i] = a[order[i], order[i]]
            norm = max(norm, abs(theta[i]))
        found = min(wanted, n)
        products, residual, estimate, crowding = 3.0, 1.0, 0.0, 1.0
        if along:
            place = before.audited if before.audit else _rule(table, vectors[0, order[0]], theta[0], before)
            products, residual = table[place, PRODUCTS], table[place, RESIDUAL]
            estimate, crowding = table[place, ERROR], table[place, CROWDING]
        rule, good, error = 0, 0, 0.0  # values that are good; the residual of the first other one is in w
        for i in range(min(found + 1, n)):
            error, limit = _residual_of(w, ritz, i, n), tolerance * abs(theta[i])
            if i == found:
                break
            if along:
                if not _good(theta, i, n, error, limit, residual, estimate):
                    break
            else:
                change, earlier = abs(theta[i] - seen[0, i]), abs(seen[0, i] - seen[1, i])
                if not (change <= 0.5 * limit and earlier <= 0.5 * limit and error <= limit):
                    break
            good = i + 1
        if n == most:
            rule = EXHAUSTED if n == size else BUDGET
        if good == found and n >= max(products, wanted):
            distance = np.inf
            if along and n > found:
                distance = max(theta[found - 1] - theta[found], tolerance * abs(theta[found - 1]))
            if n == found or error <= crowding * distance:
                rule = CONVERGED
        for i in range(min(found + 1, n)):
            if error > stopping.noise * norm:
                break
            error = _residual_of(w, ritz, i, n)  # that one is rounding
        if error <= stopping.noise * norm:
            rule = EXHAUSTED
        for i in range(found):
            seen[1, i] = seen[0, i]
            seen[0, i] = theta[i]
        if rule:
            for i in range(found):
                error = _residual_of(w, ritz, i, n)
                answers.values[i] = theta[i]
                answers.residuals[i] = 0.0 if error == 0.0 else error / abs(theta[i])
            for i in range(min(rows, n)):
                for k in range(n):
                    weight[k] = vectors[k, order[i]]
                _combined(w, basis, weight[:n])
                length = w.dtype.type(length_of(w))
                for k in range(size):
                    answers.vectors[i, k] = w[k] / length
            return n, rule
    return most, NONFINITE
