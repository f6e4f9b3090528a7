"""NumPy's file format for several arrays by name: a zip file of npy files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.wire import npy, zips
from lossmeter.wire.parts import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Buffer = bytes | bytearray | memoryview

MAGIC: Final = zips.MAGIC

_SUFFIX: Final = ".npy"


def read(body: Buffer, limit: int) -> dict[str, NDArray[Any]]:
    """The arrays by name.

    Args:
        body: the whole file.
        limit: the most bytes that they may have together, headers included.

    Raises:
        MalformedBodyError: the file, or an array in it, is not of this format.
        TooLargeError: more bytes than the limit.
    """
    members = {name.removesuffix(_SUFFIX): data for name, data in zips.read(body, limit).items()}
    return {name: npy.read(data, name[:64]) for name, data in members.items()}


def write(document: Mapping[str, Any]) -> list[Buffer]:
    """A document as an npz file in parts: objects in it as ``kl.by_class``, scalars as arrays without axes.

    What is None is left out: a reader finds no member of that name.
    """
    arrays = {name: np.asarray(value) for name, value in flat(document).items() if value is not None}
    return zips.write({name + _SUFFIX: npy.write(array) for name, array in arrays.items()})
