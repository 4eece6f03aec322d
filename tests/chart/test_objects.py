"""Which objects make a store, what they are called and how they hang together."""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.chart.rendering import (
    ChartRefusedError,
    Object,
    Renderer,
    changed,
    ci_values,
    containers,
    named,
    of_kind,
    pod_specs,
    pod_templates,
    workloads,
)

STORE = [
    ("ConfigMap", "database-config"),
    ("ConfigMap", "storefront-config"),
    ("ConfigMap", "storefront-site"),
    ("Deployment", "storefront"),
    ("Ingress", "storefront"),
    ("LimitRange", "store-limits"),
    ("NetworkPolicy", "allow-dns"),
    ("NetworkPolicy", "database"),
    ("NetworkPolicy", "default-deny"),
    ("NetworkPolicy", "storefront"),
    ("PersistentVolumeClaim", "database-data"),
    ("PersistentVolumeClaim", "storefront-content"),
    ("Service", "database"),
    ("Service", "storefront"),
    ("ServiceAccount", "database"),
    ("ServiceAccount", "storefront"),
    ("StatefulSet", "database"),
]


def test_a_store_is_these_objects_whatever_its_values(objects: list[Object]) -> None:
    assert sorted((found["kind"], found["metadata"]["name"]) for found in objects) == STORE


def test_no_object_leaves_the_namespace_or_is_a_hook(objects: list[Object]) -> None:
    for found in objects:
        assert "namespace" not in found["metadata"]
        for_helm = {key for key in found["metadata"].get("annotations", {}) if key.startswith("helm.sh/")}
        # A claim outlives an uninstall, with the shop's data; nothing else does.
        assert for_helm == (
            {"helm.sh/resource-policy"} if found["kind"] == "PersistentVolumeClaim" else set()
        )


def test_every_object_says_whose_it_is(objects: list[Object]) -> None:
    store = named(objects, "Deployment", "storefront")["metadata"]["labels"]["urumi.dev/store"]
    workload_labels = [found["spec"]["template"]["metadata"]["labels"] for found in workloads(objects)]
    for labels in [*(found["metadata"]["labels"] for found in objects), *workload_labels]:
        assert labels["urumi.dev/store"] == store
        assert labels["app.kubernetes.io/name"] == "store"
        assert labels["app.kubernetes.io/instance"] == f"store-{store}"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"] in {
            "storefront",
            "database",
            "network",
            "limits",
            "ingress",
        }


@pytest.mark.parametrize("generation", [1, 2, 1_000_000, 2**53 - 1])
def test_the_generation_is_stamped_on_workloads(renderer: Renderer, generation: int) -> None:
    objects = renderer.objects(changed(ci_values("minimal"), "store.generation", generation))
    assert len(workloads(objects)) == 2
    for found in workloads(objects):
        assert found["metadata"]["annotations"]["urumi.dev/generation"] == str(generation)


def test_a_new_generation_changes_the_stamps_and_no_pod(renderer: Renderer) -> None:
    values = ci_values("minimal")
    before = renderer.text(changed(values, "store.generation", 41)).splitlines()
    after = renderer.text(changed(values, "store.generation", 42)).splitlines()
    assert [line for line in after if line not in before] == [
        '    urumi.dev/generation: "42"',
    ] * 2


