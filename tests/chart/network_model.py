"""What NetworkPolicies allow, worked out from the policies alone: a small reading of the Kubernetes rules.

Traffic passes if the sender's policies let it out and the receiver's let it in. A pod that no policy
of a direction selects is open in that direction; addresses outside the cluster have no policies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod where it has a namespace, else a bare address."""

    name: str
    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """A destination port of a pod."""

    number: int
    protocol: str = "TCP"


def allowed(policies: Iterable[tuple[str, Policy]], source: Peer, target: Peer, port: Port) -> bool:
    """Whether `source` may open a connection to `target`; `policies` are pairs of namespace and spec."""
    rules = list(policies)
    return _passes(rules, "egress", source, target, port) and _passes(rules, "ingress", target, source, port)


def _passes(policies: list[tuple[str, Policy]], way: str, own: Peer, other: Peer, port: Port) -> bool:
    mine = [
        spec
        for namespace, spec in policies
        if own.namespace == namespace
        and _matches(spec["podSelector"], own.labels)
        and way.capitalize() in spec["policyTypes"]
    ]
    rules = [(own.namespace, rule) for spec in mine for rule in spec.get(way, [])]
    return not mine or any(_opens(namespace, rule, way, other, port) for namespace, rule in rules)


def _opens(namespace: str, rule: Mapping[str, Any], way: str, other: Peer, port: Port) -> bool:
    peers = rule.get("from" if way == "ingress" else "to")
    ports = rule.get("ports")
    # A rule without peers or ports means all of them.
    return (not peers or any(_is(namespace, peer, other) for peer in peers)) and (
        not ports
        or any((p.get("protocol", "TCP"), p.get("port")) == (port.protocol, port.number) for p in ports)
    )


def _is(namespace: str, peer: Mapping[str, Any], other: Peer) -> bool:
    if block := peer.get("ipBlock"):
        if set(block) != {"cidr"}:
            raise ValueError(f"this model does not judge an ipBlock with {sorted(block)}")
        return ipaddress.ip_address(other.address) in ipaddress.ip_network(block["cidr"])
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        in_place = _matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        in_place = other.namespace == namespace
    return in_place and _matches(peer.get("podSelector", {}), other.labels)


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if not set(selector) <= {"matchLabels"}:
        raise ValueError(f"this model does not judge a selector with {sorted(selector)}")
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
