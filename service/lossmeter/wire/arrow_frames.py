"""Where one message of an Arrow IPC stream ends and the next begins, and whether its size is to be believed.

A message is ``FF FF FF FF``, the length of its head, the head (a FlatBuffer) and the body whose length the
head tells; a length of 0 ends the stream ("Encapsulated message format" of the Arrow columnar format). Sizes
are known before the bytes come, so nothing is read or allocated beyond a limit.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lossmeter.errors import InvalidInputError, MalformedBodyError, TooLargeError
from lossmeter.wire.flatbuffers import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview

END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The end of a stream."""

SCHEMA: Final = 1
RECORD_BATCH: Final = 3
_DICTIONARY_BATCH: Final = 2

_PREFIX: Final = struct.Struct("<Ii")
_CONTINUATION: Final = 0xFFFFFFFF
_LONGEST_HEAD: Final = 16 * 1024 * 1024

# Fields by their place in Message.fbs.
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_BUFFERS, _COMPRESSION = 2, 3


class Framer:
    """The messages of a stream as its bytes arrive.

    Attributes:
        held: bytes that are held, or will be until the message that has begun is whole.
    """

    def __init__(self) -> None:
        self.held = 0
        self._message = bytearray()
        self._needed = _PREFIX.size
        self._is_over = False

    def feed(self, chunk: Buffer) -> Iterator[bytearray]:
        """The messages that a chunk completes; ``held`` is right between them and after the last.

        Raises:
            MalformedBodyError: the bytes are no Arrow stream.
        """
        view = memoryview(chunk)
        while view:
            if self._is_over:
                raise MalformedBodyError("The Arrow stream goes on behind its end.")
            missing = self._needed - len(self._message)
            self._message += view[:missing]
            view = view[missing:]
            if len(self._message) < self._needed:
                return
            self._needed = self.held = needed(self._message)
            if len(self._message) == self._needed:
                yield from self._complete()

    def finish(self) -> Iterator[bytearray]:
        """Nothing more comes; a stream may end without its end mark.

        Raises:
            MalformedBodyError: in the middle of a message.
        """
        if self._message:
            raise MalformedBodyError("The Arrow stream is cut off in the middle of a message.")
        return iter(())

    def _complete(self) -> Iterator[bytearray]:
        message, self._message, self._needed = self._message, bytearray(), _PREFIX.size
        if message == END:
            self._is_over = True
        else:
            yield message


def messages(body: Buffer) -> Iterator[memoryview]:
    """The messages of a whole stream, as views of it; raises as ``Framer`` does."""
    view = memoryview(body)
    while view:
        size = needed(view[:0])
        while size < (size := needed(view[:size])):
            pass
        if size > len(view):
            raise MalformedBodyError("The Arrow stream is cut off in the middle of a message.")
        if bytes(view[:size]) == END:
            if len(view) > size:
                raise MalformedBodyError("The Arrow stream goes on behind its end.")
            return
        yield view[:size]
        view = view[size:]


def needed(start: Buffer) -> int:
    """How many bytes the message has that begins like this, or how many tell more of it."""
    if len(start) < _PREFIX.size:
        return _PREFIX.size
    continuation, length = _PREFIX.unpack_from(start)
    if continuation != _CONTINUATION or not 0 <= length <= _LONGEST_HEAD:
        raise MalformedBodyError(
            "The body is not an Arrow IPC stream (nor is a file of one, which begins ARROW1)."
        )
    head: int = _PREFIX.size + length
    if length == 0 or len(start) < head:
        return head
    body = Table.root(memoryview(start)[_PREFIX.size : head]).number(_BODY_LENGTH, "<q", 0)
    if body < 0:
        raise MalformedBodyError("The head of an Arrow message is damaged.")
    return head + body


def kind_of(message: Buffer, limit: int) -> int:
    """``SCHEMA`` or ``RECORD_BATCH``, the latter with at most ``limit`` bytes when decompressed.

    Raises:
        MalformedBodyError: another kind of message.
        InvalidInputError: a dictionary.
        TooLargeError: buffers that decompress to more than the limit.
    """
    view = memoryview(message)
    head = _PREFIX.size + _PREFIX.unpack_from(view)[1]
    table = Table.root(view[_PREFIX.size : head])
    kind = table.number(_HEADER_TYPE, "<B", 0)
    if kind == _DICTIONARY_BATCH:
        raise InvalidInputError.at(
            detail="columns encoded by a dictionary are not taken; cast them to its values"
        )
    if kind not in (SCHEMA, RECORD_BATCH):
        raise MalformedBodyError("An Arrow message is neither a schema nor a batch of rows.")
    batch = table.table(_HEADER)
    if kind == RECORD_BATCH and batch is not None and batch.table(_COMPRESSION) is not None:
        _check_decompressed(view[head:], batch, limit)
    return kind


def _check_decompressed(body: memoryview, batch: Table, limit: int) -> None:
    """Each compressed buffer begins with its size when decompressed, or with -1 if it is not compressed."""
    size = 0
    for offset, length in batch.pairs(_BUFFERS):
        if length and not 0 <= offset <= len(body) - 8:
            raise MalformedBodyError("A buffer lies outside of its Arrow message.")
        size += max(struct.unpack_from("<q", body, offset)[0], length) if length else 0
        if size > limit:
            raise TooLargeError(f"A batch of the Arrow stream decompresses to more than {limit} bytes.")
