"""Who reaches whom: the whole table, and that each policy is needed for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.network_model import Peer, Policy, Port, allowed
from tests.chart.rendering import (
    Object,
    Renderer,
    changed,
    ci_values,
    named,
    of_kind,
    release_name,
    workloads,
)

HTTP, MYSQL, DNS, DNS_TCP, HTTPS, SSH = Port(80), Port(3306), Port(53, "UDP"), Port(53), Port(443), Port(22)
PORTS = [HTTP, MYSQL, DNS, DNS_TCP, HTTPS, SSH]

OPEN = {
    ("ingress controller", "storefront", HTTP),
    ("storefront", "database", MYSQL),
    ("storefront", "cluster dns", DNS),
    ("storefront", "cluster dns", DNS_TCP),
}
OURS = {"storefront", "database", "third pod"}


def test_only_these_connections_are_open(renderer: Renderer) -> None:
    assert _table(renderer.objects(ci_values("minimal"))) == OPEN


@pytest.mark.parametrize("policy", ["default-deny", "allow-dns", "storefront", "database"])
def test_the_table_changes_without_any_one_of_the_policies(renderer: Renderer, policy: str) -> None:
    objects = renderer.objects(ci_values("minimal"))
    rest = [o for o in objects if (o["kind"], o["metadata"]["name"]) != ("NetworkPolicy", policy)]
    assert len(rest) == len(objects) - 1
    assert _table(rest) != OPEN


def test_default_deny_is_what_closes_a_third_pod(renderer: Renderer) -> None:
    objects = renderer.objects(ci_values("minimal"))
    rest = [o for o in objects if (o["kind"], o["metadata"]["name"]) != ("NetworkPolicy", "default-deny")]
    opened = _table(rest) - OPEN
    assert opened
    assert all("third pod" in (source, target) for source, target, _ in opened)


def test_the_plan_s_egress_opens_the_storefront_to_its_addresses_only(renderer: Renderer) -> None:
    egress = [{"host": "api.payments.example", "port": 443, "addresses": ["203.0.113.0/24"]}]
    objects = renderer.objects(changed(ci_values("minimal"), "egress", egress))
    assert _table(objects) - OPEN == {("storefront", "payment service", HTTPS)}


def test_a_dns_cache_on_the_node_and_the_dns_service_are_opened_where_named(renderer: Renderer) -> None:
    values = changed(ci_values("minimal"), "dns.nodeLocalAddress", "169.254.20.10")
    objects = renderer.objects(changed(values, "dns.serviceAddress", "10.96.0.10"))
    assert _table(objects) - OPEN == {
        ("storefront", where, port) for where in ("node dns cache", "dns service") for port in (DNS, DNS_TCP)
    }


def test_selectors_of_the_front_door_and_dns_are_the_cell_s_own(renderer: Renderer) -> None:
    objects = renderer.objects(ci_values("everything-on"))
    (door,) = named(objects, "NetworkPolicy", "storefront")["spec"]["ingress"]
    assert door["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "front-door"}},
            "podSelector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "haproxy",
                    "app.kubernetes.io/component": "controller",
                }
            },
        }
    ]
    (dns,) = named(objects, "NetworkPolicy", "allow-dns")["spec"]["egress"]
    assert dns["to"][0] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "dns"}},
        "podSelector": {"matchLabels": {"app": "coredns"}},
    }


def _table(objects: list[Object]) -> set[tuple[str, str, Port]]:
    """Every open connection that has this store at one end or the other."""
    namespace = release_name(ci_values("minimal"))
    policies = [(namespace, found["spec"]) for found in of_kind(objects, "NetworkPolicy")]
    peers = _peers(objects, namespace)
    return {
        (source.name, target.name, port)
        for source in peers
        for target in peers
        for port in PORTS
        if source is not target
        and OURS & {source.name, target.name}
        and allowed(policies, source, target, port)
    }


def _peers(objects: list[Object], namespace: str) -> list[Peer]:
    pods: dict[str, dict[str, Any]] = {
        found["metadata"]["name"]: found["spec"]["template"]["metadata"]["labels"]
        for found in workloads(objects)
    }
    neighbour = "7c1d5e90-02ab-4f3c-9b68-e4a1f0d25c77"
    theirs = {name: labels | {"urumi.dev/store": neighbour} for name, labels in pods.items()}
    door, dns = {"app.kubernetes.io/name": "front-door"}, {"k8s-app": "kube-dns"}
    return [
        Peer("storefront", "10.244.1.2", namespace, pods["storefront"]),
        Peer("database", "10.244.1.3", namespace, pods["database"]),
        Peer("third pod", "10.244.1.4", namespace, {"job-name": "export"}),
        Peer("other store's storefront", "10.244.2.2", f"store-{neighbour}", theirs["storefront"]),
        Peer("other store's database", "10.244.2.3", f"store-{neighbour}", theirs["database"]),
        # The right labels in the wrong place, and the right place with the wrong labels.
        Peer("false storefront", "10.244.2.4", f"store-{neighbour}", pods["storefront"]),
        Peer("false ingress controller", "10.244.2.5", f"store-{neighbour}", door),
        Peer("neighbour of the controller", "10.244.3.2", "urumi-front-door", {"app": "shell"}),
        Peer("false cluster dns", "10.244.2.6", f"store-{neighbour}", dns),
        Peer("neighbour of the dns", "10.244.0.9", "kube-system", {"k8s-app": "metrics"}),
        Peer("foreign pod", "10.244.4.2", "default", {}),
        Peer("ingress controller", "10.244.3.3", "urumi-front-door", door),
        Peer("cluster dns", "10.244.0.2", "kube-system", dns),
        Peer("dns service", "10.96.0.10"),
        Peer("node dns cache", "169.254.20.10"),
        Peer("metadata", "169.254.169.254"),
        Peer("api server", "10.96.0.1"),
        Peer("node", "192.168.1.10"),
        Peer("internet", "198.51.100.80"),
        Peer("payment service", "203.0.113.80"),
    ]


def test_the_model_knows_open_pods_from_closed_ones() -> None:
    one, two = Peer("one", "10.0.0.1", "a", {"x": "1"}), Peer("two", "10.0.0.2", "b", {})
    deny: Policy = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    out: Policy = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    assert allowed([], one, two, HTTP)
    assert not allowed([("a", deny)], one, two, HTTP)
    assert not allowed([("b", deny)], one, two, HTTP)
    assert allowed([("a", deny), ("a", out)], one, two, HTTP)
    assert not allowed([("a", deny), ("a", out)], two, one, HTTP)
