"""A real API server takes the chart under Pod Security `restricted`, and refuses what is not it.

A Deployment that breaks the rules is only warned about, so pods are made from the templates and sent too.
"""

from __future__ import annotations

import copy
import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client, config

from control_plane.adapters.kubernetes_workloads import workload_of
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

    def pods(self) -> dict[str, str]:
        """The uid of each component's pod that is not about to end."""
        found = self.api.api_client.sanitize_for_serialization(self.api.list_namespaced_pod(self.namespace))
        return {
            pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["metadata"]["uid"]
            for pod in found["items"]
            if "deletionTimestamp" not in pod["metadata"]
        }

    def rolled_out(self) -> bool:
        """Whether both workloads are what was installed last."""
        apps = client.AppsV1Api(self.api.api_client)
        return all(
            workload_of(self.api.api_client.sanitize_for_serialization(found)).rolled_out
            for found in (
                apps.read_namespaced_deployment("storefront", self.namespace),
                apps.read_namespaced_stateful_set("database", self.namespace),
            )
        )

    def sizes(self) -> set[str]:
        """What the claims say that they have."""
        claims = self.api.list_namespaced_persistent_volume_claim(self.namespace).items
        return {(claim.status.capacity or {}).get("storage", "") for claim in claims}

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
    third = changed(site.values, "store.generation", 3)
    reset = changed(changed(third, "credentials.adminSecret", "store-admin-2"), "credentials.adminNumber", 2)
    with_key = changed(reset, "login.keys", ci_values("everything-on")["login"]["keys"])
    for values in (site.values, second, suspended, third, reset, with_key):
        assert "Warning" not in (said := site.install(values)), said


def test_pods_are_begun_anew_only_for_what_is_theirs(site: Site) -> None:
    values = changed(site.values, "store.generation", 10)
    site.install(values)
    _becomes(site.rolled_out)
    first = site.pods()
    quiet = changed(changed(values, "store.generation", 11), "storefront.notice", "past-due")
    quiet = changed(changed(quiet, "login.keys", {}), "store.formerHostname", "pots-p0x2.shops.example")
    site.install(quiet)
    retitled = changed(changed(quiet, "store.generation", 12), "store.title", "S2V0dGxlcw==")
    _becomes(site.rolled_out)
    assert site.pods() == first
    site.install(retitled)
    _becomes(site.rolled_out)
    last = site.pods()
    assert last["storefront"] != first["storefront"]
    assert last["database"] == first["database"]


def test_a_store_grows_with_its_plan_and_never_shrinks(site: Site) -> None:
    def sized(generation: int, size: str) -> Values:
        values = changed(site.values, "store.generation", generation)
        return changed(changed(values, "storefront.storage.size", size), "database.storage.size", size)

    site.install(sized(20, "5Gi"))
    _becomes(lambda: site.sizes() == {"5Gi"} and site.rolled_out())
    pods = site.pods()
    site.install(sized(21, "7Gi"))
    _becomes(lambda: site.sizes() == {"7Gi"} and site.rolled_out())
    assert site.pods() == pods
    with pytest.raises(AssertionError, match="can not be less than"):
        site.install(sized(22, "6Gi"))
    assert site.sizes() == {"7Gi"}
    site.values = changed(
        changed(site.values, "storefront.storage.size", "7Gi"), "database.storage.size", "7Gi"
    )


def test_a_suspended_store_has_no_pods_and_everything_else(site: Site) -> None:
    def there() -> set[tuple[str, str, str]]:
        return {
            (type(found).__name__, found.metadata.name, found.metadata.uid)
            for listed in (
                site.api.list_namespaced_persistent_volume_claim(site.namespace),
                site.api.list_namespaced_service(site.namespace),
                site.api.list_namespaced_config_map(site.namespace),
            )
            for found in listed.items
        }

    values = changed(site.values, "store.generation", 30)
    site.install(values)
    _becomes(site.rolled_out)
    before = there()
    suspended = changed(changed(values, "storefront.replicas", 0), "database.replicas", 0)
    site.install(changed(suspended, "store.generation", 31))
    _becomes(lambda: site.pods() == {} and site.rolled_out())
    assert there() == before
    site.install(changed(values, "store.generation", 32))
    _becomes(site.rolled_out)
    assert len(site.pods()) == 2
    assert there() == before


def test_the_pods_that_the_templates_make_are_admitted_as_they_are(site: Site, renderer: Renderer) -> None:
    reset = changed(site.values, "credentials.adminSecret", "store-admin-2")
    reset = changed(reset, "credentials.adminNumber", 2)
    specs = dict(pod_specs(renderer.objects(site.values)))
    assert set(specs) == {"storefront", "database"}
    for spec in [*specs.values(), dict(pod_specs(renderer.objects(reset)))["storefront"]]:
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


def _first(**security: object) -> Change:
    """Another container before the others, as good as they are but for that."""

    def change(spec: Object) -> None:
        like = {key: copy.deepcopy(spec["containers"][0][key]) for key in ("image", "resources")}
        context = {**spec["containers"][0]["securityContext"], **security}
        spec["initContainers"] = [{"name": "first", **like, "securityContext": context}]

    return change


def _volume(**source: object) -> Change:
    return lambda spec: spec["volumes"].append({"name": "more", **source})


BAD: dict[str, Change] = {
    "root by the pod": _pod_security(runAsUser=0),
    "root by the container": _security(runAsUser=0),
    "root in an init container": _first(runAsUser=0),
    "perhaps root": _pod_security(runAsNonRoot=None),
    "root allowed by the container": _security(runAsNonRoot=False),
    "privileged": _security(privileged=True, allowPrivilegeEscalation=True),
    "escalation": _security(allowPrivilegeEscalation=True),
    "escalation not denied": _security(allowPrivilegeEscalation=None),
    "escalation in an init container": _first(allowPrivilegeEscalation=True),
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


def _becomes(seen: Callable[[], bool], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def _storefront(site: Site, renderer: Renderer) -> Object:
    """A fresh copy of the storefront's pod spec, which is admitted as it is."""
    return dict(pod_specs(renderer.objects(site.values)))["storefront"]
