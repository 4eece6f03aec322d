"""Kubeconfig files with one cluster, one user and one context."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

Entry = Mapping[str, str | bool]
"""What a kubeconfig says of one cluster: `server`, `certificate-authority-data` and the like."""


def trusting(server: str, ca: bytes) -> Entry:
    """The entry of a cluster whose certificate is signed by `ca`, in PEM; it needs no other file."""
    return {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}


def with_token(name: str, cluster: Entry, token: str) -> str:
    """The text of a kubeconfig for a bearer of `token`. JSON, which is YAML too."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        },
        indent=2,
    )


def cluster_of(file: Path) -> Entry:
    """The entry of the current context's cluster."""
    content = yaml.safe_load(file.read_text())
    contexts = {one["name"]: one["context"] for one in content["contexts"]}
    clusters: dict[str, Entry] = {one["name"]: one["cluster"] for one in content["clusters"]}
    return clusters[contexts[content["current-context"]]["cluster"]]


def token_of(file: Path) -> str | None:
    """The token of a kubeconfig made by `with_token`; None if there is no such file."""
    try:
        return str(json.loads(file.read_text())["users"][0]["user"]["token"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
