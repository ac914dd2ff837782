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
from mlrtui_trainer.fast.records import Extent, Rows, Strided

__all__ = [
    "ADDED",
    "RECTIFIED",
    "SET",
    "VECTOR",
    "add_outer",
    "dot",
    "multiply",
    "multiply_at",
    "rectify",
    "stride",
    "transpose",
    "whole",
]


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
NEAR = 3  # rows of A that are addressed from one register
SET, ADDED, RECTIFIED = 0, 1, 2  # what a product does with C
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


def _hidden(builder, address):
    """The same address, of which the compiler does not know how it came about."""
    same = ir.InlineAsm(ir.FunctionType(address.type, [address.type]), "", "=r,0", side_effect=False)
    return builder.call(same, [address])


def _moving(builder, address):
    """A place for an address that moves, hidden: the compiler would reckon one row of A from the other, a chain of
    additions that takes longer than the products."""
    place = cgutils.alloca_once(builder, address.type)
    builder.store(_hidden(builder, address), place)
    return place


def _integers(context, builder, kind, value):
    """The fields of a NamedTuple of integers, 64 bits each."""
    fields = [builder.extract_value(value, i) for i in range(len(kind))]
    return [context.cast(builder, field, own, types.int64) for field, own in zip(fields, kind, strict=True)]


