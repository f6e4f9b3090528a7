"""The overlays, rendered by kustomize and read by the tools that judge manifests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import kubernetes_validate
import pytest
import yaml

import lossmeter
from deploy.kustomize import KUBERNETES, NEEDED, OVERLAYS, Object, container, objects, one, pod, text
from lossmeter import keys
from lossmeter.serving.config import DRAIN_SECONDS
from lossmeter.serving.server import LINGER_SECONDS
from lossmeter.settings import PREFIX, Settings
from prometheus import NEEDED as PROMTOOL_NEEDED
from prometheus import promtool
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHECKOV = ROOT / "build" / "clients" / "checkov" / "bin" / "checkov"
USER = 10001
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator: Kubernetes' own schemas do not have them."""

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def settings(overlay: str) -> dict[str, Any]:
    """What the container's environment sets, by the names of `Settings`; threads are what its limit says."""
    given = container(overlay)["env"]
    assert len({variable["name"] for variable in given}) == len(given)
    cores = container(overlay)["resources"]["limits"]["cpu"]
    return {variable["name"].removeprefix(PREFIX).lower(): variable.get("value", cores) for variable in given}


def selectors(overlay: str) -> Iterator[Object]:
    """How the objects around the pods find them."""
    for item in objects(overlay):
        spec = item.get("spec", {})
        if item["kind"] == "Service":
            yield spec["selector"]
        if item["kind"] in {"Deployment", "PodDisruptionBudget"}:
            yield spec["selector"]["matchLabels"]
        if item["kind"] == "NetworkPolicy":
            yield spec["podSelector"]["matchLabels"]
    for spread in pod(overlay)["topologySpreadConstraints"]:
        yield spread["labelSelector"]["matchLabels"]


@NEEDED
@every_overlay
@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_manifests_fit_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    """Nothing misspelt, nothing of a wrong type, nothing that this version does not know."""
    for item in objects(overlay):
        if item["kind"] not in CUSTOM:
            kubernetes_validate.validate(item, version, strict=True)


