"""Zip files as ``numpy.savez`` writes them: a few members, read without a copy and written without one.

Python's ``zipfile`` makes an object of every one of millions of members before it can be asked how many there
are. Here the directory is bounded first, every size is checked before anything is read, and what is stored
plainly is a view of the body. Source: APPNOTE.TXT 6.3, sections 4.3 and 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from lossmeter.errors import MalformedBodyError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Buffer = bytes | bytearray | memoryview

MAGIC: Final = b"PK\x03\x04"

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_CENTRAL_MAGIC: Final = b"PK\x01\x02"
_END_MAGIC: Final = b"PK\x05\x06"

_MOST_MEMBERS: Final = 64
_STORED: Final = 0
_DEFLATED: Final = 8
_ENCRYPTED: Final = 0x0001
_UTF8: Final = 0x0800
_VERSION: Final = 20
_LARGEST: Final = 0xFFFFFFFF
_EPOCH: Final = 0x0021  # 1980-01-01: the same answer has the same bytes on any day


class _Member(NamedTuple):
    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def read(body: Buffer, limit: int) -> dict[str, memoryview]:
    """The members by name; those that are stored plainly are views of the body.

    Args:
        body: the whole file.
        limit: the most bytes that all members may have together.

    Raises:
        MalformedBodyError: not a zip file of at most 64 members, or a damaged one.
        TooLargeError: the members are larger than the limit.
    """
    view = memoryview(body)
    members = list(_directory(view))
    if sum(member.size for member in members) > limit:
        raise TooLargeError(f"The members of the zip file are larger than {limit} bytes.")
    found = {member.name: _content(view, member) for member in members}
    if len(found) < len(members):
        raise MalformedBodyError("Two members of the zip file have the same name.")
    return found


def write(members: Mapping[str, Sequence[Buffer]]) -> list[Buffer]:
    """A zip file of members that are stored plainly, each given in parts, as its parts.

    Raises:
        TooLargeError: it would have 4 GiB or more.
    """
    parts: list[Buffer] = []
    directory: list[Buffer] = []
    offset = 0
    for name, pieces in members.items():
        size = sum(map(len, pieces))
        crc = 0
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
        encoded = name.encode()
        if offset + size + _LOCAL.size + len(encoded) > _LARGEST:
            raise TooLargeError("The answer has 4 GiB or more; ask for it as Arrow, or send fewer rows.")
        common = (_VERSION, _UTF8, _STORED, 0, _EPOCH, crc, size, size, len(encoded), 0)
        parts += [_LOCAL.pack(MAGIC, *common) + encoded, *pieces]
        directory.append(_CENTRAL.pack(_CENTRAL_MAGIC, _VERSION, *common, 0, 0, 0, 0, offset) + encoded)
        offset += size + _LOCAL.size + len(encoded)
    count, length = len(directory), sum(map(len, directory))
    return [*parts, *directory, _END.pack(_END_MAGIC, 0, 0, count, count, length, offset, 0)]


def _directory(view: memoryview) -> Iterator[_Member]:
    """What the directory at the end says."""
    if len(view) < _END.size or bytes(view[-_END.size :][:4]) != _END_MAGIC:
        raise MalformedBodyError("The body is not a zip file without comments, as numpy.savez writes it.")
    *_, here, count, length, start, _ = _END.unpack(view[-_END.size :])
    if here != count or count > _MOST_MEMBERS or start + length > len(view) - _END.size:
        raise MalformedBodyError(f"The zip file is damaged, or has more than {_MOST_MEMBERS} members.")
    at = start
    for _ in range(count):
        head = view[at : at + _CENTRAL.size]
        if len(head) < _CENTRAL.size or bytes(head[:4]) != _CENTRAL_MAGIC:
            raise MalformedBodyError("The directory of the zip file is damaged.")
        _, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, _, offset = _CENTRAL.unpack(head)
        name = bytes(view[at + _CENTRAL.size : at + _CENTRAL.size + lengths[0]])
        if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or _LARGEST in (packed, size, offset):
            raise MalformedBodyError(
                "A member of the zip file is encrypted, or of 4 GiB, or packed by another method than deflate."
            )
        yield _Member(name.decode("utf-8", "replace"), method, crc, packed, size, offset)
        at += _CENTRAL.size + sum(lengths)


def _content(view: memoryview, member: _Member) -> memoryview:
    head = view[member.offset : member.offset + _LOCAL.size]
    if len(head) < _LOCAL.size or bytes(head[:4]) != MAGIC:
        raise _damaged(member)
    *_, name, extra = _LOCAL.unpack(head)
    start = member.offset + _LOCAL.size + name + extra
    packed = view[start : start + member.packed]
    content = packed if member.method == _STORED else _inflated(packed, member)
    if len(packed) != member.packed or len(content) != member.size or zlib.crc32(content) != member.crc:
        raise _damaged(member)
    return content


def _inflated(packed: memoryview, member: _Member) -> memoryview:
    """What the member says it has and a byte more, if there is one: that is enough to know that it lies."""
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return memoryview(decoder.decompress(packed, member.size + 1))
    except zlib.error:
        raise _damaged(member) from None


def _damaged(member: _Member) -> MalformedBodyError:
    return MalformedBodyError(f"{member.name[:64]!r} in the zip file is damaged.")
