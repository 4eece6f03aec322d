"""The functions' own credentials in the cluster: a service account's token and a kubeconfig for each.

Files `data/credentials/NAME.kubeconfig` of the place, readable by their owner only.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import kubeconfig
from dev.cluster.api import Api, RefusedError
from dev.machine.place import Place
from dev.machine.private_files import write_private

if TYPE_CHECKING:
    from control_plane.adapters.kubernetes_api import KubernetesApi

NAMESPACE = "urumi-system"  # of the platform chart and its service accounts
IDENTITIES = ("provision", "reconcile", "operator")
_SECONDS = 365 * 86400  # asked for; a cluster may give less


def file(place: Place, name: str) -> Path:
    """Where the kubeconfig of that identity is, or will be."""
    folder = place.data / "credentials"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{name}.kubeconfig"


def bearer(place: Place, name: str, cluster: kubeconfig.Entry) -> Api | None:
    """The API server as that identity; None unless its token is young, taken there, and the file right.

    A cluster with more than a server and a certificate in its entry is not asked, and so None too.
    """
    token = kubeconfig.token_of(file(place, name))
    if token is None or cluster.keys() != {"server", "certificate-authority-data"}:
        return None
    if file(place, name).read_text() != kubeconfig.with_token(name, cluster, token) or _half_spent(token):
        return None
    ca = base64.b64decode(str(cluster["certificate-authority-data"])).decode()
    api = Api(str(cluster["server"]), ca, token)
    try:
        api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    except RefusedError:
        return None
    return api


def issue(place: Place, name: str, cluster: kubeconfig.Entry, admin: KubernetesApi) -> Path:
    """Have a token made for that identity and write its kubeconfig."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
    token = admin.create(path, {"spec": {"expirationSeconds": _SECONDS}})["status"]["token"]
    write_private(file(place, name), kubeconfig.with_token(name, cluster, token))
    return file(place, name)


def _half_spent(token: str) -> bool:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return time.time() > (float(claims["iat"]) + float(claims["exp"])) / 2
