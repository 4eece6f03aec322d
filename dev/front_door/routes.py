"""From what is in the cluster to the table of host names. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple

from dev.front_door.objects import Endpoints, Ingress, Key, Service
from dev.front_door.table import CLOSED, Table

# Not what any name could be, but what may stand in a line of HAProxy's map and in a command to it.
_HOST = re.compile(r"(?!.{254})[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class Routes(NamedTuple):
    """Where each host name leads, and what had to be left out."""

    table: Table
    complaints: frozenset[str]


def routes(
    ingresses: Mapping[Key, Ingress], services: Mapping[Key, Service], endpoints: Mapping[Key, Endpoints]
) -> Routes:
    """The table. A host name that several want is the oldest Ingress's; equally old, the first by name's.

    A store whose Service is missing, or has no such port or address, has a name and is closed. So is one
    with nobody ready behind its Service: the network would take a second to say so. Where nothing is known
    of who is behind it, it is open.
    """
    ready: dict[Key, bool] = {}
    for (namespace, _), some in endpoints.items():
        ready[namespace, some.service] = ready.get((namespace, some.service), False) or some.ready
    table: dict[str, str] = {}
    owners: dict[str, str] = {}
    complaints: set[str] = set()
    for one in sorted(ingresses.values(), key=lambda each: (each.created, each.namespace, each.name)):
        asking = f"{one.namespace}/{one.name}"
        for rule in one.rules:
            host = rule.host.lower()
            if not _HOST.fullmatch(host):
                complaints.add(f"Ingress {asking} asks for {host[:300]!r}, which is no plain host name")
            elif host in table:
                complaints.add(f"Ingress {asking} asks for {host}, which Ingress {owners[host]} had first")
            else:
                owners[host] = asking
                behind = (one.namespace, rule.service)
                table[host] = _address(services.get(behind), rule.port) if ready.get(behind, True) else CLOSED
    return Routes(table, frozenset(complaints))


def _address(service: Service | None, wanted: str | int) -> str:
    port = service.port(wanted) if service else None
    if service is None or port is None:
        return CLOSED
    try:
        return f"{ipaddress.ip_address(service.address)}/{port}"
    except ValueError:  # headless, or a name elsewhere
        return CLOSED
