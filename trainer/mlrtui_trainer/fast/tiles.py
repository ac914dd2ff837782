"""Matrix products and transposition by vector instructions, for compiled code.

A product goes by tiles that stay in registers; every number of it is one chain of multiplications and additions
in the order of the sum, wherever it lies and whatever lies beside it. At the sizes of small nets this is quicker than
BLAS, which copies its operands first.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import platform
from functools import cache

import llvmlite.binding
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils, config
from numba.extending import intrinsic

from mlrtui_trainer.fast.basics import callback, pointer, quick

__all__ = ["VECTOR", "add_outer", "dot", "multiply", "multiply_at", "stride", "transpose", "whole"]


def _vector() -> int:
    """Bytes of a vector register of the machine that is compiled for."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return 16
    chosen = config.CPU_NAME is not None or config.CPU_FEATURES is not None  # by the user, for another machine
    features = {} if chosen else llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32


VECTOR = _vector()
FEW = VECTOR == 32  # vector registers: x86 has 16 of that size, 32 of the largest, as ARM has
ROWS, VECTORS = (6, 2) if FEW else (4, 4)  # of a tile: its sums, a row of vectors and one number take 15 and 21
DOTS = 4  # vectors of sums that a dot product goes by: one would wait for itself


def _vector_of(context, number):
    """The type of a vector of such numbers, and of one of them."""
    kind = context.get_data_type(number)
    return ir.VectorType(kind, VECTOR * 8 // number.bitwidth), kind


def _shuffle(builder, one, other, places):
    """Numbers of two vectors by their places, those of the second after those of the first."""
    kind = ir.VectorType(ir.IntType(32), len(places))
    return builder.shuffle_vector(one, other, ir.Constant(kind, places))


def _spread(builder, number, kind):
    """A vector of one number."""
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, empty, [0] * kind.count)


def _pointers(builder, number):
    """From an address in bytes and a distance in numbers to a pointer of some type."""
    size = ir.Constant(ir.IntType(64), number.bitwidth // 8)

    def at(address, distance, kind):
        return builder.inttoptr(builder.add(address, builder.mul(distance, size)), kind.as_pointer())

    return at


def _multiply_add(builder, kind, number):
    """Multiplication and addition of such vectors of numbers, in one where the machine has it."""
    name = f"llvm.fmuladd.v{kind.count}f{number.bitwidth}"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)


