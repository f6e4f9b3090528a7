"""What a scoring leaves behind: sums that add up exactly, so shards are scored anywhere and merged in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.state.as_evidence import evidence_of
from lossmeter.engine.state.binary import pack_document, unpack_document
from lossmeter.engine.state.buckets import bucket_values
from lossmeter.engine.state.consistency import check
from lossmeter.engine.state.document import from_document, to_document
from lossmeter.engine.state.layout import TABLES, VERSION
from lossmeter.engine.state.options import fingerprint
from lossmeter.engine.state.slices import SHOWN, Slice, moments_of, one, shown
from lossmeter.engine.state.tables import Table
from lossmeter.errors import InvalidInputError, MalformedBodyError

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence
    from lossmeter.engine.state.moments import Moments


@dataclass(frozen=True, eq=False)
class State:
    """Sums over the rows of a batch, or of many.

    The law: the state of a batch equals, byte for byte, the merged states of its shards, however the rows are cut and
    in whatever order and grouping the states are merged. Only clusters may not be cut: all rows of one must be in one
    shard, because a cluster is one observation.

    Everything is in nats, unreduced and, but for the weights of rows and classes, as the options say; unit and
    reduction are a matter of the report.

    Attributes:
        options: what states must share to be merged, by the names in ``engine.state.options``.
        slice_names: by dimension, the values that occur, sorted.
        tables: the sums, as ``engine.state.layout`` says.
    """

    options: Mapping[str, Any]
    slice_names: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Table]

    version = VERSION

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.pack() == other.pack()

    def __hash__(self) -> int:
        return hash(self.pack())

    @property
    def fingerprint(self) -> str:
        """Of the options."""
        return fingerprint(self.options)

    @cached_property
    def total(self) -> Mapping[str, Fraction]:
        """The columns of the table of totals, exactly."""
        table = self.tables["total"]
        sums = table.digits.fractions() if len(table.keys) else [Fraction(0)] * table.columns
        return dict(zip(TABLES["total"], sums, strict=True))

    @property
    def count(self) -> int:
        """Rows that are not ignored."""
        return int(self.total["count"])

    @property
    def ignored(self) -> int:
        """Rows that are."""
        return int(self.total["ignored"])

    @property
    def moments(self) -> Moments:
        """Of the losses."""
        return moments_of(self.total)

    def slices(self, most: int = SHOWN) -> dict[str, dict[str, Slice]]:
        """By dimension, the values with the most weight first; beyond ``most`` of them the rest is ``other``."""
        return shown(self.tables["slices"], self.slice_names, most)

    def slice(self, dimension: str, value: str) -> Slice | None:
        """A single one; None where the value does not occur."""
        return one(self.tables["slices"], self.slice_names, dimension, value)

    def evidence(self) -> Evidence | None:
        """What metrics are computed from; None where labels are each true or not: they have no predicted class."""
        return None if self.options["truth"] == "labels" else evidence_of(self.options, self.tables)

    def quantile(self, q: float) -> float:
        """The smallest loss that at least a share ``q`` of the weight does not exceed, nats, within 1 %.

        Losses are those before weights; infinite ones lie at the end. 0 without any weight.

        Raises:
            InvalidInputError: ``q`` outside [0, 1].
        """
        if not 0 <= q <= 1:
            raise InvalidInputError.at("quantiles", detail="a number in [0, 1] is wanted", value=q)
        table, whole = self.tables["losses"], float(self.total["weight"])
        if not whole:
            return 0.0
        reached = np.cumsum(table.digits.floats())
        place = int(np.searchsorted(reached, q * whole * (1 - 2.0**-50)))
        infinite = bool(self.moments.infinite)
        if place >= len(reached):
            return float("inf") if infinite else float(bucket_values(table.keys[-1:])[0])
        return float(bucket_values(table.keys[place : place + 1])[0])

    def document(self) -> dict[str, Any]:
        """As JSON has it, with the numbers in NumPy arrays; equal states are equal documents."""
        return to_document(self.options, self.slice_names, self.tables)

    @classmethod
    def read(cls, document: object) -> State:
        """The state of a document, whose numbers may be lists or arrays.

        Raises:
            InvalidInputError: anything that ``document`` would not have returned, with its path; sums that contradict
                each other.
        """
        state = cls(*from_document(document))
        check(state.options, state.slice_names, state.tables)
        return state

    def pack(self) -> bytes:
        """The same as bytes, which are read faster; equal states are equal bytes."""
        return pack_document(self.document())

    @classmethod
    def unpack(cls, data: bytes) -> State:
        """The state of bytes.

        Raises:
            MalformedBodyError: bytes that ``pack`` would not have returned.
            InvalidInputError: bytes of a document that ``read`` refuses.
        """
        state = cls.read(unpack_document(data))
        if state.pack() != data:
            raise MalformedBodyError("these bytes are no packed state as it is written here")
        return state
