"""npy and npz: what NumPy writes is read, what we write NumPy reads, and nothing is believed."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire import npy, npz, zips

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES = ["<f2", "<f4", "<f8", ">f4", ">f8", "|i1", "<i4", "<i8", ">i8", "|u1", "<u2", "<u8"]
PLENTY = 1 << 30

numbers = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5))
)


def saved(array: NDArray[Any], **options: bool) -> bytes:
    """As ``numpy.save`` writes it."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def savez(arrays_by_name: dict[str, NDArray[Any]], *, compressed: bool = False) -> bytes:
    """As ``numpy.savez`` writes them."""
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, allow_pickle=True, **arrays_by_name)
    return file.getvalue()


def joined(parts: list[Any]) -> bytes:
    """The parts as a socket would send them."""
    return b"".join(map(bytes, parts))


def npy_with(header: str, data: bytes = b"") -> bytes:
    """A file with this header."""
    return npy.MAGIC + b"\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


@given(numbers, st.booleans())
def test_what_numpy_saves_is_read(array: NDArray[Any], fortran: bool) -> None:  # noqa: FBT001 - drawn
    """Every number type, order and byte order, to the bit."""
    sent = np.array(array, order="F" if fortran else "C")
    found = npy.read(saved(sent))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    assert found.tobytes() == array.astype(found.dtype).tobytes()


@given(numbers, st.booleans())
def test_numpy_loads_what_we_write(array: NDArray[Any], fortran: bool) -> None:  # noqa: FBT001 - drawn
    """Without pickle."""
    written = joined(npy.write(np.array(array, order="F" if fortran else "C")))
    found = np.load(io.BytesIO(written), allow_pickle=False)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@given(st.dictionaries(st.from_regex("[a-z_]{1,20}", fullmatch=True), numbers, max_size=4), st.booleans())
def test_what_numpy_savez_writes_is_read(sent: dict[str, NDArray[Any]], compressed: bool) -> None:  # noqa: FBT001 - drawn
    """Stored plainly or deflated."""
    found = npz.read(savez(sent, compressed=compressed), PLENTY)
    assert found.keys() == sent.keys()
    for name, array in sent.items():
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.astype(found[name].dtype).tobytes()


def test_numpy_loads_an_answer() -> None:
    """Objects have dotted names, scalars no axes, and null is not there."""
    answer = {
        "loss": np.inf,
        "reduction": "mean",
        "nothing": None,
        "slices": {"region.": {"north": {"loss": np.nan}}},
        "kl": {"by_class": np.ones(3, np.float32)},
        "gradients": np.arange(6.0).reshape(2, 3).T,
    }
    found = np.load(io.BytesIO(joined(npz.write(answer))), allow_pickle=False)
    assert sorted(found) == ["gradients", "kl.by_class", "loss", "reduction", "slices"]
    assert found["loss"].shape == ()
    assert found["loss"] == np.inf
    assert found["reduction"] == "mean"
    assert found["slices"] == '{"region.":{"north":{"loss":"NaN"}}}'
    assert found["kl.by_class"].dtype == np.float32
    np.testing.assert_array_equal(found["gradients"], answer["gradients"])


def test_an_answer_is_a_sound_zip_file() -> None:
    """By the judgement of Python's own reader."""
    written = zipfile.ZipFile(io.BytesIO(joined(npz.write({"a": np.arange(1000), "b": np.zeros(0)}))))
    assert written.testzip() is None


def test_large_arrays_are_sent_from_where_they_lie() -> None:
    """An answer is not copied to be written."""
    gradients = np.zeros((1000, 1000))
    tracemalloc.start()
    parts = npz.write({"gradients": gradients})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, parts)) > gradients.nbytes
    assert peak < 100_000


def test_aligned_numbers_are_a_view_of_the_body() -> None:
    """And read-only if it is."""
    body = saved(np.arange(1000.0))
    assert np.shares_memory(npy.read(body), np.frombuffer(body, np.uint8))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (saved(np.array([{}]), allow_pickle=True), "holds '|O'"),
        (saved(np.array(["a"])), "holds '<U1'"),
        (saved(np.array([1j])), "holds '<c16'"),
        (saved(np.array([True])), "holds '|b1'"),
        (saved(np.zeros(2, "f4,f4")), "header is not one"),
        (saved(np.zeros((2, 2, 2))), "at most two axes"),
        (saved(np.zeros(3))[:-1], "23 are there"),
        (saved(np.zeros(3)) + b"x", "25 are there"),
        (b"\x93NUMPY", "not in the format npy"),
        (b"\x93NUMPY\x01\x00\x10", "middle of its header"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "not in the format npy"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,)}"), "announced"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "at most two axes"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}"), "at most two axes"),
        (npy_with("{'descr': '<f9', 'fortran_order': False, 'shape': (1,)}", bytes(9)), "holds '<f9'"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (), 'x': 1}", bytes(8)), "not one"),
        (npy_with("{'descr': '<f8', 'shape': ()}", bytes(8)), "header is not one"),
        (npy_with("__import__('os').abort()"), "header is not one"),
        (npy_with("(" * 500), "header is not one"),
        (npy_with("-" * 500 + "1"), "header is not one"),
        (npy_with(" " * 513), "has 513 bytes"),
    ],
)
def test_arrays_that_are_refused(body: bytes, says: str) -> None:
    """Each with a sentence; nothing is executed, unpickled or allocated."""
    with pytest.raises(MalformedBodyError) as caught:
        npy.read(body, "logits")
    assert "logits" in str(caught.value)
    assert says in str(caught.value)


