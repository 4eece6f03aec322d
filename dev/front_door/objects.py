"""What the front door wants to know of an Ingress, of a Service and of who is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLASS = "urumi"
"""The class of the Ingress objects that are the front door's."""

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Rule:
    """One host name, and the Service and port behind it."""

    host: str
    service: str
    port: str | int  # a name or a number, as the Ingress has it


@dataclass(frozen=True)
class Ingress:
    """An Ingress of our class."""

    namespace: str
    name: str
    created: str  # RFC 3339 in UTC, so that text order is time order
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Service:
    """A Service, with the number of each port by name and by number."""

    address: str  # its ClusterIP; `None` or empty where it has none
    ports: tuple[tuple[str | int, int], ...]

    def port(self, wanted: str | int) -> int | None:
        """The number of the port of that name or number, if it has one."""
        return dict(self.ports).get(wanted)


@dataclass(frozen=True)
class Endpoints:
    """An EndpointSlice: the name of its Service, and whether anybody in it is ready."""

    service: str
    ready: bool


def key_of(item: dict[str, Any]) -> Key:
    """An object's namespace and name."""
    return item["metadata"]["namespace"], item["metadata"]["name"]


def ingress_of(item: dict[str, Any]) -> Ingress | None:
    """The Ingress, None if it is another door's."""
    spec = item.get("spec") or {}
    if spec.get("ingressClassName") != CLASS:
        return None
    namespace, name = key_of(item)
    rules = (found for rule in spec.get("rules") or [] if (found := _rule(rule)))
    return Ingress(namespace, name, item["metadata"].get("creationTimestamp") or "", tuple(rules))


def service_of(item: dict[str, Any]) -> Service:
    """The Service."""
    spec = item.get("spec") or {}
    ports: list[tuple[str | int, int]] = []
    for port in spec.get("ports") or []:
        ports.append((port["port"], port["port"]))
        if port.get("name"):
            ports.append((port["name"], port["port"]))
    return Service(spec.get("clusterIP") or "", tuple(ports))


def endpoints_of(item: dict[str, Any]) -> Endpoints:
    """The EndpointSlice. Where it says nothing of an endpoint, that counts as ready."""
    conditions = [each.get("conditions") or {} for each in item.get("endpoints") or []]
    service = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
    return Endpoints(service, any(each.get("ready") is not False for each in conditions))


def _rule(rule: dict[str, Any]) -> Rule | None:
    """A store is one host name with everything below it: other paths, and rules for all hosts, are not."""
    host = rule.get("host") or ""
    for path in (rule.get("http") or {}).get("paths") or []:
        service = path["backend"].get("service")
        if host and service and path.get("path", "/") == "/":
            port = service.get("port") or {}
            return Rule(host, service["name"], port.get("name") or port.get("number") or 0)
    return None
