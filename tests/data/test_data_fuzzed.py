"""Pickles and NumPy files made of pieces and of damaged real ones, read in a child process that must survive them all.

200 of each kind by default, many more with MLRTUI_TEST_FULL=1; the same ones in every run.
"""

import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = 10_000 if os.environ.get("MLRTUI_TEST_FULL") == "1" else 60
bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Child:
    """The process that reads."""

    def __init__(self, kind: str, folder: Path) -> None:
        program = Path(__file__).with_name("data_reader_process.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program), kind, str(folder / "data.npz")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=False,
        )

    def read(self, content: bytes) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(len(content).to_bytes(4, "little") + content)
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        assert answer, f"the reader died with code {self.process.wait()}"
        assert not answer.startswith("broke"), answer
        return answer


@pytest.fixture
def child(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Child]:
    made = Child(request.param, tmp_path)
    try:
        yield made
    finally:
        made.process.communicate()
        assert made.process.returncode == 0


ROWS = np.arange(4 * 3072, dtype=np.uint8).reshape(4, 3072)
BATCH = {b"labels": [0, 3, 9, 1], b"data": ROWS, b"batch_label": b"b", b"filenames": [b"a", "b"]}
REAL = [pickle.dumps(BATCH, protocol=number) for number in (2, 3, 4, 5)]

# What a batch is made of, what it must not be made of, and what only a hostile hand would write.
PIECES = [
    *(struct.pack("<BI", ord("B"), 8) + b"A" * 8, b"C\x08" + b"A" * 8, b"U\x03abc", b"X\x04\0\0\0data"),
    *(b"K\x01", b"K\x00", b"K\x03", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8a\x01\x05"),
    b"\x8b\x04\0\0\0\xff\xff\xff\x7f",
    *(b"(", b")", b"]", b"}", b"t", b"l", b"d", b"a", b"e", b"s", b"u", b"0", b"1", b"2", b"N", b"\x88", b"\x89"),
    *(b"\x85", b"\x86", b"\x87", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"\x94", b"j\0\0\0\0", b"r\xff\xff\xff\xff"),
    *(b"R", b"b", b"\x81", b"\x92", b"o", b"i__builtin__\neval\n", b"P0\n", b"Q", b"\x82\x01", b"\x97", b"\x98"),
    *(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"c_codecs\nencode\n"),
    *(b"cnumpy._core.numeric\n_frombuffer\n", b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nmemmap\n", b"\x93"),
    *(b"X\x06\0\0\0latin1", b"U\x02u1", b"X\x02\0\0\0u1", b"U\x01O", b"X\x02\0\0\0O8", b"U\x01|", b"U\x01<", b"U\x01b"),
    *(b"\x8e" + b"\xff" * 8, b"\x96\x04\0\0\0\0\0\0\0abcd", b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"),
    *(b"I999999\n", b"F1e999\n"),
    *(b"S'a\\x41'\n", b"Vtext\n", b"L9L\n", b"\x95\xff\xff\xff\xff\xff\xff\xff\xff", b"\x80\x02", b"\x80\x05", b"."),
]  # fmt: skip


def pieces_of(real: bytes) -> list[bytes]:
    """A real batch cut between its opcodes."""
    at = [place for _, _, place in pickletools.genops(real) if place is not None]
    return [real[start:end] for start, end in zip(at, [*at[1:], len(real)], strict=True)]


@st.composite
def damaged(draw: st.DrawFn, reals: list[bytes]) -> bytes:
    """A real file with some of its bytes changed, taken out or put in."""
    raw = bytearray(draw(st.sampled_from(reals)))
    for _ in range(draw(st.integers(1, 6))):
        # most bytes are pixels; the interesting ones are near the ends
        near = draw(st.integers(0, 400))
        at = near if draw(st.booleans()) else max(len(raw) - 1 - near, 0)
        how = draw(st.sampled_from("cdi"))
        raw[at : at + (how != "i")] = (
            b"" if how == "d" else draw(st.binary(min_size=1, max_size=1 if how == "c" else 9))
        )
    return bytes(raw)


@st.composite
def shuffled(draw: st.DrawFn) -> bytes:
    """The opcodes of a real batch with foreign ones between them, or in place of some."""
    pieces = list(pieces_of(draw(st.sampled_from(REAL))))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(pieces) - 1))
        pieces[at : at + draw(st.integers(0, 2))] = [draw(st.sampled_from(PIECES))]
    return b"".join(pieces)


made_up = st.lists(st.sampled_from(PIECES), max_size=40).map(lambda found: b"\x80\x02" + b"".join(found) + b".")


@pytest.mark.parametrize("child", ["pickle"], indirect=True)
def test_no_pickle_breaks_its_reader(child: Child) -> None:
    for real in REAL:
        assert child.read(real) == "read uint8 (4, 3072) uint8 (4,)"

    @bounded
    @given(st.one_of(made_up, shuffled(), damaged(REAL), st.binary(max_size=200)))
    def survives(content: bytes) -> None:
        child.read(content)

    survives()


_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
HOSTILE = {
    # np.ndarray((1,), dtype("O"), b"A" * 8) makes an object pointer out of the file's bytes
    "pointer": b"\x80\x03}(U\x04dataK\x01U\x06labels]cnumpy\nndarray\nK\x01\x85cnumpy\ndtype\nU\x01O\x85R"
    b"C\x08AAAAAAAA\x87Rau.",
    "objects": b"\x80\x02}(U\x06labels" + _ARRAY + b"K\x00\x85U\x01b\x87R"
    b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02O8\x85R\x89]K\x00atbu.",
    "a type alone": b"\x80\x02cnumpy\ndtype\nU\x02u1\x85R(K\x03U\x01|U\x01NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    "a huge array": b"\x80\x02" + _ARRAY + b"\x8b\x04\0\0\0\xff\xff\xff\x7f\x85U\x01b\x87R.",
    # 2^60 numbers if somebody made an array of them
    "lists within lists": b"\x80\x02}(U\x06labels]K\x01a" + b"q\x01]h\x01ah\x01a" * 60 + b"u.",
    "a list in itself": b"\x80\x02}(U\x06labels]q\x01h\x01au.",
    "tuples as a key": b"\x80\x02)" + b"q\x01h\x01h\x01\x86" * 60 + b"q\x02}h\x02K\x01s.",
    "copies of a text": b"\x80\x02X\0\0\x01\0" + b"a" * 65536 + b"q\x01X\x06\0\0\0latin1q\x02c_codecs\nencode\nq\x03]"
    + b"h\x03h\x01h\x02\x86Ra" * 20_000 + b".",
    "marks": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "numbers": b"\x80\x02" + b"K\x01" * 5_000_000 + b".",
    "depth": b"\x80\x02" + b"]" * 190_000 + b"a" * 189_999 + b".",
}  # fmt: skip


