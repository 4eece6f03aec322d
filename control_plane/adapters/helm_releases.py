"""Helm as a child process: bounded in time, its output as our errors, nothing secret on its command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from control_plane.adapters.helm_records import HelmRecords, Status
from control_plane.domain.errors import (
    CellUnreachableError,
    MisconfiguredError,
    PermanentError,
    TemporaryError,
)
from control_plane.domain.store import Store

_GRACE = 5  # seconds from SIGTERM to SIGKILL; `timeout` sees to both even if this process is stopped
_SHUTDOWN_SECONDS = 5
# After SIGTERM; after SIGKILL, which `timeout` sends to its whole group and so to itself.
_TIMED_OUT = (124, 128 + signal.SIGKILL, -signal.SIGKILL)
_HISTORY = "3"

# Helm's stderr, as read in Helm 4.2: what it says when the fault is the cell's, or the chart's.
_UNREACHABLE = re.compile(
    r"cluster unreachable|connection refused|connection reset|no such host|i/o timeout|TLS handshake"
    r"|EOF|http2: client connection lost|ServiceUnavailable|etcdserver|Unauthorized",
    re.IGNORECASE,
)
_CHART_REFUSED = re.compile(
    r"values don't meet the specifications|execution error at|template: |parse error|YAML parse"
    r"|error validating|is invalid:|unknown field|chart.*not found|no such file or directory"
)


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

    def apply(self, store: Store, values: Mapping[str, Any]) -> int:
        """See the port."""
        name = store.namespace
        match self._records.status(name):
            case Status.PENDING:
                self._records.mark_failed(name)
            case Status.UNINSTALLING:
                self._run(["uninstall", name, "--namespace", name])
        output = self._run(
            [
                "upgrade", "--install", name, self._chart, "--namespace", name,
                "--history-max", _HISTORY, "--timeout", f"{self._seconds}s",
                "--output", "json", "--values", "-",
            ],
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

    def _run(self, arguments: list[str], stdin: bytes = b"") -> bytes:
        # `timeout` leads a process group of its own, and signals all of it.
        argv = ["timeout", "-k", str(_GRACE), str(self._seconds), self._helm, *arguments]
        with self._lock:
            if self._stopping:
                raise TemporaryError("the worker was told to end")
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
        if child.returncode != 0:
            raise self._error(child.returncode, stderr.decode(errors="replace").strip())
        return stdout

    def _error(self, code: int, stderr: str) -> Exception:
        last = stderr.splitlines()[-1][:500] if stderr else f"exit code {code}"
        if self._stopping:
            return TemporaryError("the worker was told to end")
        if code in _TIMED_OUT:
            return TemporaryError(f"helm did not end within {self._seconds} s")
        if "exceeded quota" in stderr:
            return PermanentError(f"quota exceeded: {last}")
        if _CHART_REFUSED.search(stderr):
            return PermanentError(f"the chart was refused: {last}")
        if _UNREACHABLE.search(stderr):
            return CellUnreachableError("the cell's API server does not answer to helm")
        return TemporaryError(f"helm failed: {last}")


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
