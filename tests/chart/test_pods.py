"""What every pod and every container of a store promises, whichever it is."""

from __future__ import annotations

import pytest

from tests.chart.rendering import Object, Renderer, changed, ci_values, containers, named, pod_specs

TMP = "/tmp"  # noqa: S108 - a folder of the container
USERS = {"storefront": 33, "database": 999}
SCRATCH = {
    "storefront/seed": {TMP},
    "storefront/web": {TMP, "/run/apache2"},
    "storefront/agent": {TMP, "/run/urumi"},
    "database/database": {TMP, "/run/mysqld"},
}
CREDENTIALS = {
    "storefront/seed": set(),
    "storefront/web": {"database-password", "wordpress-secret"},
    "storefront/agent": {"database-password", "wordpress-secret", "admin-password"},
    "database/database": {"database-password", "database-root-password"},
}


def test_these_and_no_other_containers_run(objects: list[Object]) -> None:
    assert [name for name, _ in containers(objects)] == list(SCRATCH)


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
        "storefront/seed": ["/usr/local/bin/urumi-seed"],
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
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            mounts = container["volumeMounts"]
            scratch = {mount["mountPath"] for mount in mounts if "emptyDir" in volumes[mount["name"]]}
            assert scratch == SCRATCH[f"{pod}/{container['name']}"]
            for mount in mounts:
                kind = volumes[mount["name"]].keys() - {"name"}
                assert mount.get("readOnly", False) is (kind <= {"configMap", "secret"}), mount


def test_every_volume_is_mounted_and_every_mount_has_its_volume(objects: list[Object]) -> None:
    for name, spec in pod_specs(objects):
        mounted = {
            m["name"]
            for c in [*spec.get("initContainers", []), *spec["containers"]]
            for m in c["volumeMounts"]
        }
        assert mounted == {volume["name"] for volume in spec["volumes"]}, name


def test_each_container_sees_only_the_credentials_that_it_needs(objects: list[Object]) -> None:
    seen: dict[str, set[str]] = {}
    for pod, spec in pod_specs(objects):
        secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
        for secret in secrets.values():
            assert secret["defaultMode"] == 0o440
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            seen[f"{pod}/{container['name']}"] = {
                item["key"]
                for mount in container["volumeMounts"]
                if mount["name"] in secrets
                for item in secrets[mount["name"]]["items"]
            }
    assert seen == CREDENTIALS


def test_the_web_server_gets_300_seconds_to_start_and_is_asked_often(objects: list[Object]) -> None:
    probe = _container(objects, "storefront/web")["startupProbe"]
    assert probe["httpGet"]["path"] == "/wp-login.php"
    assert probe["periodSeconds"] * probe["failureThreshold"] == 300
    assert probe["periodSeconds"] <= 2
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]  # else a hanging server gets more than 300 s


def test_liveness_does_not_ask_the_database_and_readiness_does(objects: list[Object]) -> None:
    web = _container(objects, "storefront/web")
    assert _headers(web, "livenessProbe")["X-Urumi-Probe"] == "liveness"
    for probe in ("startupProbe", "readinessProbe"):
        assert "X-Urumi-Probe" not in _headers(web, probe)


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
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert _headers(web, probe).items() >= {"Host": host, "X-Forwarded-Proto": scheme}.items()


def test_no_probe_names_another_host(objects: list[Object]) -> None:
    for name, container in containers(objects):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            action = container.get(probe, {})
            assert "host" not in action.get("httpGet", {}) | action.get("tcpSocket", {}), name


def test_the_pod_is_ready_only_when_the_web_server_answers_and_the_agent_agrees(
    objects: list[Object],
) -> None:
    agent = _container(objects, "storefront/agent")
    for probe in ("startupProbe", "readinessProbe"):
        assert agent[probe]["exec"]["command"] == ["/usr/local/bin/urumi-agent", "ready"]
    assert "livenessProbe" not in agent
    assert _container(objects, "storefront/web")["readinessProbe"]["httpGet"]["path"] == "/wp-login.php"


def test_the_database_is_asked_by_tcp_often_at_first_and_seldom_later(objects: list[Object]) -> None:
    database = _container(objects, "database/database")
    probes = [database[probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert all(probe["tcpSocket"] == {"port": "mysql"} for probe in probes)
    assert probes[0]["periodSeconds"] == 1
    assert min(probe["periodSeconds"] for probe in probes[1:]) >= 30


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


def _headers(container: Object, probe: str) -> dict[str, str]:
    return {header["name"]: header["value"] for header in container[probe]["httpGet"]["httpHeaders"]}
