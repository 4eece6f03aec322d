"""Kubeconfig files with one cluster, one user and one context."""

from __future__ import annotations

import base64
import json


def with_token(name: str, server: str, ca: bytes, token: str) -> str:
    """A kubeconfig that needs no other file: `ca` in PEM is embedded. JSON, which is YAML too."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": base64.b64encode(ca).decode(),
                    },
                }
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        },
        indent=2,
    )
