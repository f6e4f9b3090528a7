"""Sends what real classifiers said of real images, so that there is something to see.

    python deploy/sample_sender.py --url http://127.0.0.1:8000 --data tests/data/week.json

A week of three devices passes in seven minutes, again and again; on Friday the kiosk's camera is out of focus. Standard
library only: it runs in the service's own image.
"""

# ruff: noqa: INP001

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROWS = 20


def requests(rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of a day as a request for each device."""
    found: dict[str, dict[str, Any]] = {}
    for logits, target, device in zip(rows["logits"], rows["targets"], rows["slices"]["device"], strict=True):
        labels = {"model": "digits", "version": "1", "slice": device}
        request = found.setdefault(device, {"logits": [], "targets": [], "labels": labels})
        request["logits"].append(logits)
        request["targets"].append(target)
    return found


def sample(request: dict[str, Any]) -> dict[str, Any]:
    """The request with some of its rows."""
    chosen = random.choices(range(len(request["targets"])), k=ROWS)  # noqa: S311 - a sample, no secret
    return request | {name: [request[name][row] for row in chosen] for name in ("logits", "targets")}


def send(url: str, request: dict[str, Any]) -> None:
    """Posts it; what goes wrong is said and forgotten."""
    message = urllib.request.Request(  # noqa: S310 - the operator's own address
        f"{url}/v1/score", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(message, timeout=10) as answer:  # noqa: S310 - as above
            answer.read()
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")


def main() -> None:
    """Sends until told to stop."""
    parser = argparse.ArgumentParser(description="Send sample requests to a lossmeter, as if a week went by.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--data", type=Path, required=True, help="tests/data/week.json")
    parser.add_argument("--day", type=float, default=60, help="seconds that a day takes (default: 60)")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between requests (default: 0.2)")
    arguments = parser.parse_args()
    week = json.loads(arguments.data.read_text())
    for day, rows in itertools.cycle(week.items()):
        sys.stdout.write(f"{day}\n")
        sys.stdout.flush()
        by_device = requests(rows)
        end = time.monotonic() + arguments.day
        for device in itertools.cycle(by_device):
            if time.monotonic() > end:
                break
            send(arguments.url, sample(by_device[device]))
            time.sleep(arguments.pause)


if __name__ == "__main__":
    main()
