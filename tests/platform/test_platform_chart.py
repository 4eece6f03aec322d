"""The platform chart without a cluster: it lints, takes only what could be meant, and says what it is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters import kubernetes_cluster
from dev.cluster import build
from dev.cluster.credentials import IDENTITIES, NAMESPACE
from dev.machine.functions import PROVISION
from dev.machine.place import CHECKOUT

CHART = CHECKOUT / "platform"
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())

Render = Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned Helm, built if it is not there yet."""
    return build.helm(print)


@pytest.fixture
def render(helm: Path) -> Render:
    command = [str(helm), "template", NAMESPACE, str(CHART), "--namespace", NAMESPACE, "--values", "-"]

    def rendered(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)

    return rendered


def _objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_lint_has_nothing_to_say(helm: Path, values: Path) -> None:
    command = [str(helm), "lint", "--strict", str(CHART), "--values", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert not re.search(r"\[(WARNING|ERROR)\]", done.stdout), done.stdout


def test_accounts_are_made_and_users_only_bound(render: Render) -> None:
    accounts = _objects(render({}))
    made = {each["metadata"]["name"] for each in accounts if each["kind"] == "ServiceAccount"}
    assert made == set(IDENTITIES)
    users = yaml.safe_load((CHART / "ci" / "users.yaml").read_text())
    objects = _objects(render(users))
    assert not [each for each in objects if each["kind"] == "ServiceAccount"]
    bound = {
        each["roleRef"]["name"]: each["subjects"] for each in objects if each["kind"] == "ClusterRoleBinding"
    }
    for name, identity in users["identities"].items():
        assert bound[f"urumi-{name}"] == [{**identity, "apiGroup": "rbac.authorization.k8s.io"}]


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ({}, f"system:serviceaccount:{NAMESPACE}:provision"),
        ({"identities": {"provision": {"kind": "User", "name": "p@x.example"}}}, "p@x.example"),
    ],
    ids=["account", "user"],
)
def test_every_policy_judges_provision_and_is_bound_to_deny(
    render: Render, values: dict[str, Any], user: str
) -> None:
    objects = _objects(render(values))
    policies = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert len(policies) == len(list((CHART / "templates" / "policies").iterdir()))
    for policy in policies:
        (condition,) = policy["spec"]["matchConditions"]
        assert condition["expression"] == f"request.userInfo.username == '{user}'"
        assert policy["spec"]["failurePolicy"] == "Fail"
    names = sorted(each["metadata"]["name"] for each in policies)
    assert sorted(each["spec"]["policyName"] for each in bindings) == names
    assert all(each["spec"]["validationActions"] == ["Deny"] for each in bindings)


def test_no_right_is_a_wildcard(render: Render) -> None:
    for role in _objects(render({})):
        for rule in role.get("rules", []):
            assert "*" not in json.dumps(rule), role["metadata"]["name"]
            assert not {"escalate", "impersonate", "deletecollection"} & set(rule["verbs"])


@pytest.mark.parametrize(
    "values",
    [
        {"surprise": 1},
        {"identities": {"api": {"kind": "ServiceAccount", "name": "api"}}},
        {"identities": {"provision": {"kind": "Group", "name": "everybody"}}},
        {"identities": {"provision": {"namespace": "elsewhere"}}},
        {"identities": {"provision": {"name": "Provision"}}},
        {"identities": {"provision": {"name": ""}}},
        {"identities": {"provision": {"kind": "User", "name": "x' || true || 'y"}}},
        {"identities": {"provision": {"kind": "User", "name": "system:masters"}}},
        {"podSecurityVersion": "latest"},
        {"podSecurityVersion": "v1.36' || true"},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(render: Render, values: dict[str, Any]) -> None:
    done = render(values)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_the_readme_and_the_schema_say_the_same() -> None:
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for name, schema in SCHEMA["properties"]["identities"]["properties"].items():
        default = json.dumps(DEFAULTS["identities"][name])
        lines.append(f"| `identities.{name}` | `{default}` | {schema['description']} |")
    version = SCHEMA["properties"]["podSecurityVersion"]["description"]
    lines.append(f"| `podSecurityVersion` | `{DEFAULTS['podSecurityVersion']}` | {version} |")
    table = "\n".join(lines)
    found = re.search(
        r"<!-- values -->\n(.*?)\n<!-- /values -->", (CHART / "README.md").read_text(), re.DOTALL
    )
    assert found
    assert found[1] == table, f"put this between the marks in platform/README.md:\n{table}"
    comments = re.findall(r"^ *# (.*)\n(?! *#)", (CHART / "values.yaml").read_text(), re.MULTILINE)
    assert set(re.findall(r"\| ([A-Z][^|]*\.) \|", table)) <= set(comments)


def test_the_code_and_the_chart_mean_the_same() -> None:
    assert DEFAULTS["identities"]["provision"] == {key: PROVISION[key] for key in ("kind", "name")}
    assert PROVISION["namespace"] == NAMESPACE
    version = kubernetes_cluster._POD_SECURITY_VERSION
    assert DEFAULTS["podSecurityVersion"] == version