def test_a_bomb_in_a_member_is_not_inflated() -> None:
    """What the directory says is refused before anything is read; where it lies, little more than it says is made."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logits.npy", bytes(100_000_000))
    honest = file.getvalue()
    lying = bytearray(honest)
    directory = lying.index(b"PK\x01\x02")
    lying[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="larger than 64000000 bytes"):
        npz.read(honest, 64_000_000)
    with pytest.raises(MalformedBodyError, match="damaged"):
        npz.read(lying, 64_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_members_are_few() -> None:
    """A directory of thousands is refused before it is read."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(MalformedBodyError, match="more than 64 members"):
        npz.read(file.getvalue(), PLENTY)


def broken(change: dict[int, bytes], start: bytes = zips.MAGIC) -> bytes:
    """An npz file with bytes changed, counted from where this record starts."""
    body = bytearray(savez({"logits": np.zeros((2, 2))}))
    at = body.index(start)
    for offset, data in change.items():
        body[at + offset : at + offset + len(data)] = data
    return bytes(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x05\x06",
        savez({"logits": np.zeros(2)})[:-1],
        savez({"logits": np.zeros(2)}) + b"x",
        broken({0: b"PK\x03\x05"}),
        broken({26: b"\xff\xff"}),
        broken({-8: b"\x01"}, b"PK\x01\x02"),
        broken({0: b"PK\x01\x03"}, b"PK\x01\x02"),
        broken({8: b"\x01"}, b"PK\x01\x02"),
        broken({10: b"\x0c"}, b"PK\x01\x02"),
        broken({16: b"\x00\x00\x00\x00"}, b"PK\x01\x02"),
        broken({20: b"\xff\xff\xff\xff"}, b"PK\x01\x02"),
        broken({24: b"\x01"}, b"PK\x01\x02"),
        broken({42: b"\xff\xff\xff\x7f"}, b"PK\x01\x02"),
        broken({8: b"\x02\x00\x02\x00"}, b"PK\x05\x06"),
        broken({8: b"\x02"}, b"PK\x05\x06"),
        broken({16: b"\xff\xff\xff\x7f"}, b"PK\x05\x06"),
    ],
)
def test_zip_files_that_are_refused(body: bytes) -> None:
    """Cut off, damaged, encrypted, packed by other methods, or lying about where things are."""
    with pytest.raises(MalformedBodyError):
        npz.read(body, PLENTY)


def test_a_member_that_is_no_deflate_is_refused() -> None:
    """By the name of the member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logits.npy", bytes(100))
    body = bytearray(file.getvalue())
    body[30 + len("logits.npy")] = 0xFF
    with pytest.raises(MalformedBodyError, match=r"'logits\.npy' in the zip file is damaged"):
        npz.read(body, PLENTY)


def test_the_same_name_twice_is_refused() -> None:
    """One of the two would be silently lost."""
    parts = zips.write({"a.npy": npy.write(np.zeros(1)), "b.npy": npy.write(np.ones(1))})
    with pytest.raises(MalformedBodyError, match="same name"):
        npz.read(joined(parts).replace(b"b.npy", b"a.npy"), PLENTY)


class Vast(bytes):
    """Bytes that say that they are many."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1 << 32


def test_an_answer_beyond_the_format_is_refused() -> None:
    """The sizes of a plain zip file have 32 bits."""
    with pytest.raises(TooLargeError, match="4 GiB"):
        zips.write({"a": [Vast()]})


@given(st.binary(max_size=200), st.integers(0, 2000), st.booleans())
def test_rubbish_in_a_file_is_refused_or_read(change: bytes, at: int, compressed: bool) -> None:  # noqa: FBT001 - drawn
    """Never anything else, whatever is overwritten where."""
    body = bytearray(savez({"logits": np.eye(9), "targets": np.arange(9)}, compressed=compressed))
    body[at : at + len(change)] = change
    with suppress(MalformedBodyError, TooLargeError):
        npz.read(body, PLENTY)


@given(st.binary(max_size=100))
def test_rubbish_behind_the_magic_is_refused_or_read(rubbish: bytes) -> None:
    """Never anything else."""
    for body in (rubbish, npy.MAGIC + rubbish, npy.MAGIC + b"\x01\x00" + rubbish):
        with suppress(MalformedBodyError):
            npy.read(body)


def test_the_checksum_is_checked() -> None:
    """A flipped bit would be another number."""
    body = bytearray(savez({"logits": np.ones(8)}))
    at = body.index(np.ones(1).tobytes())
    body[at] ^= 1
    with pytest.raises(MalformedBodyError, match="damaged"):
        npz.read(body, PLENTY)
