"""Rules, alerts and dashboards, read by the tools that use them and held against what a real server exports."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lossmeter import engine
from prometheus import NEEDED, WEEK, Prometheus, hurried, playing, promtool, scraping, until
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))

SERVICE = "MONITORED_SERVICE"
"""The variable that names a service with a store of events that runs already: the container of ``deploy/chain``."""


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by its file's name."""
    return {file.name: json.loads(file.read_text()) for file in DASHBOARDS}


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """What its panels ask Prometheus."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def as_asked(expression: str) -> str:
    """The expression with values in the place of Grafana's variables."""
    return re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", "5m"))


def rules() -> list[dict[str, Any]]:
    """Every rule."""
    files = [yaml.safe_load((RULES / name).read_text()) for name in ("rules.yml", "alerts.yml")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


@NEEDED
def test_alerts_fire_when_they_should_and_not_before() -> None:
    """Promtool's own unit tests of rules, and its judgement of the configuration."""
    promtool("check", "config", RULES / "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", RULES / "tests.yml")


def test_every_alert_says_what_to_do_and_is_tested() -> None:
    """A severity, a summary, a description; and every alert has a unit test in which it fires."""
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    for rule in alerts.values():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description"}
    tests = yaml.safe_load((RULES / "tests.yml").read_text())["tests"]
    tested = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert alerts.keys() - tested == set()


def test_dashboards_are_whole() -> None:
    """Ids are unique, panels do not overlap, every one has a data source, a unit and a title."""
    found = dashboards()
    assert len({dashboard["uid"] for dashboard in found.values()}) == len(found) == 2
    for dashboard in found.values():
        panels = dashboard["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len({panel["title"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells
            if panel["type"] != "row":
                assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
                assert panel["fieldConfig"]["defaults"]["unit"]
                assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        names = [variable["name"] for variable in dashboard["templating"]["list"]]
        assert set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(dashboard))) <= set(names)