@NEEDED
@pytest.mark.skipif(not CHECKOV.exists(), reason="there is no checkov; `make clients` installs it")
def test_checkov_finds_nothing(tmp_path: Path) -> None:
    """Its rules for Kubernetes hold, but for those that deploy/.checkov.yaml gives a reason against."""
    files = [tmp_path / f"{overlay}.yaml" for overlay in OVERLAYS]
    for file, overlay in zip(files, OVERLAYS, strict=True):
        file.write_text(text(overlay))
    options = [f"--config-file={DEPLOY / '.checkov.yaml'}", "--skip-download", "--compact", "--quiet"]
    done = subprocess.run(
        [CHECKOV, *options, "--file", *files], capture_output=True, text=True, check=False, timeout=120
    )
    found = re.search(r"Passed checks: (\d+), Failed checks: (\d+)", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found, done.stdout
    assert int(found[1]) > 100


@NEEDED
@every_overlay
def test_everything_is_in_one_namespace_that_refuses_privileges(overlay: str) -> None:
    """The one that the overlay names; pods beyond the Pod Security Standard `restricted` are refused there."""
    names = {item["metadata"].get("namespace") for item in objects(overlay) if item["kind"] != "Namespace"}
    assert names == {"lossmeter"}
    labels = one(overlay, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@NEEDED
@every_overlay
def test_the_pod_is_restricted(overlay: str) -> None:
    """What that standard asks for, a read-only root, no token, and the image's user and version."""
    ours = container(overlay)
    assert pod(overlay)["automountServiceAccountToken"] is False
    assert pod(overlay)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert ours["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert ours["resources"]["limits"].keys() == {"cpu", "memory"}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= ours.keys()
    assert ours["image"] == f"lossmeter:{lossmeter.__version__}"


@NEEDED
@every_overlay
def test_objects_find_the_pods(overlay: str) -> None:
    """Selectors and labels agree, and ports are known by their names."""
    labels = one(overlay, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert all(selector.items() <= labels for selector in selectors(overlay))
    ports = {port["name"]: port["containerPort"] for port in container(overlay)["ports"]}
    assert ports["http"] == Settings.model_fields["port"].default
    assert {port["targetPort"] for port in one(overlay, "Service")["spec"]["ports"]} == {"http"}
    for item in objects(overlay):
        if item["kind"] == "NetworkPolicy":
            assert all(port["port"] in ports for rule in item["spec"]["ingress"] for port in rule["ports"])


@NEEDED
@every_overlay
def test_a_service_called_lossmeter_does_not_set_our_port(overlay: str) -> None:
    """Its link would be LOSSMETER_PORT=tcp://…, which is our name for a number."""
    assert PREFIX.startswith(one(overlay, "Service")["metadata"]["name"].upper())
    assert pod(overlay)["enableServiceLinks"] is False


@NEEDED
@every_overlay
def test_a_pod_has_time_to_leave(overlay: str) -> None:
    """The pause before SIGTERM, the one after it and the time that requests get fit into the grace period."""
    pause = int(container(overlay)["lifecycle"]["preStop"]["exec"]["command"][1])
    delay = float(settings(overlay)["shutdown_delay"])
    grace = pod(overlay)["terminationGracePeriodSeconds"]
    assert min(pause, delay) > 0
    assert grace > pause + delay + LINGER_SECONDS + DRAIN_SECONDS


@NEEDED
def test_the_trial_is_open_to_all_and_says_so() -> None:
    """A server with its environment answers without a key, and nothing in it is misspelt."""
    given = settings("trial")
    assert given["allow_anonymous"] == "true"
    with running(**given) as server:
        assert httpx2.get(f"{server.url}/v1/losses", timeout=PATIENCE).status_code == 200


@NEEDED
def test_production_asks_for_keys_and_shows_metrics_on_their_own_port(tmp_path: Path) -> None:
    """A server with its environment: callers need keys, Prometheus none, on a port that callers do not reach."""
    secret = keys.new_secret()
    given = settings("production")
    mounts = [mount["mountPath"] for mount in container("production")["volumeMounts"]]
    assert any(given["api_keys_file"].startswith(mount + "/") for mount in mounts)
    assert given["allow_anonymous"] == "false"
    ports = {port["name"]: port["containerPort"] for port in container("production")["ports"]}
    assert int(given["management_port"]) == ports["metrics"]
    file = tmp_path / "keys"
    file.write_text(f"caller sha256:{keys.digest(secret.encode()).hex()} score\n")
    with running(**given | {"api_keys_file": file, "management_port": 0}) as server:
        management = re.search(r"docs on (\S+)/docs", server.log.read_text())
        assert management
        path = "/v1/class-weights"
        body = {"counts": [1, 2]}
        assert httpx2.post(server.url + path, json=body).status_code == 401
        with_key = {"Authorization": f"Bearer {secret}"}
        assert httpx2.post(server.url + path, json=body, headers=with_key).status_code == 200
        assert httpx2.get(f"{server.url}/metrics", headers=with_key).status_code == 404
        metrics = httpx2.get(f"{management[1]}/metrics")
        assert metrics.status_code == 200
        scaled = one("production", "HorizontalPodAutoscaler")["spec"]["metrics"][1]["pods"]["metric"]["name"]
        assert f"\n{scaled} " in metrics.text


@NEEDED
def test_only_named_namespaces_reach_production() -> None:
    """Callers the one port, Prometheus the other; and no pod of ours opens a connection."""
    callers = one("production", "NetworkPolicy")["spec"]
    scrapers = one("production", "NetworkPolicy", "lossmeter-metrics")["spec"]
    for policy, port in ((callers, "http"), (scrapers, "metrics")):
        (rule,) = policy["ingress"]
        assert [door["port"] for door in rule["ports"]] == [port]
        assert all(source["namespaceSelector"]["matchLabels"] for source in rule["from"])
    assert callers["egress"] == []
    assert set(callers["policyTypes"]) == {"Ingress", "Egress"}


@NEEDED
def test_the_autoscaler_is_alone_in_saying_how_many_pods_there_are() -> None:
    """It scales our Deployment, which names no number; and never below what drains of nodes need."""
    scaler, deployment = (one("production", kind) for kind in ("HorizontalPodAutoscaler", "Deployment"))
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    assert target["apiVersion"] == deployment["apiVersion"]
    assert "replicas" not in deployment["spec"]
    budget = one("production", "PodDisruptionBudget")["spec"]
    assert scaler["spec"]["minReplicas"] > budget["maxUnavailable"]
    assert one("trial", "Deployment")["spec"]["replicas"] > budget["maxUnavailable"]


@NEEDED
def test_the_autoscaler_acts_before_requests_are_refused() -> None:
    """Its target of bytes is below what a process takes."""
    (target,) = (
        metric["pods"]["target"]
        for metric in one("production", "HorizontalPodAutoscaler")["spec"]["metrics"]
        if metric["type"] == "Pods"
    )
    mebibytes = int(target["averageValue"].removesuffix("Mi"))
    assert mebibytes * 2**20 <= Settings.model_fields["max_bytes_in_flight"].default / 2


@NEEDED
@PROMTOOL_NEEDED
def test_the_adapter_offers_what_the_autoscaler_asks_for(tmp_path: Path) -> None:
    """Its rule makes a metric of this name from a series of ours, by a query that Prometheus reads."""
    (rule,) = yaml.safe_load((KUBERNETES / "examples" / "prometheus-adapter.yaml").read_text())["rules"]
    metrics = one("production", "HorizontalPodAutoscaler")["spec"]["metrics"]
    names = {metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"}
    assert {rule["name"]["as"]} == names
    query = rule["metricsQuery"]
    holes = {"Series": rule["name"]["as"], "LabelMatchers": 'pod=~"a|b"', "GroupBy": "pod"}
    for hole, filling in holes.items():
        query = query.replace(f"<<.{hole}>>", filling)
    assert "<<" not in query
    rules = [
        {"record": f"lossmeter:query{place}", "expr": expression}
        for place, expression in enumerate((query, rule["seriesQuery"]))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "adapter", "rules": rules}]}))
    assert "SUCCESS" in promtool("check", "rules", file)


@NEEDED
def test_the_operator_has_our_rules_and_scrapes_our_port() -> None:
    """Every rule and alert is there, word for word; the pods are found by the labels of the Service."""
    files = [
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in ("rules.yml", "alerts.yml")
    ]
    groups = one("production", "PrometheusRule")["spec"]["groups"]
    assert groups == [group for file in files for group in file["groups"]]
    spec, service = one("production", "ServiceMonitor")["spec"], one("production", "Service")
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert spec["endpoints"][0]["targetPort"] in {port["name"] for port in container("production")["ports"]}
