"""What every pod and every container of a store promises, whichever it is."""

from __future__ import annotations

import pytest

from tests.chart.rendering import Object, Renderer, changed, ci_values, containers, named, pod_specs

TMP = "/tmp"  # noqa: S108 - a folder of the container
USERS = {"storefront": 33, "database": 999}
SCRATCH = {
    "storefront/web": {TMP, "/run/apache2"},
    "storefront/agent": {TMP, "/run/agent"},
    "database/database": {TMP, "/run/mysqld"},
}
CREDENTIALS = {
    "storefront/web": {"database-password", "wordpress-secret"},
    "storefront/agent": {"database-password", "wordpress-secret", "admin-password"},
    "database/database": {"database-password", "database-root-password"},
}


def test_these_and_no_other_containers_run(objects: list[Object]) -> None:
    """And none before the others: a kubelet looks again up to a second after the end of an init container."""
    assert [name for name, _ in containers(objects)] == list(SCRATCH)
    assert not [name for name, spec in pod_specs(objects) if "initContainers" in spec]


def test_every_pod_runs_as_its_numeric_user_and_owns_its_volumes(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        context = spec["securityContext"]
        user = USERS[name]
        assert context["runAsNonRoot"] is True
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (user, user, user)
        assert context["fsGroupChangePolicy"] == "OnRootMismatch"
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_no_container_takes_back_what_its_pod_promised(objects: list[Object]) -> None:
    for name, container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }, name


