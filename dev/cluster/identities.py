"""Who may speak to an API server that we start, and with which token.

A later identity (say, one that only reads) is one more line in `IDENTITIES`; its rights come by RBAC.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from dev.machine.private_files import write_private


@dataclass(frozen=True)
class Identity:
    """A user of the API server, known by a fixed token."""

    user: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("admin", ("system:masters",))
# What `up` itself asks while it starts the cluster, kept apart so that it is not in the audit log.
STARTER = Identity("system:starter", ("system:masters",))
CONTROLLER_MANAGER = Identity("system:kube-controller-manager")
SCHEDULER = Identity("system:kube-scheduler")
# kwok plays the kubelet for everything on its node; only the cluster's own parts share its machine.
KWOK = Identity("system:kwok", ("system:masters",))
# Not a "system:node:": the authorizer for those learns of a pod's Secrets some time after the kubelet needs
# them, on a busy machine 10 s after, and there is no other node to protect from this one.
KUBELET = Identity("urumi:kubelet", ("system:masters",))
PROXY = Identity("system:kube-proxy")
# Their rights are in settings/node-rights.yaml.
NAMES = Identity("urumi:coredns")
VOLUMES = Identity("urumi:volumes")
FRONT_DOOR = Identity("urumi:front-door")

IDENTITIES = (
    ADMIN, STARTER, CONTROLLER_MANAGER, SCHEDULER, KWOK, KUBELET, PROXY, NAMES, VOLUMES, FRONT_DOOR,
)  # fmt: skip


def tokens(file: Path) -> dict[Identity, str]:
    """The token of each identity, made once and kept in `file`."""
    try:
        known: dict[str, str] = json.loads(file.read_text())
    except FileNotFoundError:
        known = {}
    found = {identity.user: known.get(identity.user) or secrets.token_urlsafe(32) for identity in IDENTITIES}
    if found != known:
        write_private(file, json.dumps(found))
    return {identity: found[identity.user] for identity in IDENTITIES}


def token_file(known: dict[Identity, str]) -> str:
    """The text of the API server's `--token-auth-file`: token, user, user id, groups."""
    lines = []
    for identity, token in known.items():
        groups = f',"{",".join(identity.groups)}"' if identity.groups else ""
        lines.append(f"{token},{identity.user},{identity.user}{groups}\n")
    return "".join(lines)
