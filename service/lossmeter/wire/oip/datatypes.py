"""The datatypes of the protocol, and how each travels.

BYTES is none of them: it is text, and no tensor here is. BF16, which NumPy does not have, is the upper half of a
float32; Triton and its clients send it, though the specification's table has no BF16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.engine.arrays import offenders
from lossmeter.errors import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lossmeter.errors import Step

LARGEST_EXACT: Final = 2**53
"""Up to here every whole number is a double."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """A datatype.

    Attributes:
        name: in the protocol.
        stored: its bytes, little-endian.
        in_json: whether numbers of it may be written in JSON; halves of floats may not.
    """

    name: str
    stored: np.dtype[Any]
    in_json: bool = True

    def of_bytes(self, chunk: memoryview, *path: Step) -> NDArray[Any]:
        """The elements in a chunk that has the right size, flat; a view of it, but for BF16.

        Raises:
            MalformedBodyError: a BOOL that is neither 0 nor 1.
        """
        values = np.frombuffer(chunk, self.stored)
        if self.name == "BF16":
            wide = values.astype("<u4")
            wide <<= 16
            return wide.view("<f4")
        if self.name == "BOOL" and values.size and values.max() > 1:
            where = "/".join(map(str, path))
            raise MalformedBodyError(f"/{where}: a BOOL is the byte 0 or 1, and here is {values.max()}.")
        return values

    def of_numbers(self, numbers: NDArray[np.float64], *path: Step) -> NDArray[Any]:
        """Numbers of a JSON document in this datatype; the path is theirs.

        Raises:
            InvalidInputError: names the first numbers that the datatype does not have.
        """
        if self.stored.kind == "f":
            with np.errstate(over="ignore"):
                values = numbers.astype(self.stored, copy=False)
            wrong = np.isinf(values) & np.isfinite(numbers)
            wanted = f"is too large for {self.name}"
        else:
            low, high = self._range()
            wrong = ~((numbers >= low) & (numbers <= high)) | (numbers != np.floor(numbers))
            wanted = f"is no {self.name}; a whole number from {low} to {high} is wanted"
            values = np.where(wrong, 0, numbers).astype(self.stored)
        if wrong.any():
            raise offenders(wrong, numbers, *path, detail=wanted)
        return values

    def _range(self) -> tuple[int, int]:
        """What is taken in JSON, where numbers are doubles."""
        if self.name == "BOOL":
            return 0, 1
        known = np.iinfo(self.stored)
        return max(known.min, -LARGEST_EXACT), min(known.max, LARGEST_EXACT)


def _table() -> Mapping[str, Datatype]:
    whole = [
        Datatype(f"{sign}INT{8 * size}", np.dtype(f"<{sign.lower() or 'i'}{size}"))
        for sign in ("U", "")
        for size in (1, 2, 4, 8)
    ]
    real = [
        Datatype("FP16", np.dtype("<f2"), in_json=False),
        Datatype("BF16", np.dtype("<u2"), in_json=False),
        Datatype("FP32", np.dtype("<f4")),
        Datatype("FP64", np.dtype("<f8")),
    ]
    return {each.name: each for each in (Datatype("BOOL", np.dtype("u1")), *whole, *real)}


DATATYPES: Final[Mapping[str, Datatype]] = _table()
"""Every datatype that is taken, by name."""
