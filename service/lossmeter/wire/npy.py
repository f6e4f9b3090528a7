"""NumPy's file format for one array (NEP 1): a short header, then the numbers as they lie in memory.

``numpy.load`` allocates what a header claims before it looks at the data, and unpickles objects if it is let.
Here the header is bounded and read as a literal, the data types are those of numbers, and the numbers are a
view of the body.
"""

from __future__ import annotations

import ast
import math
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.errors import MalformedBodyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Buffer = bytes | bytearray | memoryview

MAGIC: Final = b"\x93NUMPY"

_VERSIONS: Final = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}
_LONGEST_HEADER: Final = 512
_ALIGNMENT: Final = 64

_KINDS: Final = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8)}
"""Bytes per number, by kind: floats, signed and unsigned integers."""


def read(body: Buffer, name: str = "the body") -> NDArray[Any]:
    """The array, a view of the body where its numbers lie aligned and in this machine's byte order.

    Args:
        body: the whole file.
        name: what to call it in errors.

    Raises:
        MalformedBodyError: not this format, or an array that is not of numbers, or of more than two axes.
    """
    view = memoryview(body)
    dtype, fortran, shape, start = _header(view, name)
    data = view[start:]
    if math.prod(shape) * dtype.itemsize != len(data):
        wanted = " × ".join(map(str, (*shape, dtype.itemsize)))
        raise MalformedBodyError(f"{name}: {wanted} bytes of data are announced, {len(data)} are there.")
    flat = np.frombuffer(data, dtype) if len(data) else np.empty(0, dtype)
    numbers = np.require(flat.astype(dtype.newbyteorder("="), copy=False), requirements="A")
    return numbers.reshape(shape, order="F" if fortran else "C")


def write(values: NDArray[Any]) -> list[Buffer]:
    """The file as its header and the memory of the array, which is copied only if it is not contiguous."""
    # NumPy counts a vector as both; C order is what every other reader of the format knows.
    fortran = values.flags.f_contiguous and not values.flags.c_contiguous
    plain = values if fortran else np.ascontiguousarray(values).reshape(values.shape)
    described = {"descr": plain.dtype.str, "fortran_order": fortran, "shape": plain.shape}
    text = repr(described).encode("ascii")
    length = -(-(len(MAGIC) + 4 + len(text) + 1) // _ALIGNMENT) * _ALIGNMENT - len(MAGIC) - 4
    head = MAGIC + bytes((1, 0)) + struct.pack("<H", length) + text.ljust(length - 1) + b"\n"
    return [head, memory(plain.T if fortran else plain)]


def memory(values: NDArray[Any]) -> Buffer:
    """The bytes of a contiguous array, where they lie."""
    if not values.size:
        return b""
    return values.reshape(-1).view(np.uint8).data


def _header(view: memoryview, name: str) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Data type, order, shape, and where the data begin."""
    version = tuple(view[6:8])
    if bytes(view[:6]) != MAGIC or version not in _VERSIONS:
        raise MalformedBodyError(f"{name} is not in the format npy, of version 1, 2 or 3.")
    length = struct.Struct(_VERSIONS[version])
    start = 8 + length.size
    if len(view) < start:
        raise MalformedBodyError(f"{name} ends in the middle of its header.")
    end = start + length.unpack(view[8:start])[0]
    if end - start > _LONGEST_HEADER or end > len(view):
        raise MalformedBodyError(
            f"{name}: the header has {end - start} bytes; at most {_LONGEST_HEADER} are taken, all in the body."
        )
    try:
        match ast.literal_eval(bytes(view[start:end]).decode("latin-1").strip()):
            case {"descr": str(descr), "fortran_order": bool(fortran), "shape": tuple(shape), **rest} if (
                not rest
            ):
                return _dtype(descr, name), fortran, _shape(shape, name), end
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        pass
    raise MalformedBodyError(f"{name}: the header is not one of an array of numbers.")


def _dtype(descr: str, name: str) -> np.dtype[Any]:
    kind, size = descr[1:2], descr[2:]
    if (
        descr[:1] in ("<", ">", "=", "|")
        and size.isascii()
        and size.isdecimal()
        and int(size) in _KINDS.get(kind, ())
    ):
        return np.dtype(f"{descr[0]}{kind}{int(size)}")
    raise MalformedBodyError(
        f"{name} holds {descr[:16]!r}; floats of 2, 4 or 8 bytes and integers of 1 to 8 are taken."
    )


def _shape(shape: tuple[object, ...], name: str) -> tuple[int, ...]:
    sizes = tuple(
        size for size in shape if isinstance(size, int) and not isinstance(size, bool) and size >= 0
    )
    if len(sizes) != len(shape) or len(shape) > 2:  # noqa: PLR2004 - the contract's arrays are vectors and matrices
        raise MalformedBodyError(f"{name}: at most two axes are taken, as (n, classes).")
    return sizes
