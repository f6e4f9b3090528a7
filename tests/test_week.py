"""The page "A week of a model" does what it says, and its data are what their script makes."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data import make_week

if TYPE_CHECKING:
    import pytest

    from servers import Server

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "week.md").read_text(encoding="utf-8")
WEEK: dict[str, Any] = json.loads(make_week.FILE.read_bytes())


def test_the_page(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python blocks, as one session against a real server, print what is shown."""
    monkeypatch.chdir(ROOT)
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"pycon"}
    blocks = re.findall(r"^```pycon\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    source = "".join(blocks).replace("http://127.0.0.1:8000", server.url)
    session = doctest.DocTestParser().get_doctest(source, {}, "week", "docs/week.md", 0)
    assert len(session.examples) > 10
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(session, out=said.append)
    assert not failed, "".join(said)


def test_links() -> None:
    """Every link of the page leads to a file."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_file_is_what_its_script_makes() -> None:
    """Training anew comes to the same rows, but for the last decimal on another machine's BLAS."""
    made: Any = make_week.week()
    assert list(made) == list(WEEK)
    for day, rows in made.items():
        assert rows["targets"] == WEEK[day]["targets"]
        assert rows["slices"] == WEEK[day]["slices"]
        np.testing.assert_allclose(
            rows["logits"], WEEK[day]["logits"], rtol=0, atol=1.5 * 10**-make_week.DECIMALS
        )


def test_only_the_kiosk_of_friday_is_worse() -> None:
    """A plausible week: the classifiers are right on 19 of 20 images, but for those that are out of focus."""
    for day, rows in WEEK.items():
        device, logits = np.array(rows["slices"]["device"]), np.array(rows["logits"])
        right = logits.argmax(axis=1) == np.array(rows["targets"])
        for name in make_week.DEVICES:
            worse = (day, name) == ("Friday", "kiosk")
            assert 0.4 < right[device == name].mean() < 0.75 if worse else right[device == name].mean() > 0.9
