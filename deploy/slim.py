"""Takes out of an environment what nothing reads that runs: tests, sources, headers, stubs, and symbols for debuggers.

    python deploy/slim.py /opt/venv

Only whole files go, and of shared libraries what lies behind their last segment: the loader maps segments (ELF-64,
chapter "Program Header"), so what it loads stays the same to the byte. Standard library only.
"""

# ruff: noqa: INP001

from __future__ import annotations

import shutil
import struct
import sys
from pathlib import Path
from typing import Final

FOLDERS: Final = frozenset(("tests", "include"))
"""Of packages; a package's code is in no folder of these names that anything but its tests imports."""

SUFFIXES: Final = frozenset((".a", ".c", ".cpp", ".h", ".hpp", ".proto", ".pxd", ".pyi", ".pyx"))

_MAGIC: Final = b"\x7fELF\x02\x01"  # of 64 bits, little-endian
_HEAD: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")


def slim(environment: Path) -> int:
    """How many bytes went."""
    before = _size(environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    for folder in [path for path in packages.glob("*/**/") if path.name in FOLDERS]:
        shutil.rmtree(folder, ignore_errors=True)  # it may have gone with the one around it
    for file in [path for path in packages.rglob("*") if path.is_file()]:
        if file.suffix in SUFFIXES:
            file.unlink()
        elif ".so" in file.suffixes:
            strip(file)
    return before - _size(environment)


def strip(library: Path) -> None:
    """Cuts off what is behind the last segment: the table of sections, symbols, and what debuggers read."""
    content = library.read_bytes()
    if not content.startswith(_MAGIC):
        return
    head = list(_HEAD.unpack_from(content))
    start, size, count = head[5], head[9], head[10]
    segments = [_SEGMENT.unpack_from(content, start + size * number) for number in range(count)]
    end = max(offset + length for _, _, offset, _, _, length, _, _ in segments)
    head[6] = head[12] = head[13] = (
        0  # where the table of sections is, how many they are, and which has their names
    )
    library.write_bytes(_HEAD.pack(*head) + content[_HEAD.size : end])


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


if __name__ == "__main__":
    sys.stdout.write(f"{slim(Path(sys.argv[1])) / 1e6:.0f} MB less\n")
