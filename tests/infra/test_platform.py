"""The two roots fit together, and both fit the charts that they give values to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import build
from dev.machine.place import CHECKOUT
from dev.terraform.applied import Resource, applied
from dev.terraform.stand_in import Terraform
from dev.terraform.working_copy import initialised
from tests.infra.conftest import ROOT

CELL = ROOT / "platform/cell"


@pytest.fixture(scope="module")
def helm() -> Path:
    return build.helm(print)


@pytest.fixture(scope="module")
def releases(program: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """The values of each release of the second root, by its name."""
    platform = initialised(program, ROOT / "platform", tmp_path_factory.mktemp("platform"))
    done = program.run(platform, "test", "-json", "-verbose")
    states = [said for said in map(json.loads, done.said.splitlines()) if said["type"] == "test_state"]
    resources = states[0]["test_state"]["root_module"]["resources"]
    return {each["values"]["name"]: yaml.safe_load(each["values"]["values"][0]) for each in resources}


@pytest.fixture(scope="module")
def cell_values(program: Terraform, root: Path) -> Mapping[str, Any]:
    """What provision gives every store, as the first root says it."""
    provision = _provision(applied(program, root, "prod"))
    (container,) = provision.values["template"][0]["containers"]
    settings = {setting["name"]: setting["value"] for setting in container["env"]}
    return json.loads(settings["URUMI_CELL_VALUES"])


def _provision(resources: list[Resource]) -> Resource:
    services = [each for each in resources if each.type == "google_cloud_run_v2_service"]
    (found,) = (each for each in services if each.values["name"] == "provision-eu-1")
    return found


def _rendered(helm: Path, chart: Path, *arguments: str | Path, name: str = "made-up") -> list[dict[str, Any]]:
    done = subprocess.run(
        [helm, "template", name, chart, "--namespace", name, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def test_the_cells_chart_is_in_order(helm: Path) -> None:
    done = subprocess.run(
        [helm, "lint", "--strict", "--values", CELL / "ci/example.yaml", CELL],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_stores_volumes_are_of_the_class_that_the_cell_has(
    helm: Path, cell_values: Mapping[str, Any]
) -> None:
    objects = _rendered(helm, CELL, "--values", CELL / "ci/example.yaml")
    (storage,) = (each for each in objects if each["kind"] == "StorageClass")
    assert storage["metadata"]["name"] == cell_values["storageClass"]
    assert (storage["reclaimPolicy"], storage["allowVolumeExpansion"]) == ("Delete", True)


def test_the_certificate_is_the_one_that_the_gateway_shows(
    helm: Path, releases: Mapping[str, Mapping[str, Any]]
) -> None:
    objects = _rendered(helm, CELL, "--values", CELL / "ci/example.yaml")
    (certificate,) = (each for each in objects if each["kind"] == "Certificate")
    shown = releases["front-door"]["controller"]["defaultTLSSecret"]
    assert certificate["spec"]["secretName"] == shown["secret"]
    assert certificate["spec"]["dnsNames"] == ["*.shops.example"]


def test_stores_let_the_gateway_in_and_nobody_else(
    cell_values: Mapping[str, Any], releases: Mapping[str, Mapping[str, Any]]
) -> None:
    controller = releases["front-door"]["controller"]
    spread = controller["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]
    assert cell_values["ingress"]["controller"]["podLabels"] == spread
    assert (
        cell_values["ingress"]["controller"]["namespace"] == controller["defaultTLSSecret"]["secretNamespace"]
    )
    assert cell_values["ingress"]["className"] == controller["ingressClassResource"]["name"]


def test_the_stores_chart_takes_what_the_cell_gives(
    helm: Path, cell_values: Mapping[str, Any], tmp_path: Path
) -> None:
    given = tmp_path / "cell.yaml"
    given.write_text(json.dumps(cell_values))
    chart = CHECKOUT / "chart"
    store = yaml.safe_load((chart / "ci/minimal.yaml").read_text())["store"]["id"]
    objects = _rendered(
        helm, chart, "--values", chart / "ci/minimal.yaml", "--values", given, name=f"store-{store}"
    )
    (ingress,) = (each for each in objects if each["kind"] == "Ingress")
    assert ingress["spec"]["ingressClassName"] == "stores"


def test_the_chart_of_rights_takes_the_identities(
    helm: Path, releases: Mapping[str, Mapping[str, Any]], tmp_path: Path
) -> None:
    given = tmp_path / "rights.yaml"
    given.write_text(json.dumps(releases["urumi-system"]))
    objects = _rendered(helm, CHECKOUT / "platform", "--values", given)
    subjects = [
        subject["name"]
        for each in objects
        if each["kind"] == "ClusterRoleBinding"
        for subject in each["subjects"]
    ]
    assert "provision@urumi-dev.iam.gserviceaccount.com" in subjects