def test_selectors_select_exactly_their_own_pods(objects: list[Object]) -> None:
    pods = {
        found["metadata"]["name"]: found["spec"]["template"]["metadata"]["labels"]
        for found in workloads(objects)
    }
    for found in [*workloads(objects), *of_kind(objects, "Service")]:
        selector = found["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        chosen = [name for name, labels in pods.items() if wanted.items() <= labels.items()]
        assert chosen == [found["metadata"]["name"]], found["kind"]


def test_two_services_with_addresses_of_their_own_reach_named_ports(objects: list[Object]) -> None:
    services = of_kind(objects, "Service")
    assert len(services) == 2
    for service in services:
        assert service["spec"]["type"] == "ClusterIP"
        assert "clusterIP" not in service["spec"]  # "None" would be headless
        (port,) = service["spec"]["ports"]
        (workload,) = [w for w in workloads(objects) if w["metadata"]["name"] == service["metadata"]["name"]]
        ports = {
            p["name"]: p["containerPort"]
            for c in workload["spec"]["template"]["spec"]["containers"]
            for p in c.get("ports", [])
        }
        assert ports == {port["targetPort"]: port["port"]}


def test_the_old_storefront_ends_before_the_new_one_writes(objects: list[Object]) -> None:
    assert named(objects, "Deployment", "storefront")["spec"]["strategy"] == {"type": "Recreate"}


def test_a_database_that_never_became_ready_can_still_be_replaced(objects: list[Object]) -> None:
    database = named(objects, "StatefulSet", "database")["spec"]
    assert database["podManagementPolicy"] == "Parallel"
    assert database["updateStrategy"]["type"] == "RollingUpdate"
    assert database["serviceName"] == "database"


def test_claims_are_plain_and_of_the_plan_s_size_and_class(renderer: Renderer) -> None:
    plain = renderer.objects(ci_values("minimal"))
    full = renderer.objects(ci_values("everything-on"))
    assert "volumeClaimTemplates" not in named(plain, "StatefulSet", "database")["spec"]
    for claim in of_kind(plain, "PersistentVolumeClaim"):
        assert claim["spec"] == {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "5Gi"}},
        }
    sizes = {
        c["metadata"]["name"]: c["spec"]["resources"]["requests"]["storage"]
        for c in of_kind(full, "PersistentVolumeClaim")
    }
    assert sizes == {"storefront-content": "20Gi", "database-data": "40Gi"}
    assert {c["spec"]["storageClassName"] for c in of_kind(full, "PersistentVolumeClaim")} == {"fast-ssd"}


def test_the_front_door_answers_the_host_and_the_former_one_and_takes_no_annotations(
    renderer: Renderer,
) -> None:
    plain = named(renderer.objects(ci_values("minimal")), "Ingress", "storefront")
    full = named(renderer.objects(ci_values("everything-on")), "Ingress", "storefront")
    for ingress, hosts, name in (
        (plain, ["teapots-k3f9.shops.example"], "urumi"),
        (full, ["kettles-p0x2.localhost", "pots-p0x2.localhost"], "front-door"),
    ):
        assert "annotations" not in ingress["metadata"]
        assert ingress["spec"]["ingressClassName"] == name
        assert "defaultBackend" not in ingress["spec"]
        assert [rule["host"] for rule in ingress["spec"]["rules"]] == hosts
        for rule in ingress["spec"]["rules"]:
            assert rule["http"]["paths"] == [
                {
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": "storefront", "port": {"name": "http"}}},
                }
            ]
    assert "tls" not in plain["spec"]
    assert full["spec"]["tls"] == [
        {
            "hosts": ["kettles-p0x2.localhost", "pots-p0x2.localhost"],
            "secretName": "wildcard-certificate",
        }
    ]


def test_a_change_of_configuration_restarts_its_own_pod_only(renderer: Renderer) -> None:
    values = ci_values("everything-on")
    sums = _checksums(renderer.objects(values))
    assert set(sums) == {"storefront", "database"}
    elsewhere = [{"host": "other.payments.example", "port": 443, "addresses": ["203.0.113.0/24"]}]
    changed_sums = _checksums(renderer.objects(changed(values, "egress", elsewhere)))
    assert changed_sums["storefront"] != sums["storefront"]
    assert changed_sums["database"] == sums["database"]


@pytest.mark.parametrize("name", ["minimal", "everything-on"])
def test_a_suspended_store_keeps_everything_but_its_pods(renderer: Renderer, name: str) -> None:
    values = ci_values(name)
    runs = renderer.objects(values)
    objects = renderer.objects(changed(changed(values, "storefront.replicas", 0), "database.replicas", 0))
    assert [found["spec"]["replicas"] for found in workloads(objects)] == [0, 0]
    # Nothing else is another: when it runs again, its pods are what they were.
    for found in workloads(objects):
        found["spec"]["replicas"] = 1
    assert objects == runs
    assert sorted((found["kind"], found["metadata"]["name"]) for found in objects) == STORE