def test_no_pod_has_a_token_the_cluster_s_addresses_or_the_node_s_namespaces(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["serviceAccountName"] == name
        assert named(objects, "ServiceAccount", name)["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & spec.keys(), name


def test_pods_have_the_runtime_class_that_is_asked_for_or_none(renderer: Renderer) -> None:
    found = {
        values: [spec.get("runtimeClassName") for _, spec in pod_specs(renderer.objects(ci_values(values)))]
        for values in ("everything-on", "minimal")
    }
    assert found == {"everything-on": ["gvisor", "gvisor"], "minimal": [None, None]}


def test_port_80_needs_one_safe_sysctl_and_only_the_storefront_has_it(objects: list[Object]) -> None:
    sysctls = {name: spec["securityContext"].get("sysctls", []) for name, spec in pod_specs(objects)}
    assert sysctls == {
        "storefront": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        "database": [],
    }


def test_no_container_has_an_environment_so_nothing_is_ever_expanded_into_it(objects: list[Object]) -> None:
    for name, container in containers(objects):
        assert not {"env", "envFrom", "args"} & container.keys(), name
        assert "$" not in "".join(container["command"]), name


def test_every_container_starts_our_own_entry_point(objects: list[Object]) -> None:
    assert {name: container["command"] for name, container in containers(objects)} == {
        "storefront/web": ["/usr/local/bin/urumi-web"],
        "storefront/agent": ["/usr/local/bin/urumi-agent"],
        "database/database": ["/usr/local/bin/urumi-database"],
    }


def test_every_container_asks_for_little_and_is_limited_in_all(objects: list[Object]) -> None:
    for name, container in containers(objects):
        for what in ("requests", "limits"):
            assert set(container["resources"][what]) == {"cpu", "memory", "ephemeral-storage"}, name


def test_what_is_writable_is_a_claim_or_a_bounded_scratch_folder(objects: list[Object]) -> None:
    for pod, spec in pod_specs(objects):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"].endswith("Mi"), volume["name"]
        for container in spec["containers"]:
            mounts = container["volumeMounts"]
            scratch = {mount["mountPath"] for mount in mounts if "emptyDir" in volumes[mount["name"]]}
            assert scratch == SCRATCH[f"{pod}/{container['name']}"]
            for mount in mounts:
                kind = volumes[mount["name"]].keys() - {"name"}
                read_only = kind <= {"configMap", "secret", "projected"}
                assert mount.get("readOnly", False) is read_only, mount


def test_every_volume_is_mounted_and_every_mount_has_its_volume(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        mounted = {mount["name"] for one in spec["containers"] for mount in one["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}, name


def test_each_container_sees_only_the_credentials_that_it_needs(objects: list[Object]) -> None:
    seen: dict[str, set[str]] = {}
    for pod, spec in pod_specs(objects):
        secrets = {volume["name"]: items for volume in spec["volumes"] if (items := _secret_items(volume))}
        for container in spec["containers"]:
            seen[f"{pod}/{container['name']}"] = {
                item["key"]
                for mount in container["volumeMounts"]
                if mount["name"] in secrets
                for item in secrets[mount["name"]]
            }
    assert seen == CREDENTIALS


def test_the_web_server_gets_300_seconds_to_start_and_is_asked_often(objects: list[Object]) -> None:
    web = _container(objects, "storefront/web")
    ready, living = web["readinessProbe"], web["livenessProbe"]
    assert ready["httpGet"]["path"] == "/wp-login.php"
    assert ready["periodSeconds"] == 1
    assert ready["periodSeconds"] * ready["failureThreshold"] == 30
    assert living["initialDelaySeconds"] + living["periodSeconds"] * living["failureThreshold"] == 300
    assert living["timeoutSeconds"] < living["periodSeconds"]


def test_no_probe_goes_before_readiness(objects: list[Object]) -> None:
    """After it the kubelet would look at the pod anew, up to a second later."""
    assert not [name for name, container in containers(objects) if "startupProbe" in container]


def test_the_web_server_s_probes_ask_neither_the_database_nor_the_owner_s_login_page(
    objects: list[Object],
) -> None:
    """Whether pages answer is the agent's to say, whose readiness is the pod's."""
    web = _container(objects, "storefront/web")
    for probe in ("readinessProbe", "livenessProbe"):
        assert _headers(web, probe)["X-Urumi-Probe"] == "liveness"
    assert _container(objects, "storefront/agent")["readinessProbe"]["exec"]["command"][1] == "ready"


@pytest.mark.parametrize(
    ("address", "host", "scheme"),
    [
        ("https://teapots-k3f9.shops.example", "teapots-k3f9.shops.example", "https"),
        ("http://teapots-k3f9.shops.example:8088", "teapots-k3f9.shops.example:8088", "http"),
    ],
)
def test_probes_ask_by_the_store_s_own_address(
    renderer: Renderer, address: str, host: str, scheme: str
) -> None:
    objects = renderer.objects(changed(ci_values("minimal"), "store.address", address))
    web = _container(objects, "storefront/web")
    for probe in ("readinessProbe", "livenessProbe"):
        assert _headers(web, probe).items() >= {"Host": host, "X-Forwarded-Proto": scheme}.items()


def test_a_database_that_is_stopped_for_ten_minutes_is_not_restarted(objects: list[Object]) -> None:
    probe = _container(objects, "database/database")["livenessProbe"]
    assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) > 600


def test_no_probe_names_another_host(objects: list[Object]) -> None:
    for name, container in containers(objects):
        for probe in ("readinessProbe", "livenessProbe"):
            action = container.get(probe, {})
            assert "host" not in action.get("httpGet", {}) | action.get("tcpSocket", {}), name


def test_the_pod_is_ready_only_when_the_web_server_answers_and_the_agent_agrees(
    objects: list[Object],
) -> None:
    agent = _container(objects, "storefront/agent")
    probe = agent["readinessProbe"]
    *command, patience = probe["exec"]["command"]
    assert command == ["/usr/local/bin/urumi-agent", "ready"]
    assert int(patience) < probe["timeoutSeconds"] / 2
    assert probe["periodSeconds"] == 1
    assert "livenessProbe" not in agent
    assert _container(objects, "storefront/web")["readinessProbe"]["httpGet"]["path"] == "/wp-login.php"


def test_the_database_is_asked_by_tcp_often_and_killed_late(objects: list[Object]) -> None:
    database = _container(objects, "database/database")
    ready, living = database["readinessProbe"], database["livenessProbe"]
    assert ready["tcpSocket"] == living["tcpSocket"] == {"port": "mysql"}
    assert ready["periodSeconds"] == 1
    assert ready["periodSeconds"] * ready["failureThreshold"] == 30
    # A recovery that is killed starts over.
    assert living["periodSeconds"] * living["failureThreshold"] >= 600


def test_pods_end_in_time_and_start_again_by_themselves(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        assert spec["terminationGracePeriodSeconds"] >= {"storefront": 30, "database": 60}[name]
        assert spec.get("restartPolicy", "Always") == "Always"
    options = {
        item["name"]: item["value"] for item in dict(pod_specs(objects))["storefront"]["dnsConfig"]["options"]
    }
    assert options == {"ndots": "1", "timeout": "1", "attempts": "2"}


def _container(objects: list[Object], name: str) -> Object:
    return dict(containers(objects))[name]


def _secret_items(volume: Object) -> list[Object]:
    """What a volume shows of Secrets, which only its own user may read; empty for a volume without."""
    projected = volume.get("projected", {})
    secrets = [volume.get("secret"), *(source.get("secret") for source in projected.get("sources", []))]
    items = [item for secret in secrets if secret for item in secret["items"]]
    if items:
        assert volume.get("secret", projected)["defaultMode"] == 0o440
    return items


def _headers(container: Object, probe: str) -> dict[str, str]:
    return {header["name"]: header["value"] for header in container[probe]["httpGet"]["httpHeaders"]}
