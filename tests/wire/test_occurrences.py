"""Counting and finding in bodies, against Python's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lossmeter.wire import occurrences as module
from lossmeter.wire.occurrences import contains, occurrences

if TYPE_CHECKING:
    import pytest

texts = st.lists(st.sampled_from([b"null", b"nul", b"u", b"n", b"1.5,", b"[", b"lnu"]), max_size=200).map(
    b"".join
)


@given(text=texts, byte=st.sampled_from([b"[", b"n", b","]))
def test_occurrences(text: bytes, byte: bytes) -> None:
    """The count is Python's."""
    assert occurrences(text, byte) == occurrences(bytearray(text), byte) == text.count(byte)


def test_occurrences_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is cut."""
    monkeypatch.setattr(module, "_BLOCK", 3)
    assert occurrences(b"[[1,2],[3,4]]", b"[") == 3


@given(text=texts)
def test_contains(text: bytes) -> None:
    """A word is found if it is there, also behind many of its letters."""
    assert contains(text, b"null", b"u") == (b"null" in text)