def test_what_wordpress_may_call_is_what_the_network_policy_opens(renderer: Renderer) -> None:
    closed, opened = (renderer.objects(ci_values(name)) for name in ("minimal", "everything-on"))
    assert named(closed, "ConfigMap", "storefront-config")["data"]["accessible-hosts"] == ""
    hosts = named(opened, "ConfigMap", "storefront-config")["data"]["accessible-hosts"]
    assert hosts == "api.payments.example\nsmtp.mail.example"


def test_the_agent_learns_the_plugins_one_a_line(renderer: Renderer) -> None:
    site = named(renderer.objects(ci_values("everything-on")), "ConfigMap", "storefront-site")
    assert site["data"]["plugins"] == "woocommerce\npayments-by-mail"


def test_the_web_server_learns_the_store_s_id_and_the_login_keys_and_no_tenant_text(
    renderer: Renderer,
) -> None:
    values = ci_values("everything-on")
    objects = renderer.objects(values)
    assert named(objects, "ConfigMap", "storefront-config")["data"]["store-id"] == values["store"]["id"]
    keys = named(objects, "ConfigMap", "storefront-site")["data"]["login-keys"]
    assert json.loads(keys) == values["login"]["keys"]
    volumes = {volume["name"]: volume for volume in dict(pod_specs(objects))["storefront"]["volumes"]}
    assert volumes["web-config"]["projected"]["sources"] == [
        {"configMap": {"name": "storefront-config"}},
        {
            "configMap": {
                "name": "storefront-site",
                "items": [{"key": key, "path": key} for key in ("login-keys", "redirects", "notice")],
            }
        },
    ]
    none = named(renderer.objects(ci_values("minimal")), "ConfigMap", "storefront-site")["data"]["login-keys"]
    assert json.loads(none) == {}


def test_another_login_key_or_notice_and_the_end_of_a_former_name_restart_no_pod(renderer: Renderer) -> None:
    values = ci_values("everything-on")
    before = renderer.objects(values)
    for path, value, others in (
        ("login.keys", {}, []),
        ("storefront.notice", "", []),
        ("store.formerHostname", "", [named(before, "Ingress", "storefront")]),
    ):
        after = renderer.objects(changed(values, path, value))
        assert _names(found for found in after if found not in before) == _names(
            [named(before, "ConfigMap", "storefront-site"), *others]
        )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("store.title", "VGVhcG90cyAmIENv"),
        ("plugins", ["woocommerce"]),
        ("credentials.adminSecret", "store-administrator-4"),
        ("images.store", "urumi/store:0.2.0"),
        ("storefront.web.resources.limits.memory", "1Gi"),
    ],
)
def test_what_a_store_must_have_done_to_be_ready_begins_new_pods(
    renderer: Renderer, path: str, value: object
) -> None:
    values = ci_values("everything-on")
    before, after = (
        dict(pod_templates(renderer.objects(one))) for one in (values, changed(values, path, value))
    )
    assert after["storefront"] != before["storefront"]
    assert after["database"] == before["database"]


def test_a_store_that_moves_begins_a_new_storefront_with_the_new_address(renderer: Renderer) -> None:
    values = ci_values("minimal")
    moved = changed(values, "store.hostname", "kettles-p0x2.shops.example")
    moved = changed(moved, "store.address", "https://kettles-p0x2.shops.example")
    moved = changed(moved, "store.formerHostname", "teapots-k3f9.shops.example")
    before, after = renderer.objects(values), renderer.objects(moved)
    assert dict(pod_templates(before))["storefront"] != dict(pod_templates(after))["storefront"]
    assert dict(pod_templates(before))["database"] == dict(pod_templates(after))["database"]
    redirects = [named(each, "ConfigMap", "storefront-site")["data"]["redirects"] for each in (before, after)]
    assert redirects == ["", "teapots-k3f9.shops.example https://kettles-p0x2.shops.example\n"]


