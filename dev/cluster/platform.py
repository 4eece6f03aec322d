"""The platform chart in a cluster, and the credentials that come of it.

Whether all is as wanted is asked with the operator's own credentials, which takes a few
milliseconds. Only otherwise the person's are used: Helm installs the chart, tokens are made.
"""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from dev.cluster import credentials, kubeconfig
from dev.cluster.api import RefusedError
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.credentials import IDENTITIES, NAMESPACE
from dev.machine.digests import digest
from dev.machine.place import CHECKOUT, Place

if TYPE_CHECKING:
    from control_plane.adapters.kubernetes_api import KubernetesApi

CHART = CHECKOUT / "platform"
_RELEASE = NAMESPACE  # HelmRecords knows releases that are named like their namespace
_RECORDS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def up(place: Place, cluster: Cluster, say: Say) -> Mapping[str, Path]:
    """Have the chart in force and return the kubeconfig of each identity. Raises ClusterError."""
    platform = Platform(place, cluster)
    if not platform.is_there():
        platform.install(say)
    return {name: credentials.file(place, name) for name in IDENTITIES}


class Platform:
    """The chart as it is in this checkout, for one place's cluster."""

    def __init__(self, place: Place, cluster: Cluster) -> None:
        self._place = place
        self._cluster = cluster
        self._entry = kubeconfig.cluster_of(cluster.kubeconfig)
        parts = [CHART / part for part in ("Chart.yaml", "values.yaml", "values.schema.json", "templates")]
        self._digest = digest(parts)[:32]  # a label takes 63 characters at most
        self._selector = f"owner=helm,name={_RELEASE},status=deployed,urumi.dev/digest={self._digest}"

    def is_there(self) -> bool:
        """Whether the credentials of all are good and the cluster has the chart as it is here."""
        bearers = [credentials.bearer(self._place, name, self._entry) for name in IDENTITIES]
        operator = bearers[IDENTITIES.index("operator")]
        if operator is None or not all(bearers):
            return False
        try:
            found = operator.get(f"{_RECORDS}?{urlencode({'labelSelector': self._selector})}")
        except RefusedError:
            return False
        return found is not None and bool(found["items"])

    def install(self, say: Say) -> None:
        """Install the chart, make all credentials anew and wait until it is in force. Raises ClusterError."""
        # A quarter of a second, which an `up` that finds all in order need not pay.
        from control_plane.adapters.kubernetes_api import KubernetesApi, RefusedError  # noqa: PLC0415
        from control_plane.domain.errors import TemporaryError  # noqa: PLC0415
        from dev.cluster import in_force  # noqa: PLC0415

        admin = KubernetesApi(str(self._cluster.kubeconfig))
        try:
            say("cluster: installing the functions' rights (platform/)")
            self._free(admin)
            # Forced: whoever changed a policy by hand does not keep it so.
            self._helm(
                "upgrade", "--install", _RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace",
                "--force-conflicts", "--history-max", "2", "--labels", f"urumi.dev/digest={self._digest}",
            )  # fmt: skip
            files = {name: credentials.issue(self._place, name, self._entry, admin) for name in IDENTITIES}
            in_force.wait(KubernetesApi(str(files["provision"])))
        except (TemporaryError, RefusedError) as error:
            raise ClusterError(f"the functions' credentials cannot be made: {error}") from error

    def _free(self, admin: KubernetesApi) -> None:
        """Free a release that a killed Helm left locked: whoever works on this place does it alone."""
        from control_plane.adapters.helm_records import HelmRecords, Status  # noqa: PLC0415 - as above

        records = HelmRecords(admin)
        match records.status(_RELEASE):
            case Status.PENDING:
                records.mark_failed(_RELEASE, not_after=math.inf)
            case Status.UNINSTALLING:
                self._helm("uninstall", _RELEASE, "--namespace", NAMESPACE)

    def _helm(self, *arguments: str) -> None:
        home = self._place.run / "helm"
        # The person's environment, for logins that a kubeconfig calls, without their own Helm's settings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
        environment |= {
            "KUBECONFIG": str(self._cluster.kubeconfig),
            "KUBECACHEDIR": str(home / "kube"),
            **{f"HELM_{kind.upper()}_HOME": str(home / kind) for kind in ("cache", "config", "data")},
        }
        done = subprocess.run(
            [str(self._cluster.helm), *arguments],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ClusterError(
                "the platform chart cannot be installed; it takes a context that may make ClusterRoles and "
                f"ValidatingAdmissionPolicies (see platform/README.md): {lines[-1]}"
            )
