"""A node of a place of its own, beside the ring's: what it leaves on the machine, and who it leaves alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest

from control_plane.adapters.kubernetes_api import KubernetesApi
from dev.cluster.cluster import Cluster
from dev.cluster.node.provider import Node
from dev.machine import processes
from dev.machine.place import Place
from tests import places
from tests.node.shops import Shop

POD = "/api/v1/namespaces/default/pods"
FOLDERS = ("/", "/etc", "/opt", "/run", "/run/netns", "/usr/libexec", "/var/lib", "/var/log")
SETTINGS = ("kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "vm/overcommit_memory",
            "vm/panic_on_oom", "net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet")  # fmt: skip


@pytest.fixture
def place() -> Iterator[Place]:
    made = places.fresh()
    try:
        yield made
    finally:
        Node().down(made)
        places.remove(made)


@pytest.mark.timeout(600)
def test_stopped_or_killed_it_leaves_the_machine_as_it_was_and_other_nodes_alone(shop: Shop, place: Place):
    before, others = _machine(), shop.restarts("storefront")

    cluster = _up(place)
    _create_pod(cluster)
    _await_pod(cluster)
    assert _changes(before).keys() >= {"links", "groups", "namespaces", "processes"}
    Node().down(place)
    assert _changes(before) == {}

    # Everything killed at once, and started again with what was there.
    cluster = _up(place)
    _await_pod(cluster, restarts=1)
    for part in processes.recorded(place):
        processes.kill(place, part)
    cluster = _up(place)
    _await_pod(cluster, restarts=2)
    assert _volume_of_pod(place) == "written once\n"

    # Killed and stopped at once, as after a restart of the machine.
    for part in processes.recorded(place):
        processes.kill(place, part)
    Node().down(place)
    assert _changes(before) == {}

    assert shop.restarts("storefront") == others
    assert shop.browser().get("/").status_code == 200


def _up(place: Place) -> Cluster:
    # The ring's own folder of plugins would be bundled in an image that this node does not need.
    with mock.patch.dict(os.environ):
        os.environ.pop("URUMI_PLUGINS", None)
        return Node().up(place, print)


def _create_pod(cluster: Cluster) -> None:
    api = KubernetesApi(str(cluster.kubeconfig))
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    api.create("/api/v1/namespaces/default/persistentvolumeclaims", claim)
    write = "[ -e /data/file ] || echo written once >/data/file; touch /data/ready; exec sleep 3600"
    container: dict[str, Any] = {
        "name": "main",
        "image": cluster.values["images"]["database"],
        "command": ["sh", "-c", write],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {"exec": {"command": ["cat", "/data/ready"]}, "periodSeconds": 1},
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    spec = {
        "containers": [container],
        "volumes": volumes,
        "securityContext": {"fsGroup": 999},
        "terminationGracePeriodSeconds": 1,
    }
    api.create(POD, {"metadata": {"name": "one"}, "spec": spec})


def _await_pod(cluster: Cluster, restarts: int = 0) -> None:
    """Until the pod is ready, started anew at least so often."""
    api = KubernetesApi(str(cluster.kubeconfig))
    give_up = time.monotonic() + 90
    while True:
        status = (api.get(f"{POD}/one") or {})["status"]
        containers = status.get("containerStatuses", [{"ready": False, "restartCount": 0}])
        if containers[0]["ready"] and containers[0]["restartCount"] >= restarts:
            return
        assert time.monotonic() < give_up, status
        time.sleep(0.2)


def _volume_of_pod(place: Place) -> str:
    (file,) = (place.data / "node" / "volumes").glob("pvc-*/file")
    return file.read_text()


def _machine() -> dict[str, set[str]]:
    """What a node could leave behind on this machine."""
    return {
        "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
        "links": set(os.listdir("/sys/class/net")),
        "routes": set(_told("ip", "route", "show", "table", "all").splitlines()),
        "rules": {line for line in _told("iptables-save").splitlines() if not line.startswith(("#", ":"))},
        "groups": {str(folder) for folder in Path("/sys/fs/cgroup").rglob("*") if folder.is_dir()},
        "namespaces": _namespaces(),
        "files": {
            f"{folder}/{name}" for folder in FOLDERS if Path(folder).exists() for name in os.listdir(folder)
        },
        "settings": {f"{name} {Path('/proc/sys', name).read_text()}" for name in SETTINGS},
        "processes": {str(process) for process in psutil.pids() if _ours(process)},
    }


def _changes(before: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is not as it was: there now and not before, or the other way round."""
    after = _machine()
    return {name: changed for name, seen in before.items() if (changed := seen ^ after[name])}


def _ours(process: int) -> bool:
    """Whether a process works for any place of the tests' other than the ring's own."""
    with suppress(OSError):
        line = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
        return str(os.getpid()) in line and "urumi-test-" in line
    return False


def _namespaces() -> set[str]:
    """The namespaces that any process is in. A zombie has ended; only its parent has not heard of it yet."""
    found = set()
    for process in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):
            links = [os.readlink(f"/proc/{process}/ns/{kind}") for kind in ("mnt", "net", "pid")]
            if psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
                found.update(links)
    return found


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