def test_grafana_is_provisioned_with_what_compose_mounts() -> None:
    """Its data source is the service of that name, its folder where the dashboards are, its home one of them."""
    deploy = ROOT / "deploy"
    services = yaml.safe_load((deploy / "compose.yaml").read_text())["services"]
    provisioning = deploy / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    host, port = source["url"].removeprefix("http://").split(":")
    assert services[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    scraping_ = yaml.safe_load((RULES / "prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == scraping_["scrape_interval"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "lossmeter.yaml").read_text())["providers"]
    assert {
        f"./grafana/{file.name}": f"{provider['options']['path']}/{file.name}" for file in DASHBOARDS
    } == {source: target for source, target in mounts.items() if source.endswith(".json")}
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in mounts.values()


@NEEDED
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    """Of dashboards, as rules."""
    found = [each for dashboard in dashboards().values() for each in expressions(dashboard)]
    asked = [
        {"record": f"asked:{number}", "expr": as_asked(expression)} for number, expression in enumerate(found)
    ]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": asked}]}))
    assert f"SUCCESS: {len(found)} rules found" in promtool("check", "rules", file)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, str]]:
    """A Prometheus with our rules in quick motion, of a server that the sample sender sends to; and its metrics."""
    folder = tmp_path_factory.mktemp("prometheus")
    with service(folder) as url:
        until(lambda: _is_ready(url))
        assert httpx2.post(f"{url}/v1/score", json={}, timeout=PATIENCE).status_code == 422
        truth = {"id": "early", "targets": [0]}
        assert httpx2.post(f"{url}/v1/feedback", json=truth, timeout=PATIENCE).status_code == 200
        target = url.partition("://")[2]
        with scraping(folder, target, hurried(folder)) as prometheus, playing(url, day=5):
            until(lambda: _friday(prometheus), 120)
            metrics = httpx2.get(f"{url}/metrics", timeout=PATIENCE).text
            yield prometheus, metrics


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The address of what is watched: a server of our own, unless another one is named."""
    named = os.environ.get(SERVICE)
    if named:
        yield named
        return
    with running(events_store=folder / "events.sqlite") as server:
        yield server.url


def _is_ready(url: str) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(f"{url}/health/ready", timeout=PATIENCE).status_code == 200
    return False


def _friday(prometheus: Prometheus) -> bool:
    """Whether the kiosk's loss is what it is with a camera out of focus, and has been told."""
    told = prometheus.query('ALERTS{alertname="LossAboveBaseline",alertstate="firing",slice="kiosk"}')
    return bool(told) and (prometheus.value('lossmeter:loss_nats:mean30m{slice="kiosk"}') or 0) > 0.7


@NEEDED
def test_the_spoilt_slice_is_told(observed: tuple[Prometheus, str]) -> None:
    """When Friday comes, the loss of the kiosk fires its alert, and has risen more than that of any other device."""
    prometheus, _ = observed
    ((labels, times),) = prometheus.query(
        "topk(1, lossmeter:loss_nats:mean30m / lossmeter:loss_nats:baseline)"
    )
    assert labels["slice"] == "kiosk"
    assert times > 2


@NEEDED
def test_the_dashboard_tells_the_loss(observed: tuple[Prometheus, str]) -> None:
    """What the panel asks comes to the loss of Friday's rows by the engine, but for what sampling does."""
    prometheus, _ = observed
    friday = json.loads(WEEK.read_text())["Friday"]
    is_kiosk = np.array(friday["slices"]["device"]) == "kiosk"
    exact = engine.score(
        logits=np.array(friday["logits"])[is_kiosk], targets=np.array(friday["targets"])[is_kiosk]
    ).loss
    (panel,) = [each for each in dashboards()["model-quality.json"]["panels"] if each["title"] == "Mean loss"]
    asked = panel["targets"][0]["expr"].replace("$__rate_interval", "3s").replace("$slice", "kiosk")
    shown = prometheus.value(f"max_over_time(({as_asked(asked)})[1m:500ms])")
    assert shown == pytest.approx(exact, rel=0.3)


@NEEDED
@pytest.mark.parametrize("name", [file.name for file in DASHBOARDS])
def test_panels_ask_for_what_there_is(observed: tuple[Prometheus, str], name: str) -> None:
    """Prometheus parses each expression; its metrics are exported or recorded; and panels of models have an answer."""
    prometheus, metrics = observed
    exported = {
        sample.name for family in text_string_to_metric_families(metrics) for sample in family.samples
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in expressions(dashboards()[name]):
        names = set(re.findall(r"\b(?:lossmeter|process)[\w:]*(?=\{)", expression))
        assert names
        assert names <= exported | recorded, expression
        found = prometheus.query(as_asked(expression))
        assert found, expression


@NEEDED
def test_variables_have_values(observed: tuple[Prometheus, str]) -> None:
    """What the lists at the top of a dashboard are filled with."""
    prometheus, _ = observed
    found = {}
    for dashboard in dashboards().values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                assert asked, variable
                series = prometheus.query(f"count by ({asked[2]}) ({as_asked(asked[1])})")
                found[variable["name"]] = {labels.get(asked[2], "") for labels, _ in series}
    assert found.pop("instance")
    assert found == {
        "job": {"lossmeter"},
        "model": {"digits"},
        "version": {"1"},
        "slice": {"desk", "kiosk", "mobile"},
        "loss": {"cross_entropy"},
    }


@NEEDED
def test_rules_ask_for_what_there_is(observed: tuple[Prometheus, str]) -> None:
    """Every metric of ours that a rule names is exported or recorded."""
    _, metrics = observed
    exported = {
        sample.name for family in text_string_to_metric_families(metrics) for sample in family.samples
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        named = set(re.findall(r"\b(?:route:)?lossmeter[:_][\w:]*", rule["expr"]))
        assert named <= exported | recorded, rule
