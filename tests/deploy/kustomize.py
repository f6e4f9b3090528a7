"""What kustomize makes of the overlays."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAYS = ["trial", "production"]

NEEDED = pytest.mark.skipif(which("kubectl") is None, reason="kubectl is not installed")

Object = dict[str, Any]


@cache
def text(overlay: str) -> str:
    """The manifests of an overlay, as `kubectl apply -k` would send them."""
    done = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES / "overlays" / overlay],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(overlay: str) -> list[Object]:
    """The objects of an overlay."""
    return list(yaml.safe_load_all(text(overlay)))


def one(overlay: str, kind: str, name: str = "lossmeter") -> Object:
    """The object of this kind and name."""
    (found,) = (item for item in objects(overlay) if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return found


def pod(overlay: str) -> Object:
    """What the Deployment says of its pods."""
    spec: Object = one(overlay, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(overlay: str) -> Object:
    """Ours."""
    (only,) = pod(overlay)["containers"]
    found: Object = only
    return found


def example(name: str) -> Object:
    """An example that is one object."""
    found: Object = yaml.safe_load((KUBERNETES / "examples" / name).read_text())
    return found
