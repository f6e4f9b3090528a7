"""The formats that a whole batch can come in and its scores can go out in, beside JSON: two tables.

Adding a format is a codec in ``lossmeter.wire``, an entry here and one in ``negotiation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException

from lossmeter.api import negotiation, query
from lossmeter.api.negotiation import ARROW, MULTIPART, NPY, NPZ, PARQUET
from lossmeter.engine.options import INPUTS
from lossmeter.errors import InvalidInputError, MalformedBodyError
from lossmeter.settings import Settings
from lossmeter.wire import multipart, npy, npz
from lossmeter.wire.parts import flat
from lossmeter.wire.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lossmeter.wire.columns import Layout

    Buffer = bytes | bytearray | memoryview

_ARRAYS: Final = (*INPUTS, "targets", "sample_weights", "class_weights")

NEEDS_ARROW: Final = frozenset((ARROW, PARQUET))


@dataclass(frozen=True, slots=True)
class Job:
    """What a reader is told beside the body.

    Attributes:
        settings: the limits.
        options: the options of the query; a reader takes out what is meant for itself.
        parameters: those of the Content-Type header.
        carry: whether columns that are nothing to us are wanted for the answer.
    """

    settings: Settings
    options: dict[str, Any]
    parameters: str = ""
    carry: bool = False


def check_available(content: str, answer: str) -> None:
    """Refuses the types that need pyarrow where it is not installed.

    Raises:
        HTTPException: 415 for a body, 406 for an answer.
    """
    missing = "needs the extra arrow on the server: pip install 'lossmeter[arrow]'"
    if content in NEEDS_ARROW and not _has_arrow():
        taken = ", ".join(name for name in negotiation.BATCHES if name not in NEEDS_ARROW)
        raise HTTPException(415, f"{content} {missing}.", {"Accept": taken})
    if answer == ARROW and not _has_arrow():
        raise HTTPException(406, f"{answer} {missing}.")


@cache
def _has_arrow() -> bool:
    return find_spec("pyarrow") is not None


def _read_npy(body: Buffer, job: Job) -> Piece:
    """The predictions alone; the query says which of the three they are, and has the rest."""
    name = job.options.pop("input", None)
    if name not in INPUTS:
        detail = f"one of {', '.join(INPUTS)} must be named in the query: ?input=logits"
        raise InvalidInputError.at("input", detail=detail)
    return Piece({name: npy.read(body)})


def _read_npz(body: Buffer, job: Job) -> Piece:
    arrays = npz.read(body, job.settings.max_body_bytes)
    for name in arrays:
        if name not in _ARRAYS:
            raise InvalidInputError.at(name[:64], detail=f"unknown array; known: {', '.join(_ARRAYS)}")
    return Piece(arrays)


def _read_arrow(body: Buffer, job: Job) -> Piece:
    from lossmeter.wire import arrow  # noqa: PLC0415 - half a second and 50 MB, for those who need it

    arrays, carried, layout = arrow.read(body, job.settings.max_body_bytes, query.groups(job.options))
    return _checked(arrays, carried if job.carry else [], layout)


def _read_parquet(body: Buffer, job: Job) -> Piece:
    from lossmeter.wire import parquet  # noqa: PLC0415 - as above

    limits = job.settings.max_body_bytes, job.settings.max_elements
    arrays, carried, layout = parquet.read(body, *limits, carry=job.carry, groups=query.groups(job.options))
    return _checked(arrays, carried, layout)


def _checked(arrays: dict[str, Any], carried: list[Any], layout: Layout) -> Piece:
    from lossmeter.wire.arrow_answers import check_carried  # noqa: PLC0415 - as above

    for batch in carried[:1]:
        check_carried(batch.schema.names)
    return Piece(arrays, carried=carried, renamed=layout.renamed)


def _read_form(body: Buffer, job: Job) -> Piece:
    """One file in a form. Browsers do not know these types, so the first bytes tell which it is."""
    file = multipart.read_file(body, negotiation.parameter(job.parameters, "boundary"))
    for magic, media_type in _MAGIC.items():
        if file[: len(magic)] == magic:
            check_available(media_type, negotiation.JSON)
            return READERS[media_type](file, job)
    raise MalformedBodyError("The file in the form is neither Parquet nor npz nor npy nor an Arrow stream.")


_MAGIC: Final[Mapping[bytes, str]] = {
    b"PAR1": PARQUET,
    npz.MAGIC: NPZ,
    npy.MAGIC: NPY,
    b"\xff\xff\xff\xff": ARROW,
}

READERS: Final[Mapping[str, Callable[[Buffer, Job], Piece]]] = {
    NPY: _read_npy,
    NPZ: _read_npz,
    ARROW: _read_arrow,
    PARQUET: _read_parquet,
    MULTIPART: _read_form,
}
"""Body and job in, arrays out."""


def _write_npy(document: dict[str, Any], _: Piece) -> Iterable[Buffer]:
    """The one array that was asked for."""
    arrays = {name: value for name, value in flat(document).items() if getattr(value, "ndim", 0)}
    name = "losses" if "losses" in arrays else next(iter(arrays), None)
    if name is None or (len(arrays) > 1 and name != "losses"):
        raise InvalidInputError.at(
            "include", detail=f"{NPY} has one array: include=losses, or another one alone"
        )
    return npy.write(arrays[name])


def _write_npz(document: dict[str, Any], _: Piece) -> Iterable[Buffer]:
    return npz.write(document)


def _write_arrow(document: dict[str, Any], sent: Piece) -> Iterable[Buffer]:
    from lossmeter.wire import arrow_answers  # noqa: PLC0415 - as above

    return arrow_answers.Sink().write_whole(document, sent.carried)


WRITERS: Final[Mapping[str, Callable[[dict[str, Any], Piece], Iterable[Buffer]]]] = {
    NPY: _write_npy,
    NPZ: _write_npz,
    ARROW: _write_arrow,
}
"""An answer and what was sent in, bytes out: a list, whose length is known, or an iterator."""