def test_a_former_name_that_is_the_name_is_refused(renderer: Renderer) -> None:
    values = ci_values("minimal")
    with pytest.raises(ChartRefusedError, match="it would be sent to itself"):
        renderer.text(changed(values, "store.formerHostname", values["store"]["hostname"]))


def test_the_web_server_learns_the_notice(renderer: Renderer) -> None:
    for name, notice in (("minimal", ""), ("everything-on", "past-due")):
        site = named(renderer.objects(ci_values(name)), "ConfigMap", "storefront-site")
        assert site["data"]["notice"] == notice


def test_a_newer_password_and_its_number_are_both_the_pod_s_own(renderer: Renderer) -> None:
    def sources(secret: str, number: int) -> list[Object]:
        values = changed(ci_values("minimal"), "credentials.adminSecret", secret)
        objects = renderer.objects(changed(values, "credentials.adminNumber", number))
        volumes = {volume["name"]: volume for volume in dict(pod_specs(objects))["storefront"]["volumes"]}
        found: list[Object] = [
            source["secret"] for source in volumes["agent-credentials"]["projected"]["sources"]
        ]
        return found

    others = [{"key": name, "path": name} for name in ("database-password", "wordpress-secret")]
    first = {"key": "admin-password", "path": "admin-password"}
    assert sources("", 1) == [{"name": "store-credentials-1", "items": [first, *others]}]
    assert sources("store-admin-2000000", 2_000_000) == [
        {"name": "store-credentials-1", "items": others},
        {
            "name": "store-admin-2000000",
            "items": [{"key": "admin-password", "path": "admin-password-2000000"}],
        },
    ]


@pytest.mark.parametrize(("secret", "number"), [("", 2), ("store-admin-2", 1)])
def test_a_newer_password_without_a_higher_number_is_refused(
    renderer: Renderer, secret: str, number: int
) -> None:
    values = changed(ci_values("minimal"), "credentials.adminSecret", secret)
    with pytest.raises(ChartRefusedError, match="come together"):
        renderer.text(changed(values, "credentials.adminNumber", number))


def test_the_database_server_writes_only_where_its_container_may(objects: list[Object]) -> None:
    settings = configparser.ConfigParser(allow_no_value=True)
    settings.read_string(named(objects, "ConfigMap", "database-config")["data"]["mariadb.cnf"])
    server = settings["mariadbd"]
    ((_, container),) = [found for found in containers(objects) if found[0] == "database/database"]
    writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
    # The data folder is not the mount itself, so that a first start can be renamed into place.
    assert server["datadir"].startswith("/var/lib/mysql/")
    for folder in (server["datadir"], server["socket"], server["pid-file"]):
        assert str(Path(folder).parent) in writable
    assert server["tmpdir"] in writable
    assert "skip-name-resolve" in server
    assert int(server["port"]) == container["ports"][0]["containerPort"]


def test_rendering_is_deterministic(renderer: Renderer) -> None:
    values = ci_values("everything-on")
    assert len({renderer.text(values) for _ in range(5)}) == 1


@pytest.mark.parametrize("where", [{"release": "shop"}, {"namespace": "default"}])
def test_a_store_is_refused_outside_its_own_release_and_namespace(
    renderer: Renderer, where: dict[str, str]
) -> None:
    with pytest.raises(ChartRefusedError, match="both must be"):
        renderer.text(ci_values("minimal"), **where)


def test_an_address_on_another_host_is_refused(renderer: Renderer) -> None:
    with pytest.raises(ChartRefusedError, match="but the ingress answers"):
        renderer.text(changed(ci_values("minimal"), "store.address", "https://kettles.shops.example"))


def _names(objects: Iterable[Object]) -> set[tuple[str, str]]:
    return {(found["kind"], found["metadata"]["name"]) for found in objects}


def _checksums(objects: list[Object]) -> dict[str, str]:
    return {
        found["metadata"]["name"]: found["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for found in workloads(objects)
    }
