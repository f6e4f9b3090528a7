"""Numbers that several processes add up: rows of float64, each process's in a file of its own.

``prometheus_client`` keeps one value per entry and writes each under a lock, at 2 µs a piece; a request counts in some
twenty places. Here a row holds all the values that share their labels, as plain memory that is mapped from the file, so
to count costs a twentieth of that.

A file is ``used`` bytes, the process id, then entries: the length of the key, the number of values, the key as JSON,
the values. Entries are only ever appended, and ``used`` grows when an entry is complete, so readers need no lock. The
process that owns a file holds a lock on it, which ends with the process however it ends: the next worker goes on
counting where a dead one stopped, and nobody believes the gauges of the dead.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Key = tuple[str, ...]
"""The name of a table, then the values of its labels."""

SIZE: Final = 32 * 1024 * 1024
"""Of a file. Pages that nothing was written to take no room."""

SUFFIX: Final = ".rows"

_HEAD: Final = struct.Struct("<QQ")
_ENTRY: Final = struct.Struct("<II")
_DOUBLE: Final = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one process has counted.

    Attributes:
        slot: the number of its file; another process may have begun it.
        process: its id, or None if it has ended.
        rows: values by key.
    """

    slot: int
    process: int | None
    rows: dict[Key, list[float]]


class Store:
    """The rows of this process."""

    def __init__(self, folder: Path | None = None) -> None:
        """Rows in memory alone, or in a file of this folder that no living process has."""
        self._folder = folder
        self._memory = mmap.mmap(-1, SIZE) if folder is None else self._claimed(folder)
        self._bytes = memoryview(self._memory)
        self._places: dict[Key, tuple[int, int]] = {}
        used, _ = _HEAD.unpack_from(self._bytes)
        self._used = max(used, _HEAD.size)
        for key, place, width in _entries(self._bytes[: self._used]):
            self._places[key] = place, width
        self._publish()

    def row(self, key: Key, width: int) -> memoryview[float]:
        """The row of this key, all 0 if it is new; where there is no room, one that nobody reads."""
        found = self._places.get(key)
        if found is None:
            name = json.dumps(key).encode()
            name += b" " * (-len(name) % _DOUBLE)
            start = self._used + _ENTRY.size + len(name)
            end = start + width * _DOUBLE
            if end > SIZE:
                return memoryview(bytearray(width * _DOUBLE)).cast("d")
            _ENTRY.pack_into(self._bytes, self._used, len(name), width)
            self._bytes[start - len(name) : start] = name
            found = self._places[key] = start, width
            self._used = end
            self._publish()
        start, width = found
        return self._bytes[start : start + width * _DOUBLE].cast("d")

    def snapshots(self) -> list[Snapshot]:
        """What this process has counted, and those that share its folder."""
        if self._folder is None:
            return [Snapshot(0, os.getpid(), _rows(self._bytes[: self._used]))]
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda file: int(file.stem))
        return [_read(file) for file in files]

    def _publish(self) -> None:
        _HEAD.pack_into(self._bytes, 0, self._used, os.getpid())

    def _claimed(self, folder: Path) -> mmap.mmap:
        """The first file that is nobody's; the lock lives as long as this descriptor."""
        for slot in count():
            self._file = os.open(folder / f"{slot}{SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _lock(self._file):
                os.ftruncate(self._file, SIZE)
                return mmap.mmap(self._file, SIZE)
            os.close(self._file)
        raise AssertionError  # counting does not end


def _lock(file: int) -> bool:
    """Takes the lock of a file; whether it was free."""
    import fcntl  # noqa: PLC0415 - Windows has none; nor has it several workers on one socket

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Snapshot:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        is_dead = _lock(file)
        used, process = _HEAD.unpack(os.pread(file, _HEAD.size, 0) or bytes(_HEAD.size))
        return Snapshot(
            int(path.stem), None if is_dead else process, _rows(memoryview(os.pread(file, used, 0)))
        )
    finally:
        os.close(file)


def _rows(content: memoryview) -> dict[Key, list[float]]:
    return {
        key: list(content[place : place + width * _DOUBLE].cast("d"))
        for key, place, width in _entries(content)
    }


def _entries(content: memoryview) -> Iterator[tuple[Key, int, int]]:
    """Each key, where its values begin, and how many they are."""
    place = _HEAD.size
    while place < len(content):
        length, width = _ENTRY.unpack_from(content, place)
        start = place + _ENTRY.size + length
        yield tuple(json.loads(bytes(content[start - length : start]))), start, width
        place = start + width * _DOUBLE
