"""A bar for what takes long, if there is someone to see it and tqdm to draw it."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(total: int | None, wanted: bool | None) -> Iterator[Callable[[int], object]]:  # noqa: FBT001 - the caller's option, passed on
    """What is called with every number of rows that are done.

    Args:
        total: rows in all, if known.
        wanted: whether to draw; None: if standard error is a terminal.
    """
    if wanted is False or find_spec("tqdm") is None:
        yield lambda _: None
        return
    from tqdm import tqdm  # noqa: PLC0415 - for those who look at it

    # To tqdm, None means: not without a terminal.
    with tqdm(total=total, unit=" rows", unit_scale=True, disable=None if wanted is None else False) as shown:
        yield shown.update
