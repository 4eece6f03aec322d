"""Which API server to ask, and as whom.

Read anew for every connection: tokens are renewed, and a cluster may come back on another port.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class UnknownServerError(Exception):
    """Nothing says where the API server is; the message says what was looked for."""


@dataclass(frozen=True)
class Server:
    """An API server that takes a bearer token."""

    url: str  # http or https
    ca: str | None  # whom to trust, in PEM; None: whom this machine trusts
    token: str


def of_kubeconfig(file: Path) -> Server:
    """The server of a kubeconfig's current context. Raises UnknownServerError.

    The file is in JSON, which is YAML too and which the standard library can read.
    """
    try:
        content = json.loads(file.read_text())
        context = _named(content["contexts"], content["current-context"])["context"]
        cluster = _named(content["clusters"], context["cluster"])["cluster"]
        user = _named(content["users"], context["user"])["user"]
        ca = cluster.get("certificate-authority-data")
        return Server(cluster["server"], base64.b64decode(ca).decode() if ca else None, user["token"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnknownServerError(f"{file} is no kubeconfig in JSON with a token: {error!r}") from error


def of_pod() -> Server:
    """The server that a pod is given, with its own service account. Raises UnknownServerError."""
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        ca, token = (_POD / "ca.crt").read_text(), (_POD / "token").read_text().strip()
    except (KeyError, OSError) as error:
        raise UnknownServerError(f"no kubeconfig is given, and this is no pod: {error!r}") from error
    return Server(f"https://{f'[{host}]' if ':' in host else host}:{port}", ca, token)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return {entry["name"]: entry for entry in entries}[name]
