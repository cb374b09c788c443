"""What `deploy/` says agrees with the service. `make deploy-check` runs the tools of the formats."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no stubs

from trade_service import __version__
from trade_service.settings.tree import FIELDS
from trade_service.web.operations import LIVENESS_PATHS, READINESS_PATHS

DEPLOY = Path(__file__).parent.parent / "deploy"
CHART = DEPLOY / "helm/trade-service"
KNOWN = {name for field in FIELDS.values() for name in (*field.env_names, *field.file_env_names)}
OURS = re.compile(r"\b(?:TRADE_SERVICE|DATABASE|EXECUTION_SERVICE|EXTERNAL|OTEL|LOG)_[A-Z][A-Z0-9_]*\b")
FILES = [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.tpl"), *DEPLOY.glob("systemd/*"), DEPLOY / "Dockerfile"]


@pytest.mark.parametrize("file", FILES, ids=lambda one: str(one.relative_to(DEPLOY)))
def test_every_variable_is_one_of_a_setting(file: Path) -> None:
    assert set(OURS.findall(file.read_text("utf-8"))) <= KNOWN


def manifests() -> list[Any]:
    """The plain manifests, without what is only text."""
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/trade-service.yaml").read_text("utf-8")))


def test_the_plain_manifests_keep_what_clients_of_the_earlier_service_know() -> None:
    (service,) = (one for one in manifests() if one["kind"] == "Service")
    (deployment,) = (one for one in manifests() if one["kind"] == "Deployment")
    assert service["metadata"]["name"] == deployment["metadata"]["name"] == "globeco-trade-service"
    assert [port["port"] for port in service["spec"]["ports"]] == [8082]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert container["startupProbe"]["httpGet"]["path"] in READINESS_PATHS
    assert container["readinessProbe"]["httpGet"]["path"] in READINESS_PATHS
    assert container["livenessProbe"]["httpGet"]["path"] in LIVENESS_PATHS
    values = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert values["EXTERNAL_PORTFOLIO_SERVICE_BASE_URL"] == "http://globeco-portfolio-service:8000"
    assert values["EXTERNAL_SECURITY_SERVICE_BASE_URL"] == "http://globeco-security-service:8000"


def test_a_pod_is_given_the_time_that_its_shutdown_takes() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    grace_s = FIELDS["server.shutdown_grace_s"].default
    assert isinstance(grace_s, float)
    assert values["terminationGracePeriodSeconds"] > grace_s + 10


def test_the_chart_is_of_this_version_and_holds_the_alerts() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert chart["version"] == chart["appVersion"] == __version__
    assert (CHART / "alerts.yml").read_bytes() == (DEPLOY / "prometheus/alerts.yml").read_bytes()