@pytest.mark.parametrize("child", ["pickle"], indirect=True)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickles_are_refused(child: Child, kind: str) -> None:
    assert child.read(HOSTILE[kind]).startswith("refused")
    assert child.read(REAL[0]).startswith("read")  # and it lives on


def archive(x: bytes, y: bytes, how: int = zipfile.ZIP_STORED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", how) as made:
        made.writestr("x.npy", x)
        made.writestr("y.npy", y)
    return held.getvalue()


def npy(array: object) -> bytes:
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


ARRAYS = [npy(np.arange(12.0).reshape(6, 2)), npy(np.arange(6) % 2), npy(np.ones((6, 2, 2), ">f4", order="F"))]
ARCHIVES = [archive(ARRAYS[at], ARRAYS[1], how) for at in (0, 2) for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
WORDS = (
    *("{'descr': ", "'fortran_order': ", "'shape': ", "'<f8'", "'|O'", "'<i8'", "'<f16'", "'V9'", "'U0'", "True"),
    "False",
    *("(6, 2)", "(6,)", "()", "(0, 6)", "(10000000000, 2)", "(", ")", "[", "]", "{", "}", ",", "6", "L", "9" * 500),
    *("'", '"', ":", "-", "\\x00", "\n", "lambda", "None", "[('a', '<f8')]", "(6, 2), }\n", "f'{6}'"),
)  # fmt: skip


@st.composite
def headed(draw: st.DrawFn) -> bytes:
    """An archive of arrays with headers made of words."""
    text = "".join(draw(st.lists(st.sampled_from(WORDS), max_size=20))).encode()
    count = draw(st.sampled_from([len(text), len(text) + 9, 65535]))
    version = draw(st.sampled_from([1, 2, 3, 4]))
    size = struct.pack("<H" if version == 1 else "<I", count)
    x = b"\x93NUMPY" + bytes([version, 0]) + size + text + draw(st.binary(max_size=100))
    return archive(x, draw(st.sampled_from(ARRAYS)))


@pytest.mark.parametrize("child", ["npz"], indirect=True)
def test_no_archive_breaks_its_reader(child: Child) -> None:
    for real in ARCHIVES:
        assert child.read(real).startswith("read (6, 2")

    @bounded
    @given(st.one_of(headed(), damaged(ARCHIVES), damaged([ARCHIVES[1]]), st.binary(max_size=200)))
    def survives(content: bytes) -> None:
        child.read(content)

    survives()
