"""The examples for KServe, read by its own Python models, and held against what we serve."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

import lossmeter
from deploy.kustomize import KUBERNETES, NEEDED, Object, container, example, objects, one, pod
from lossmeter.api import query
from lossmeter.api.schemas import document as documents
from lossmeter.api.schemas.events import EventsQuery
from lossmeter.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "clients" / "kserve" / "bin" / "python"
SCRIPT = Path(__file__).parent / "clients" / "kserve_reads.py"
OF_KSERVE = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
"""What a predictor has beyond the fields of a pod."""


def predictor() -> Object:
    """The pod that serves /v2."""
    found: Object = example("kserve-predictor.yaml")["spec"]["predictor"]
    return found


def test_kserve_knows_every_field() -> None:
    """Its models of an InferenceService have whatever the examples say."""
    if not PYTHON.exists():
        pytest.skip(f"there is no {PYTHON.relative_to(ROOT)}; `make clients` makes it")
    known = "import importlib.util, sys; sys.exit(importlib.util.find_spec('kserve') is None)"
    if subprocess.run([PYTHON, "-c", known], check=False).returncode:
        pytest.skip("kserve is not made for this Python")
    files = sorted((KUBERNETES / "examples").glob("kserve-*.yaml"))
    assert len(files) == 2
    done = subprocess.run([PYTHON, SCRIPT, *files], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@NEEDED
def test_the_logger_of_the_example_is_understood() -> None:
    """Its address is our Service's, has our path, and nothing in its query that is not taken."""
    logger = example("kserve-logger.yaml")["spec"]["predictor"]["logger"]
    assert logger["mode"] == "all"
    address = urlsplit(logger["url"])
    service = one("trial", "Service")["metadata"]
    assert address.hostname == f"{service['name']}.{service['namespace']}.svc.cluster.local"
    assert address.path == "/v1/events"
    documents.read(EventsQuery, query.options(address.query.encode()), {})


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_the_predictor_is_a_pod_that_kubernetes_knows(version: str) -> None:
    """Nothing misspelt, nothing of a wrong type."""
    spec = {name: value for name, value in predictor().items() if name not in OF_KSERVE}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "losses"}, "spec": spec}
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_predictor_serves_the_protocol_on_our_port() -> None:
    """KServe routes to its first port and asks its protocol of PROTOCOL; what we are told, our settings know."""
    (ours,) = predictor()["containers"]
    assert ours["name"] == "kserve-container"
    assert ours["image"] == f"lossmeter:{lossmeter.__version__}"
    assert ours["ports"][0]["containerPort"] == Settings.model_fields["port"].default
    assert {"name": "PROTOCOL", "value": "v2"} in ours["env"]
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {variable["name"] for variable in ours["env"]} <= known | {"PROTOCOL"}
    assert all(
        ours[probe]["httpGet"]["path"].startswith("/v2/health/")
        for probe in ("livenessProbe", "readinessProbe")
    )


@NEEDED
def test_the_predictor_is_as_restricted_as_the_deployment() -> None:
    """The same user, privileges, resources and temporary folder; and no Service of ours sets its port."""
    (ours,) = predictor()["containers"]
    theirs = container("trial")
    for field in ("securityContext", "resources", "volumeMounts"):
        assert ours[field] == theirs[field]
    for field in ("securityContext", "automountServiceAccountToken", "enableServiceLinks", "volumes"):
        assert predictor()[field] == pod("trial")[field]
    assert example("kserve-predictor.yaml")["metadata"]["namespace"] not in {
        item["metadata"].get("namespace") for item in objects("trial")
    }
