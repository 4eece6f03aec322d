"""A cell on Google's Kubernetes Engine: the kubeconfig that leads to it.

The Python client and Helm read the same one. It holds no secret: both ask the credential plugin for a token,
and for another one when that ends.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import certifi

_NAME = "cell"


@cache
def kubeconfig(endpoint: str, ca_file: str | None = None) -> str:
    """Write one for the API server at `endpoint` (https://…), once in this process, and return its path.

    A DNS-based endpoint has a publicly trusted certificate, so `ca_file` is certifi's unless it is given:
    Helm and Python then trust the same ones, whatever the image has.
    """
    path = Path(tempfile.mkdtemp(prefix="urumi-cell-")) / "kubeconfig"  # nobody else may look into it
    path.write_text(json.dumps(_content(endpoint, ca_file or certifi.where()), indent=2))
    return str(path)


def _content(endpoint: str, ca_file: str) -> dict[str, object]:
    # -I: nothing of a working folder or of PYTHONPATH is loaded.
    plugin: dict[str, object] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-I", "-m", "control_plane.google_credentials"],
        "interactiveMode": "Never",
    }
    if host := os.environ.get("GCE_METADATA_HOST"):
        plugin["env"] = [{"name": "GCE_METADATA_HOST", "value": host}]  # Helm gets no environment of ours
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": endpoint, "certificate-authority": ca_file}}],
        "users": [{"name": _NAME, "user": {"exec": plugin}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }
