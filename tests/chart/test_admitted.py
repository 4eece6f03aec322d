"""A real API server takes the chart under Pod Security `restricted`, and refuses what is not it.

A Deployment that breaks the rules is only warned about, so pods are made from the templates and sent too.
"""

from __future__ import annotations

import copy
import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client, config

from tests.chart.rendering import CHART, Object, Renderer, Values, changed, ci_values, pod_specs, release_name

RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": level
    for rule in ("enforce", "warn")
    for mode, level in ((rule, "restricted"), (f"{rule}-version", "latest"))
}
Change = Callable[[Any], object]


@dataclass
class Site:
    """A namespace as provision makes it, with a store in it."""

    api: Any  # takes plain dictionaries, though its types say otherwise
    values: Values
    command: list[str]

    @property
    def namespace(self) -> str:
        return release_name(self.values)

    def install(self, values: Values) -> str:
        """`helm upgrade --install`; returns what the server warned about."""
        done = subprocess.run(
            self.command, input=json.dumps(values), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def admit(self, spec: Object) -> Object:
        """What the API server would make of a pod with that spec. Raises ApiException if it refuses it."""
        body = {"metadata": {"generateName": "trial-"}, "spec": spec}
        pod = self.api.create_namespaced_pod(self.namespace, body, dry_run="All")
        made: Object = self.api.api_client.sanitize_for_serialization(pod)
        return made


@pytest.fixture(scope="module")
def site(cluster: Any) -> Iterator[Site]:
    """A store installed for real in a namespace of its own."""
    values = changed(ci_values("minimal"), "store.id", str(uuid.uuid4()))
    name = release_name(values)
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig)]
    command = [
        str(cluster.helm),
        "upgrade",
        "--install",
        name,
        str(CHART),
        "-n",
        name,
        *kubeconfig,
        "-f",
        "-",
    ]
    connect: Any = config.new_client_from_config
    with connect(config_file=str(cluster.kubeconfig)) as connection:
        api: Any = client.CoreV1Api(connection)
        api.create_namespace({"metadata": {"name": name, "labels": RESTRICTED}})
        try:
            made = Site(api, values, command)
            made.install(values)
            yield made
        finally:
            api.delete_namespace(name)


def test_the_chart_is_taken_again_for_every_later_generation_without_a_warning(site: Site) -> None:
    second = changed(site.values, "store.generation", 2)
    suspended = changed(changed(second, "storefront.replicas", 0), "database.replicas", 0)
    for values in (site.values, second, suspended, changed(site.values, "store.generation", 3)):
        assert "Warning" not in (said := site.install(values)), said


def test_the_pods_that_the_templates_make_are_admitted_as_they_are(site: Site, renderer: Renderer) -> None:
    specs = dict(pod_specs(renderer.objects(site.values)))
    assert set(specs) == {"storefront", "database"}
    for spec in specs.values():
        made = site.admit(copy.deepcopy(spec))["spec"]
        for kind in ("initContainers", "containers"):
            ours = [(c["resources"], c["volumeMounts"]) for c in spec.get(kind, [])]
            # Nothing was added: no default limits, no token.
            assert [(c["resources"], c["volumeMounts"]) for c in made.get(kind, [])] == ours
        assert {volume["name"] for volume in made["volumes"]} == {
            volume["name"] for volume in spec["volumes"]
        }


def test_a_pod_that_forgets_its_limits_gets_small_ones(site: Site, renderer: Renderer) -> None:
    spec = _storefront(site, renderer)
    del spec["containers"][0]["resources"]
    assert site.admit(spec)["spec"]["containers"][0]["resources"]["limits"] == {
        "cpu": "250m",
        "memory": "256Mi",
        "ephemeral-storage": "256Mi",
    }


def _pod(**fields: object) -> Change:
    return lambda spec: spec.update(fields)


def _pod_security(**fields: object) -> Change:
    return lambda spec: spec["securityContext"].update(fields)


def _security(**fields: object) -> Change:
    return lambda spec: spec["containers"][0]["securityContext"].update(fields)


def _volume(**source: object) -> Change:
    return lambda spec: spec["volumes"].append({"name": "more", **source})


BAD: dict[str, Change] = {
    "root by the pod": _pod_security(runAsUser=0),
    "root by the container": _security(runAsUser=0),
    "root in the init container": lambda spec: spec["initContainers"][0]["securityContext"].update(
        runAsUser=0
    ),
    "perhaps root": _pod_security(runAsNonRoot=None),
    "root allowed by the container": _security(runAsNonRoot=False),
    "privileged": _security(privileged=True, allowPrivilegeEscalation=True),
    "escalation": _security(allowPrivilegeEscalation=True),
    "escalation not denied": _security(allowPrivilegeEscalation=None),
    "escalation in the init container": lambda spec: spec["initContainers"][0].pop("securityContext"),
    "capabilities kept": _security(capabilities=None),
    "only some capabilities dropped": _security(capabilities={"drop": ["NET_RAW"]}),
    "capability added": _security(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "no seccomp": _pod_security(seccompProfile=None),
    "seccomp off": _security(seccompProfile={"type": "Unconfined"}),
    "AppArmor off": _security(appArmorProfile={"type": "Unconfined"}),
    "SELinux type of its own": _security(seLinuxOptions={"type": "spc_t"}),
    # The storefront's own sysctl does not go with it and would be what is refused.
    "the node's network": lambda spec: (_pod(hostNetwork=True)(spec), spec["securityContext"].pop("sysctls")),
    "the node's processes": _pod(hostPID=True),
    "the node's memory segments": _pod(hostIPC=True),
    "a port of the node": lambda spec: spec["containers"][0]["ports"][0].update(hostPort=80),
    "a folder of the node": _volume(hostPath={"path": "/"}),
    "a network share": _volume(nfs={"server": "10.0.0.1", "path": "/"}),
    "an unsafe sysctl": _pod_security(sysctls=[{"name": "kernel.msgmax", "value": "65536"}]),
    "a probe of somebody else": lambda spec: spec["containers"][0]["livenessProbe"]["httpGet"].update(
        host="10.96.0.1"
    ),
    "a hook that calls somebody else": lambda spec: spec["containers"][0].update(
        lifecycle={"preStop": {"httpGet": {"host": "10.96.0.1", "port": 443}}}
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_pod_is_refused(site: Site, renderer: Renderer, what: str) -> None:
    spec = _storefront(site, renderer)
    BAD[what](spec)
    with pytest.raises(client.ApiException, match="violates PodSecurity") as refused:
        site.admit(spec)
    assert refused.value.status == 403


def _storefront(site: Site, renderer: Renderer) -> Object:
    """A fresh copy of the storefront's pod spec, which is admitted as it is."""
    return dict(pod_specs(renderer.objects(site.values)))["storefront"]
