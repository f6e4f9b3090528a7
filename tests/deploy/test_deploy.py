"""The files an operator starts from, each read by the tool that judges it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lossmeter
from lossmeter.api import query
from lossmeter.api.schemas import document as documents
from lossmeter.api.schemas.events import EventsQuery
from lossmeter.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
LOCKS = [ROOT / "requirements.lock", DEPLOY / "build.lock"]
USER = 10001


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: Path) -> list[Requirement]:
    """The requirements of a lock, their hashes left out."""
    lines = [line for line in lock.read_text().splitlines() if re.match(r"[a-z0-9]", line)]
    return [Requirement(line.removesuffix("\\").strip()) for line in lines]


def manifests() -> dict[str, dict[str, Any]]:
    """The Kubernetes objects by kind."""
    files = [DEPLOY / "kubernetes" / name for name in ("deployment.yaml", "service.yaml")]
    objects = [yaml.safe_load(file.read_text()) for file in files]
    return {item["kind"]: item for item in objects}


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def compose() -> dict[str, Any]:
    """Ours."""
    return services()["api"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    """Every requirement is one exact version with hashes; where it comes from is the installer's affair."""
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) == len(pins(lock)) > 0
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[^\s*]+( ;.*)? \\\n", block), block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block[:80]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (
            LOCKS[0],
            project()["project"]["dependencies"]
            + project()["project"]["optional-dependencies"]["jwt"]
            + project()["project"]["optional-dependencies"]["otel"]
            + project()["project"]["optional-dependencies"]["postgres"],
        ),
        (LOCKS[1], project()["build-system"]["requires"]),
    ],
    ids=["requirements.lock", "build.lock"],
)
def test_a_lock_satisfies_the_project(lock: Path, wanted: list[str]) -> None:
    """Each direct requirement is locked to versions that it allows: a forgotten `make lock` fails here."""
    locked = pins(lock)
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        versions = [str(pin.specifier).removeprefix("==") for pin in locked if pin.name == name]
        assert versions, f"{name} is missing: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{name}: make lock"


def test_the_dockerfile_is_clean() -> None:
    """Hadolint finds nothing."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_what_the_deployments_expect() -> None:
    """The number of the user, the port and the health check are the same everywhere."""
    text = (ROOT / "Dockerfile").read_text()
    assert f"\nUSER {USER}:{USER}\n" in text
    assert f"\nEXPOSE {Settings.model_fields['port'].default}\n" in text
    assert 'CMD ["lossmeter", "healthcheck"]' in text
    assert text.count("\nFROM ") == 2
    assert f"\nARG VERSION={lossmeter.__version__}\n" in text


def test_compose_is_hardened() -> None:
    """Read-only, no capabilities, no new privileges, bounded, and published on this machine only."""
    api = compose()
    for name, service in services().items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys(), name
        assert "privileged" not in service
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for mount in service.get("volumes", ()):
            source, _, rest = mount.partition(":")
            assert not source.startswith(".") or (DEPLOY / source).exists()
            assert not source.startswith(".") or rest.endswith(":ro")
    assert api["user"] == f"{USER}:{USER}"
    assert [mount.split(":")[0] for mount in api["tmpfs"]] == ["/tmp"]  # noqa: S108  (in the container)
    assert "ports" not in api
    assert api["healthcheck"]["test"] == ["CMD", "lossmeter", "healthcheck"]
    assert api["image"].endswith(f":{lossmeter.__version__}")
    assert all(re.search(r":v?\d+\.\d+", service["image"]) for service in services().values())


def test_compose_sets_only_what_can_be_set() -> None:
    """A name that the settings do not know would stop the container."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert compose()["environment"].keys() <= known | {"FORWARDED_ALLOW_IPS"}


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_the_manifests_fit_the_schemas_of_kubernetes(kind: str, version: str) -> None:
    """Nothing misspelt, nothing of a wrong type."""
    kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_the_pod_is_restricted() -> None:
    """What the Pod Security Standard `restricted` asks for, a read-only root, and no token."""
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_the_service_does_not_reach_into_our_settings() -> None:
    """A Service called lossmeter would set LOSSMETER_PORT=tcp://… in the pod, if links were on."""
    objects = manifests()
    assert PREFIX.startswith(objects["Service"]["metadata"]["name"].upper())
    assert objects["Deployment"]["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_a_pod_has_time_to_leave() -> None:
    """The pause before SIGTERM and the time that requests get fit into the grace period."""
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = re.search(
        r"DRAIN_SECONDS: Final = (\d+)", (ROOT / "service/lossmeter/serving/config.py").read_text()
    )
    assert drain
    assert pod["terminationGracePeriodSeconds"] > pause + int(drain[1])
    assert int(compose()["stop_grace_period"].removesuffix("s")) > int(drain[1])


def test_the_service_finds_the_pods() -> None:
    """Selectors and labels agree."""
    objects = manifests()
    spec = objects["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    assert spec["selector"]["matchLabels"].items() <= labels
    assert objects["Service"]["spec"]["selector"].items() <= labels
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_both_objects() -> None:
    """The kustomization names its files and sets the version of the image."""
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    built = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
    assert built.keys() == {"Deployment", "Service"}
    for item in built.values():
        kubernetes_validate.validate(item, "1.37", strict=True)
    (container,) = built["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"lossmeter:{lossmeter.__version__}"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_component_of_keys_closes_the_door(tmp_path: Path) -> None:
    """With it, the pods read keys from the Secret, and nobody is anonymous; without it, that is said in the pod."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(DEPLOY / "kubernetes", folder)
    variables = []
    for extra in ("", "components:\n  - keys\n"):
        with (folder / "kustomization.yaml").open("a") as file:
            file.write(extra)
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, check=True, timeout=60)
        deployment = next(item for item in yaml.safe_load_all(done.stdout) if item["kind"] == "Deployment")
        kubernetes_validate.validate(deployment, "1.37", strict=True)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        variables.append({variable["name"]: variable.get("value") for variable in container["env"]})
    before, after = variables
    assert before["LOSSMETER_ALLOW_ANONYMOUS"] == "true"
    assert after["LOSSMETER_ALLOW_ANONYMOUS"] == "false"
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert any(after["LOSSMETER_API_KEYS_FILE"].startswith(mount + "/") for mount in mounts)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_component_of_monitoring_has_our_rules(tmp_path: Path) -> None:
    """It scrapes the Service by its own labels and port, and has every rule and alert, word for word."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(DEPLOY / "kubernetes", folder)
    with (folder / "kustomization.yaml").open("a") as file:
        file.write("components:\n  - monitoring\n")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, check=True, timeout=60)
    built = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
    files = [
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in ("rules.yml", "alerts.yml")
    ]
    assert built["PrometheusRule"]["spec"]["groups"] == [group for file in files for group in file["groups"]]
    spec, service = built["ServiceMonitor"]["spec"], built["Service"]
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert spec["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_logger_of_the_example_is_understood() -> None:
    """Its address has our path, and nothing in its query that is not taken."""
    (item,) = yaml.safe_load_all((DEPLOY / "kubernetes" / "examples" / "kserve-logger.yaml").read_text())
    assert (item["apiVersion"], item["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    logger = item["spec"]["predictor"]["logger"]
    assert logger["mode"] == "all"
    address = urlsplit(logger["url"])
    assert address.path == "/v1/events"
    documents.read(EventsQuery, query.options(address.query.encode()), {})