@intrinsic(prefer_literal=True)
def _tile(typingctx, rows, vectors, count, factor, a, a_row, a_column, b, b_row, c, c_row, added):
    """C ← factor A B, or C ← C + factor A B where ``added`` is not 0; C is ``rows`` × ``vectors`` vectors.

    a, b, c: addresses. A [rows, count] has any two strides, rows of B and C lie without gaps; strides are in numbers.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    down, across, real = rows.literal_value, vectors.literal_value, factor

    def build(context, builder, signature, args):
        _, _, count, factor, a, a_row, a_column, b, b_row, c, c_row, added = args
        kind, number = _vector_of(context, real)
        i64 = ir.IntType(64)
        fma = _multiply_add(builder, kind, real)
        at, bytes_of = _pointers(builder, real), real.bitwidth // 8
        sums = [[cgutils.alloca_once(builder, kind) for _ in range(across)] for _ in range(down)]
        for each in (each for row in sums for each in row):
            builder.store(ir.Constant(kind, None), each)
        columns = [ir.Constant(i64, j * kind.count) for j in range(across)]
        with cgutils.for_range(builder, count) as loop:
            along = builder.mul(loop.index, b_row)
            own = builder.mul(loop.index, a_column)
            right = [builder.load(at(b, builder.add(along, j), kind), align=bytes_of) for j in columns]
            for i, row in enumerate(sums):
                place = builder.add(own, builder.mul(a_row, ir.Constant(i64, i)))
                left = _spread(builder, builder.load(at(a, place, number)), kind)
                for each, vector in zip(row, right, strict=True):
                    builder.store(builder.call(fma, [left, vector, builder.load(each)]), each)
        by = _spread(builder, factor, kind)
        adds = builder.icmp_signed("!=", added, ir.Constant(added.type, 0))
        for keep in (True, False):
            with builder.if_then(adds if keep else builder.not_(adds)):
                for i, row in enumerate(sums):
                    for each, j in zip(row, columns, strict=True):
                        place = at(c, builder.add(builder.mul(c_row, ir.Constant(i64, i)), j), kind)
                        value = builder.load(each)
                        if keep:
                            value = builder.call(fma, [value, by, builder.load(place, align=bytes_of)])
                        else:
                            value = builder.fmul(value, by)
                        builder.store(value, place, align=bytes_of)
        return context.get_dummy_value()

    i = types.int64
    return types.void(rows, vectors, i, real, i, i, i, i, i, i, i, i), build


@intrinsic
def _transpose_block(typingctx, like, source, source_row, target, target_row):
    """A square of as many numbers as a vector has, rows to columns, from one address to another."""

    def build(context, builder, signature, args):
        _, source, source_row, target, target_row = args
        kind, _ = _vector_of(context, like.dtype)
        at, bytes_of, size = _pointers(builder, like.dtype), like.dtype.bitwidth // 8, kind.count
        i64 = ir.IntType(64)

        def places(address, row):
            return [at(address, builder.mul(row, ir.Constant(i64, i)), kind) for i in range(size)]

        lines = [builder.load(place, align=bytes_of) for place in places(source, source_row)]
        apart = 1
        while apart < size:  # changes one bit of the row's number against the same bit of the column's
            low = [j if not j & apart else size + j - apart for j in range(size)]
            high = [j + apart if not j & apart else size + j for j in range(size)]
            for i in (i for i in range(size) if not i & apart):
                one, other = lines[i], lines[i + apart]
                lines[i] = _shuffle(builder, one, other, low)
                lines[i + apart] = _shuffle(builder, one, other, high)
            apart *= 2
        for line, place in zip(lines, places(target, target_row), strict=True):
            builder.store(line, place, align=bytes_of)
        return context.get_dummy_value()

    i = types.int64
    return types.void(like, i, i, i, i), build


@intrinsic
def dot(typingctx, total, count, like, a, b):
    """Σ a b of so many whole vectors at two addresses, in the precision of ``total``, a number that is added."""
    exact, stored = total, like.dtype

    def build(context, builder, signature, args):
        total, count, _, a, b = args
        kind, _ = _vector_of(context, stored)
        precise = ir.VectorType(context.get_data_type(exact), kind.count)
        i64 = ir.IntType(64)
        fma = _multiply_add(builder, precise, exact)
        at, bytes_of = _pointers(builder, stored), stored.bitwidth // 8
        sums = [cgutils.alloca_once(builder, precise) for _ in range(DOTS)]
        for each in sums:
            builder.store(ir.Constant(precise, None), each)

        def load(address, vector):
            value = builder.load(at(address, builder.mul(vector, ir.Constant(i64, kind.count)), kind), align=bytes_of)
            return value if precise == kind else builder.fpext(value, precise)

        def step(vector, each):
            builder.store(builder.call(fma, [load(a, vector), load(b, vector), builder.load(each)]), each)

        by = ir.Constant(i64, DOTS)
        turns = builder.sdiv(count, by)
        with cgutils.for_range(builder, turns) as loop:
            first = builder.mul(loop.index, by)
            for i, each in enumerate(sums):
                step(builder.add(first, ir.Constant(i64, i)), each)
        done = builder.mul(turns, by)
        with cgutils.for_range(builder, builder.sub(count, done)) as loop:
            step(builder.add(done, loop.index), sums[0])
        values = [builder.load(each) for each in sums]
        while len(values) > 1:
            values = [builder.fadd(one, other) for one, other in zip(values[::2], values[1::2], strict=True)]
        value, apart = values[0], kind.count // 2
        while apart:
            value = builder.fadd(
                value, _shuffle(builder, value, value, [(i + apart) % kind.count for i in range(kind.count)])
            )
            apart //= 2
        return builder.fadd(total, builder.extract_element(value, ir.Constant(ir.IntType(32), 0)))

    i = types.int64
    return exact(exact, i, like, i, i), build


def _rows(rows, vectors):
    """From row i on as many tiles of so many rows and vectors as fit; the first row that is left."""

    @quick
    def tiled(i, item, m, k, factor, a, a_row, a_column, b, b_row, c, c_row, added):
        while i + rows <= m:
            _tile(rows, vectors, k, factor, a + item * i * a_row, a_row, a_column, b, b_row,
                  c + item * i * c_row, c_row, added)  # fmt: skip
            i += rows
        return i

    return tiled


def _strip(vectors):
    """The product for columns of C that ``vectors`` vectors hold."""
    most, two, one = _rows(ROWS, vectors), _rows(2, vectors), _rows(1, vectors)

    @quick
    def strip(item, m, k, factor, a, a_row, a_column, b, b_row, c, c_row, added):
        i = most(0, item, m, k, factor, a, a_row, a_column, b, b_row, c, c_row, added)
        i = two(i, item, m, k, factor, a, a_row, a_column, b, b_row, c, c_row, added)
        one(i, item, m, k, factor, a, a_row, a_column, b, b_row, c, c_row, added)

    return strip


_one, _two, _four = _strip(1), _strip(2), _strip(4)


@cache
def multiply_at(*, double: bool) -> int:
    """The address of the compiled product of float64 (``double``) or float32, for `multiply`.

    It is compiled by itself: within its callers it would be compiled again for each.
    """
    item = 8 if double else 4
    vector = VECTOR // item
    i, real = types.int64, types.float64 if double else types.float32

    def by_strips(m, n, k, factor, a, a_row, a_column, b, b_row, c, c_row, added):
        j = 0
        while j < n:
            right, into = b + item * j, c + item * j
            if VECTORS == 4 and j + 4 * vector <= n:
                _four(item, m, k, factor, a, a_row, a_column, right, b_row, into, c_row, added)
                j += 4 * vector
            elif j + 2 * vector <= n:
                _two(item, m, k, factor, a, a_row, a_column, right, b_row, into, c_row, added)
                j += 2 * vector
            else:
                _one(item, m, k, factor, a, a_row, a_column, right, b_row, into, c_row, added)
                j += vector

    return callback(by_strips, types.void(i, i, i, real, i, i, i, i, i, i, i, i))


@intrinsic
def multiply(typingctx, address, m, n, k, factor, a, a_row, a_column, b, b_row, c, c_row, added):
    """C ← factor A B, or C ← C + factor A B where ``added`` is not 0; A is [m, k], B [k, n], k from 1 on.

    address: of what `multiply_at` compiled for the factor's kind of numbers; a, b, c: of such numbers. Strides count
    numbers; rows of B and C have no gaps. n is in whole vectors: the last of a row may hold what nobody asks for.
    """

    def build(context, builder, signature, args):
        function = ir.FunctionType(ir.VoidType(), [value.type for value in args[1:]])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, i, i, factor, i, i, i, i, i, i, i, i), build


@quick
def whole(numbers, item):
    """So many numbers of ``item`` bytes, rounded up to vectors."""
    vector = VECTOR // item
    return (numbers + vector - 1) // vector * vector


@quick
def stride(numbers, item):
    """From one row of a matrix to the next, in numbers of ``item`` bytes: an odd number of vectors, so that the
    rows of a column fall into different parts of the cache."""
    vector = VECTOR // item
    vectors = whole(numbers, item) // vector
    return (vectors + 1 - vectors % 2) * vector


@quick
def transpose(source, source_row, rows, columns, target, target_row, like):
    """Target [columns, rows] ← source [rows, columns], by addresses; strides count numbers."""
    item = like.itemsize
    block = VECTOR // item
    down, across = rows // block * block, columns // block * block
    for i in range(0, down, block):
        for j in range(0, across, block):
            _transpose_block(like, source + item * (i * source_row + j), source_row,
                             target + item * (j * target_row + i), target_row)  # fmt: skip
    old = carray(pointer(source, like), (rows - 1) * source_row + columns)
    new = carray(pointer(target, like), (columns - 1) * target_row + rows)
    for i in range(rows):
        for j in range(across if i < down else 0, columns):
            new[j * target_row + i] = old[i * source_row + j]


@quick
def add_outer(into, added, factor, a, a_row, b, b_row, count, rows, columns, spare, like, address):
    """Into [rows, columns], without gaps, set or add factor · Σ a[row, k] b[k, column] over ``count`` k; by addresses.

    Rows of b are whole vectors. spare: where in the array ``like`` there is room for a vector a row.
    """
    item = like.itemsize
    vector = VECTOR // item
    full = columns // vector * vector
    multiply(address, rows, full, count, factor, a, a_row, 1, b, b_row, into, columns, added)
    if full == columns:
        return
    multiply(address, rows, vector, count, factor, a, a_row, 1, b + item * full, b_row,
             like.ctypes.data + item * spare, vector, 0)  # fmt: skip
    matrix = carray(pointer(into, like), rows * columns)
    for i in range(rows):
        for j in range(full, columns):
            sum_of = like[spare + i * vector + j - full]
            matrix[i * columns + j] = matrix[i * columns + j] + sum_of if added else sum_of
