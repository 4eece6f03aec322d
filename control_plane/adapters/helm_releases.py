"""Helm as a child process: bounded in time, its output as our errors, nothing secret on its command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from control_plane.adapters.helm_errors import error_of
from control_plane.adapters.helm_records import HelmRecords, Status
from control_plane.domain.errors import LeaseLostError, MisconfiguredError, TemporaryError
from control_plane.domain.store import Lease, Store

_GRACE = 5  # seconds from SIGTERM to SIGKILL; `timeout` sees to both even if this process is stopped
_SHUTDOWN_SECONDS = 5
_HISTORY = "3"
_LEAST_SECONDS = 2.0  # of a lease that Helm is still started with
DIGEST_LABEL = "urumi.dev/digest"  # on Helm's record


class HelmReleases:
    """The `Releases` port, with the Helm binary at `helm` and the chart in the folder `chart`."""

    def __init__(
        self, helm: str, chart: str, kubeconfig: str, records: HelmRecords, *, seconds: int = 60
    ) -> None:
        """Each Helm process gets SIGTERM after `seconds`, on which it marks its release as failed.

        Raises MisconfiguredError unless `chart` is a chart.
        """
        self._seconds = seconds
        self.deadline = float(seconds + _GRACE)
        self._helm = helm
        self._chart = chart
        self._records = records
        self._environment = _private_environment(kubeconfig)
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self.chart_version = _chart_version(chart)

    def locked(self, store: Store) -> bool:
        """See the port."""
        return self._records.status(store.namespace) is not Status.FREE

    def free(self, store: Store, lease: Lease) -> None:
        """See the port. A release that was being uninstalled can only be uninstalled to its end:
        its claims are kept by the chart's resource policy, and `apply` takes them up again."""
        name = store.namespace
        match self._records.status(name):
            case Status.PENDING:
                self._records.mark_failed(name, not_after=lease.ends)
            case Status.UNINSTALLING:
                self._run(["uninstall", name, "--namespace", name], lease)

    def apply(self, store: Store, values: Mapping[str, Any], digest: str, lease: Lease) -> int:
        """See the port."""
        name = store.namespace
        output = self._run(
            [
                "upgrade", "--install", name, self._chart, "--namespace", name,
                # The server refuses unknown fields and wrong types all the same; Helm would read the
                # server's schemas before, which takes a third of an install's time or more.
                "--disable-openapi-validation",
                "--history-max", _HISTORY, "--timeout", f"{self._seconds}s",
                "--labels", f"{DIGEST_LABEL}={digest}", "--output", "json", "--values", "-",
            ],
            lease,
            json.dumps(values).encode(),
        )  # fmt: skip
        return int(json.loads(output[output.index(b"{") :])["version"])

    def stop(self) -> None:
        """End all running Helm processes: this process is about to end. Each marks its release failed."""
        with self._lock:
            self._stopping = True
            children = list(self._children)
        for child in children:
            _signal(child, signal.SIGTERM)
        for child in children:
            try:
                child.wait(_SHUTDOWN_SECONDS)
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)

    def _run(self, arguments: list[str], lease: Lease, stdin: bytes = b"") -> bytes:
        with self._lock:
            if self._stopping:
                raise TemporaryError("the worker was told to end")
            # Looked at last: this process may have been stopped for hours since it took the lease.
            seconds = min(float(self._seconds), lease.ends - time.monotonic() - _GRACE)
            if seconds < _LEAST_SECONDS:
                raise LeaseLostError(str(lease.store_id))
            # `timeout` leads a process group of its own, and signals all of it.
            argv = ["timeout", "-k", str(_GRACE), f"{seconds:.1f}", self._helm, *arguments]
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
            self._children.add(child)
        try:
            stdout, stderr = child.communicate(stdin)
        finally:
            with self._lock:
                self._children.discard(child)
        if child.returncode != 0 and self._stopping:
            raise TemporaryError("the worker was told to end")
        if child.returncode != 0:
            raise error_of(child.returncode, stderr.decode(errors="replace").strip())
        return stdout


def _private_environment(kubeconfig: str) -> dict[str, str]:
    # Helm rewrites its discovery cache at every run: on a disk that is 40 % of an install's time.
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made below it
    base = tempfile.mkdtemp(prefix="urumi-helm-", dir=memory if os.access(memory, os.W_OK) else None)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": base,
        "KUBECONFIG": kubeconfig,
        "KUBECACHEDIR": f"{base}/kube",
        "HELM_CACHE_HOME": f"{base}/cache",
        "HELM_CONFIG_HOME": f"{base}/config",
        "HELM_DATA_HOME": f"{base}/data",
    }


def _chart_version(chart: str) -> str:
    try:
        return str(yaml.safe_load((Path(chart) / "Chart.yaml").read_text())["version"])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise MisconfiguredError(f"{chart} is not a chart: set URUMI_CHART to its folder") from error


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
