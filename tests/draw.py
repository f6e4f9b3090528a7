"""Draws the pictures of the README: what a dashboard shows of the sample week, and the page to explore the service.

    PYTHONPATH=service:tests python tests/draw.py

A Prometheus with our rules in quick motion scrapes a server while the sample sender plays its week; then it is asked
what the panels ask, and Chromium draws the answers. Wants prometheus and chromium.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from browser.chromium import Page, chromium
from prometheus import DEPLOY, Prometheus, hurried, playing, scraping, until
from servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
DASHBOARD: Final = "model-quality.json"
PANELS: Final = (
    "Mean loss and that of the week before",
    "Accuracy",
    "Confidence less accuracy",
    "Entropy of predictions",
)
DAY: Final = 20.0
"""Seconds that a day takes."""

COLOURS: Final = ("#e24d42", "#1f78c1", "#508642", "#ba43a9")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 610, 250, 52, 12, 40, 46

STYLE: Final = """
body { margin: 0; padding: 10px; background: #f4f5f5; font: 12px sans-serif; color: #24292e;
       display: grid; grid-template-columns: repeat(2, max-content); gap: 10px; }
svg { background: #fff; border: 1px solid #dcdde0; border-radius: 3px; }
.title { font-weight: 600; font-size: 14px; } .grid { stroke: #e6e7e9; } .axis { fill: #6a6f76; }
"""

Series = tuple[str, list[tuple[float, float]], bool]
"""A legend, times and values, and whether it is what others are compared with."""


class Plot:
    """A panel.

    Attributes:
        days: when each began, in seconds, and its name.
        end: when the last one ended.
    """

    def __init__(self, panel: dict[str, Any], days: list[tuple[float, str]], end: float) -> None:
        self.days = days
        self.end = end
        self._title = panel["title"]
        self._is_share = panel["fieldConfig"]["defaults"]["unit"] == "percentunit"

    def svg(self, series: list[Series]) -> str:
        """The panel with these series."""
        values = [value for _, points, _ in series for _, value in points]
        low, high = min(values) if self._is_share else min(0.0, *values), max(values)
        return "".join(
            [
                f'<svg width="{WIDTH}" height="{HEIGHT}">',
                *self._axes(low, high),
                *self._lines(series, low, high),
                f'<text class="title" x="12" y="24">{escape(self._title)}</text></svg>',
            ]
        )

    def _axes(self, low: float, high: float) -> Iterator[str]:
        step = next(step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / step <= 6)
        for number in range(round(low / step) - 1, round(high / step) + 2):
            value = number * step
            if low <= value <= high:
                y = self._y(value, low, high)
                text = f"{value:.0%}" if self._is_share else f"{value:.4g}"
                yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                yield f'<text class="axis" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        for start, name in self.days:
            x = self._x(start)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            yield f'<text class="axis" x="{x + 3:.1f}" y="{HEIGHT - BOTTOM + 14}">{name}</text>'

    def _lines(self, series: list[Series], low: float, high: float) -> Iterator[str]:
        x = LEFT
        names = sorted({legend for legend, _, is_before in series if not is_before})
        for legend, points, is_before in series:
            colour = COLOURS[names.index(legend.removeprefix("before: ")) % len(COLOURS)]
            path = " ".join(f"{self._x(at):.1f},{self._y(value, low, high):.1f}" for at, value in points)
            look = 'stroke-width="1" stroke-dasharray="5 4"' if is_before else 'stroke-width="1.6"'
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" {look}/>'
            if not is_before:
                y = HEIGHT - 14
                yield f'<line x1="{x}" x2="{x + 14}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
                yield f'<text x="{x + 19}" y="{y + 4}">{escape(legend)}</text>'
                x += 180

    def _x(self, at: float) -> float:
        start = self.days[0][0]
        return LEFT + (at - start) / (self.end - start) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float, low: float, high: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM) * 0.94


def answers(prometheus: Prometheus, panel: dict[str, Any], start: float, end: float) -> list[Series]:
    """What each query of a panel comes to, under its legend."""
    found: list[Series] = []
    for number, target in enumerate(panel["targets"]):
        asked = re.sub(r"\$\w+", ".*", target["expr"].replace("$__rate_interval", "6s"))
        for labels, points in prometheus.range(asked, start, end, 0.5):
            found.append(
                (
                    _legend(target["legendFormat"], labels),
                    [point for point in points if point[1] == point[1]],
                    number > 0,
                )
            )
    return sorted(found, key=lambda each: each[0])


def _legend(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), text)


def quality(page: Page, folder: Path) -> None:
    """The dashboard's panels over the week."""
    panels = {
        panel["title"]: panel for panel in json.loads((DEPLOY / "grafana" / DASHBOARD).read_text())["panels"]
    }
    with running() as server, scraping(folder, server.url.partition("://")[2], hurried(folder)) as prometheus:
        until(lambda: prometheus.value("lossmeter_workers"))
        days: list[tuple[float, str]] = []
        with playing(server.url, DAY) as sender:
            assert sender.stdout is not None
            for line in sender.stdout:
                days.append((time.time(), line.strip()))
                if len(days) > 7:
                    break
        end = days.pop()[0]
        plots = [
            Plot(panels[title], days, end).svg(answers(prometheus, panels[title], days[0][0], end))
            for title in PANELS
        ]
    file = folder / "page.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(plots)}", encoding="utf-8"
    )
    taken(page, file.as_uri(), IMAGES / "model-quality.png", (2 * WIDTH + 34, 2 * HEIGHT + 34))


def taken(page: Page, url: str, file: Path, size: tuple[int, int], first: str = "body") -> None:
    """A picture of a page of this size, from an element on."""
    page.call(
        "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
    )
    page.call("Emulation.setScrollbarsHidden", hidden=True)
    page.open(url)
    page.wait_for(f"document.readyState === 'complete' && document.querySelector('{first}')?.innerText")
    page.evaluate(f"document.querySelector('{first}').scrollIntoView()")
    page.screenshot(file)


def explorer(page: Page) -> None:
    """Swagger UI's list of what there is."""
    with running() as server:
        taken(page, f"{server.url}/docs", IMAGES / "docs.png", (1000, 1060), ".opblock-tag-section")


def main() -> None:
    """Both."""
    with tempfile.TemporaryDirectory() as folder, chromium() as page:
        explorer(page)
        quality(page, Path(folder))


if __name__ == "__main__":
    main()
