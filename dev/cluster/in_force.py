"""When the platform chart is in force: API servers hear of roles and policies a moment late."""

from __future__ import annotations

import time
from uuid import uuid4

import yaml

from control_plane.adapters.kubernetes_api import KubernetesApi, Object, RefusedError
from control_plane.domain.errors import TemporaryError
from dev.cluster.cluster import ClusterError
from dev.cluster.credentials import NAMESPACE
from dev.machine.place import CHECKOUT

_PATIENCE = 60.0  # seconds; two in practice
_NAMESPACES = "/api/v1/namespaces"
_RBAC = "rbac.authorization.k8s.io"


def wait(provision: KubernetesApi) -> None:
    """Return once provision may do its work and nothing else, by trying; nothing is made.

    Raises ClusterError after a minute.
    """
    give_up = time.monotonic() + _PATIENCE
    while not _holds(provision):
        if time.monotonic() > give_up:
            raise ClusterError(
                f"the functions' rights are not in force {_PATIENCE:g} s after the platform chart was "
                "installed: are ValidatingAdmissionPolicies on in this cluster (Kubernetes 1.30 or newer)?"
            )
        time.sleep(0.1)


def _holds(provision: KubernetesApi) -> bool:
    bindings = f"/apis/{_RBAC}/v1/namespaces/kube-system/rolebindings"
    try:
        if not _refused(provision, _NAMESPACES, {"metadata": {"name": "kube-urumi"}}, "urumi-namespaces"):
            return False
        if not _refused(provision, bindings, _binding(), "urumi-access"):
            return False
        provision.create(f"{_NAMESPACES}?dryRun=All", _namespace())
    except (TemporaryError, RefusedError):
        return False
    return True


def _refused(provision: KubernetesApi, path: str, body: Object, policy: str) -> bool:
    """Whether it is the policy that refuses: then the rights are in force as well, for they come first."""
    try:
        provision.create(f"{path}?dryRun=All", body)
    except RefusedError as error:
        return f"'{policy}'" in str(error)
    return False


def _binding() -> Object:
    return {
        "metadata": {"name": "provision"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "urumi-store"},
        "subjects": [{"kind": "ServiceAccount", "name": "provision", "namespace": NAMESPACE}],
    }


def _namespace() -> Object:
    version = yaml.safe_load((CHECKOUT / "platform" / "values.yaml").read_text())["podSecurityVersion"]
    store = str(uuid4())
    labels = {"urumi.dev/store": store, "urumi.dev/customer": store}
    for mode in ("enforce", "warn", "audit"):
        labels[f"pod-security.kubernetes.io/{mode}"] = "restricted"
        labels[f"pod-security.kubernetes.io/{mode}-version"] = version
    return {"metadata": {"name": f"store-{store}", "labels": labels}}