@intrinsic(prefer_literal=True)
def _tile(typingctx, rows, vectors, terms, factor, a, b, c, added):
    """C ← factor A B, see `multiply`; C is ``rows`` × ``vectors`` vectors.

    a: `Strided`; b, c: `Rows`.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    down, across, real = rows.literal_value, vectors.literal_value, factor

    def build(context, builder, signature, args):
        _, _, count, factor, _, _, _, added = args
        (a, a_row, a_column), (b, b_row), (c, c_row) = (
            _integers(context, builder, own, value) for own, value in zip(signature.args[4:7], args[4:7], strict=True)
        )
        kind, number = _vector_of(context, real)
        i64 = ir.IntType(64)
        fma = _multiply_add(builder, kind, real)
        at, bytes_of = _pointers(builder, real), real.bitwidth // 8
        sums = [[cgutils.alloca_once(builder, kind) for _ in range(across)] for _ in range(down)]
        for each in (each for row in sums for each in row):
            builder.store(ir.Constant(kind, None), each)
        columns = [ir.Constant(i64, j * kind.count) for j in range(across)]
        starts = [at(a, builder.mul(a_row, ir.Constant(i64, i)), number) for i in range(0, down, NEAR)]
        rows = [_moving(builder, builder.ptrtoint(start, i64)) for start in starts]
        along = _moving(builder, b)
        steps = [builder.mul(stride, ir.Constant(i64, bytes_of)) for stride in (a_column, b_row)]
        with cgutils.for_range(builder, count):
            place = builder.load(along)
            right = [builder.load(at(place, j, kind), align=bytes_of) for j in columns]
            for i, row in enumerate(sums):
                near = builder.mul(a_row, ir.Constant(i64, i % NEAR))
                left = _spread(builder, builder.load(at(builder.load(rows[i // NEAR]), near, number)), kind)
                for each, vector in zip(row, right, strict=True):
                    builder.store(builder.call(fma, [left, vector, builder.load(each)]), each)
            for moving, step in [*((row, steps[0]) for row in rows), (along, steps[1])]:
                builder.store(builder.add(builder.load(moving), step), moving)
        by = _spread(builder, factor, kind)
        zero = ir.Constant(kind, None)
        for mode in (ADDED, SET, RECTIFIED):
            with builder.if_then(builder.icmp_signed("==", added, ir.Constant(added.type, mode))):
                for i, row in enumerate(sums):
                    for each, j in zip(row, columns, strict=True):
                        place = at(c, builder.add(builder.mul(c_row, ir.Constant(i64, i)), j), kind)
                        value = builder.load(each)
                        if mode == ADDED:
                            value = builder.call(fma, [value, by, builder.load(place, align=bytes_of)])
                        else:
                            value = builder.fmul(value, by)
                        if mode == RECTIFIED:
                            value = builder.select(builder.fcmp_ordered("<=", value, zero), zero, value)
                        builder.store(value, place, align=bytes_of)
        return context.get_dummy_value()

    i = types.int64
    return types.void(rows, vectors, i, real, a, b, c, i), build


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


@intrinsic
def rectify(typingctx, like, address, count):
    """So many whole vectors at an address: what is at most 0 becomes 0, NaN stays.

    It is stored through a hidden address: the compiler makes of a choice in place a store under a mask, which is slow
    without AVX-512.
    """

    def build(context, builder, signature, args):
        _, address, count = args
        kind, _ = _vector_of(context, like.dtype)
        at, bytes_of = _pointers(builder, like.dtype), like.dtype.bitwidth // 8
        zero, into = ir.Constant(kind, None), _hidden(builder, address)
        with cgutils.for_range(builder, count) as loop:
            first = builder.mul(loop.index, ir.Constant(ir.IntType(64), kind.count))
            value = builder.load(at(address, first, kind), align=bytes_of)
            chosen = builder.select(builder.fcmp_ordered("<=", value, zero), zero, value)
            builder.store(chosen, at(into, first, kind), align=bytes_of)
        return context.get_dummy_value()

    i = types.int64
    return types.void(like, i, i), build


def _rows(rows, vectors):
    """From row i on as many tiles of so many rows and vectors as fit; the first row that is left.

    Two rows beside six are four and four: a tile of two waits for its own sums.
    """
    spared = rows + 2 if rows == 6 else 0

    @quick
    def tiled(i, item, extent, factor, a, b, c, added):
        while i + rows <= extent.rows and extent.rows - i != spared:
            left, into = Strided(a.at + item * i * a.row, a.row, a.column), Rows(c.at + item * i * c.row, c.row)
            _tile(rows, vectors, extent.terms, factor, left, b, into, added)
            i += rows
        return i

    return tiled


def _strip(vectors):
    """The product for columns of C that ``vectors`` vectors hold."""
    most, four, two, one = (_rows(rows, vectors) for rows in (ROWS, 4, 2, 1))

    @quick
    def strip(item, extent, factor, a, b, c, added):
        i = most(0, item, extent, factor, a, b, c, added)
        if ROWS > 4:
            i = four(i, item, extent, factor, a, b, c, added)
        i = two(i, item, extent, factor, a, b, c, added)
        one(i, item, extent, factor, a, b, c, added)

    return strip


_one, _two, _four = _strip(1), _strip(2), _strip(4)


def _product_type(real):
    """The signature of a product of such numbers, by address."""
    i = types.int64
    extent, a = types.NamedUniTuple(i, 3, Extent), types.NamedUniTuple(i, 3, Strided)
    rows = types.NamedUniTuple(i, 2, Rows)
    return types.void(extent, real, a, rows, rows, i)


@cache
def multiply_at(*, double: bool) -> int:
    """The address of the compiled product of float64 (``double``) or float32, for `multiply`.

    It is compiled by itself: within its callers it would be compiled again for each.
    """
    item = 8 if double else 4
    vector = VECTOR // item

    def by_strips(extent, factor, a, b, c, added):
        j = 0
        while j < extent.columns:
            right, into = Rows(b.at + item * j, b.row), Rows(c.at + item * j, c.row)
            if VECTORS == 4 and j + 4 * vector <= extent.columns:
                _four(item, extent, factor, a, right, into, added)
                j += 4 * vector
            elif j + 2 * vector <= extent.columns:
                _two(item, extent, factor, a, right, into, added)
                j += 2 * vector
            else:
                _one(item, extent, factor, a, right, into, added)
                j += vector

    return callback(by_strips, _product_type(types.float64 if double else types.float32))


@intrinsic
def multiply(typingctx, address, extent, factor, a, b, c, added):
    """C ← factor A B; where ``added`` is `ADDED`, C ← C + factor A B; `RECTIFIED`: what is at most 0 becomes 0.

    address: of what `multiply_at` compiled for the factor's kind of numbers. extent: `Extent`, its columns in whole
    vectors; the last of a row may hold what nobody asks for. a: `Strided`; b, c: `Rows` of such numbers.
    """

    def build(context, builder, signature, args):
        given = list(args[1:])
        for at in (0, 2, 3, 4):
            numbers = _integers(context, builder, signature.args[1 + at], given[at])
            given[at] = cgutils.pack_array(builder, numbers)
        function = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), given)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, extent, factor, a, b, c, i), build


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
def add_outer(address, extent, factor, a, b, into, added, edge):
    """The matrix at ``into``, without gaps, set or add factor · Σ a[row, k] b[k, column] over the terms k.

    address: see `multiply`. a, b: `Rows`, those of b in whole vectors. edge: an array with space for a vector a row.
    """
    rows, columns, terms = extent
    item = edge.itemsize
    vector = VECTOR // item
    full = columns // vector * vector
    left = Strided(a.at, a.row, 1)
    multiply(address, Extent(rows, full, terms), factor, left, b, Rows(into, columns), added)
    if full == columns:
        return
    last = Rows(b.at + item * full, b.row)
    multiply(address, Extent(rows, vector, terms), factor, left, last, Rows(edge.ctypes.data, vector), 0)
    matrix = carray(pointer(into, edge), rows * columns)
    for i in range(rows):
        for j in range(full, columns):
            sum_of = edge[i * vector + j - full]
            matrix[i * columns + j] = matrix[i * columns + j] + sum_of if added else sum_of
