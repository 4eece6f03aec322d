"""The two roots fit together, and both fit the charts that they give values to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters.kubernetes_cluster import STORE_LABEL
from dev.cluster import build
from dev.machine.place import CHECKOUT
from dev.terraform.applied import Resource, applied
from dev.terraform.stand_in import Terraform
from dev.terraform.working_copy import initialised
from tests.infra.conftest import ROOT

CELL, GATEWAY = ROOT / "platform/cell", ROOT / "platform/gateway"


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


@pytest.fixture(scope="module")
def gateway(
    helm: Path, releases: Mapping[str, Mapping[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, dict[str, Any]]:
    """What the gateway's release makes of the second root's values, by kind."""
    given = tmp_path_factory.mktemp("gateway") / "values.yaml"
    given.write_text(json.dumps(releases["front-door"]))
    objects = _rendered(helm, GATEWAY, "--values", given, name="front-door")
    return {each["kind"]: each for each in objects}


@pytest.mark.parametrize("chart", [CELL, GATEWAY], ids=lambda each: each.name)
def test_a_chart_is_in_order(helm: Path, chart: Path) -> None:
    done = subprocess.run(
        [helm, "lint", "--strict", "--values", chart / "ci/example.yaml", chart],
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
    helm: Path, gateway: Mapping[str, dict[str, Any]]
) -> None:
    objects = _rendered(helm, CELL, "--values", CELL / "ci/example.yaml")
    (certificate,) = (each for each in objects if each["kind"] == "Certificate")
    pod = gateway["Deployment"]["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    assert f"-certificate={mount['mountPath']}" in container["args"]
    assert certificate["spec"]["dnsNames"] == ["*.shops.example"]


def test_stores_let_the_gateway_in_and_nobody_else(
    cell_values: Mapping[str, Any], gateway: Mapping[str, dict[str, Any]]
) -> None:
    controller = cell_values["ingress"]["controller"]
    assert controller["podLabels"] == gateway["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert controller["namespace"] == gateway["ClusterRoleBinding"]["subjects"][0]["namespace"]
    class_name = cell_values["ingress"]["className"]
    assert class_name == gateway["IngressClass"]["metadata"]["name"]
    (container,) = gateway["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert f"-class={class_name}" in container["args"]


def test_all_that_is_said_of_the_gateways_pods_is_said_of_the_same_pods(
    gateway: Mapping[str, dict[str, Any]],
) -> None:
    deployment = gateway["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert gateway["Service"]["spec"]["selector"] == labels
    assert gateway["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert gateway["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    for spread in deployment["template"]["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == labels


def test_two_gateways_behind_one_address_see_who_comes_and_show_shops_alone(
    gateway: Mapping[str, dict[str, Any]],
) -> None:
    assert gateway["Deployment"]["spec"]["replicas"] == 2
    assert gateway["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    pod = gateway["Deployment"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"cloud.google.com/gke-nodepool": "system"}
    service = gateway["Service"]["spec"]
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert service["loadBalancerIP"] == "192.0.2.10"
    assert [port["port"] for port in service["ports"]] == [80, 443]
    (container,) = pod["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [8080, 8443]


def test_the_gateway_may_go_to_the_stores_web_containers(
    helm: Path, gateway: Mapping[str, dict[str, Any]]
) -> None:
    to = gateway["NetworkPolicy"]["spec"]["egress"][0]
    values = CHECKOUT / "chart/ci/minimal.yaml"
    store = yaml.safe_load(values.read_text())["store"]["id"]
    objects = _rendered(helm, CHECKOUT / "chart", "--values", values, name=f"store-{store}")
    (storefront,) = (each for each in objects if each["kind"] == "Deployment")
    pod = storefront["spec"]["template"]
    (peer,) = to["to"]
    assert peer["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert peer["namespaceSelector"]["matchExpressions"] == [{"key": STORE_LABEL, "operator": "Exists"}]
    ports = [port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports", [])]
    assert [port["port"] for port in to["ports"]] == ports


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
