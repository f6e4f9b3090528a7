"""NumPy's file format for several arrays by name: a zip file of npy files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.wire import json, npy, zips
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
    """A document as an npz file in parts: arrays of an object as ``kl.by_class``, numbers as arrays without axes.

    Any other object is a word, its JSON. What is None is left out: a reader finds no member of that name.
    """
    arrays = {name: _array(value) for name, value in flat(document).items() if value is not None}
    return zips.write({name + _SUFFIX: npy.write(array) for name, array in arrays.items()})


def _array(value: object) -> NDArray[Any]:
    return np.asarray(json.encode(value).decode() if isinstance(value, (dict, list)) else value)
