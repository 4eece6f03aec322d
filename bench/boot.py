"""One store, from POST to READY: everything that was seen of it, as moments in seconds since the epoch.

Sources: the store's events of the API, the API server's audit log, the witnesses, the containers' logs.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes import client, config

from bench.witnesses import Life, PodWatch, Runtime, Seen
from tests.cluster.world import World

STEPPING = ("install-wordpress", "activate-plugins", "finish-site")
"""The agent's children that change the shop, in their order; `look-at-database` comes before each round."""
LOOKING = ("look-at-site", "mark-ready")
"""Its children after those, while it asks for pages and when it has."""
_PATIENCE = 300.0  # seconds until a store is READY or gone
_GROUPS = Path("/sys/fs/cgroup")
_CPU = ("cpu,cpuacct", "cpu", "")  # where its control group is, under version 1 and 2

Object = dict[str, Any]


@dataclass
class Boot:
    """What was seen of one store's first boot."""

    id: str
    moments: dict[str, float] = field(default_factory=dict)
    spans: dict[str, float] = field(default_factory=dict)  # seconds, where no two moments tell it

    def between(self, begin: str, end: str) -> float | None:
        if begin in self.moments and end in self.moments:
            return self.moments[end] - self.moments[begin]
        return None


class Boots:
    """Creates stores in one world and looks at their first boots."""

    def __init__(self, world: World, runtime: Runtime) -> None:
        self._world = world
        self._runtime = runtime
        self._logs = client.CoreV1Api(
            config.new_client_from_config(world.values["KUBECONFIG"])  # type: ignore[no-untyped-call]
        )

    def boot(self) -> Boot:
        """A store that is READY."""
        posted = time.time()
        store_id = self._world.create()
        boot = Boot(store_id, {"posted": posted, "answered": time.time()})
        watch = PodWatch(self._world.cluster, namespace(store_id))
        try:
            self._await(store_id, "READY")
            give_up = time.monotonic() + 5
            while (
                not all(watch.ready(one) for one in ("database", "storefront")) and time.monotonic() < give_up
            ):
                time.sleep(0.01)  # the row may be faster than the watch
        finally:
            watch.close()
        pods = {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in self.pods(store_id)}
        self._events(boot)
        self._audit(boot)
        for (component, condition), at in watch.seen.items():
            boot.moments[f"{component} {condition}"] = at
        boot.moments["pods ready"] = max(
            boot.moments[f"{component} Ready"] for component in ("database", "storefront")
        )
        for component, pod in pods.items():
            self._containers(boot, component, pod)
        return boot

    def pods(self, store_id: str) -> list[Object]:
        path = f"/api/v1/namespaces/{namespace(store_id)}/pods"
        return [pod for page in self._world.cluster.pages(path) for pod in page["items"]]

    def remove(self, store_id: str) -> None:
        """Delete it and wait until nothing of it is left in the cluster."""
        self._world.purge(store_id)
        self._await(store_id, "DELETED")
        while self._world.cluster.get(f"/api/v1/namespaces/{namespace(store_id)}"):
            time.sleep(0.1)

    def _await(self, store_id: str, wanted: str) -> None:
        give_up = time.monotonic() + _PATIENCE
        while (state := self._world.show_row(store_id)["state"]) != wanted:
            if state == "FAILED" or time.monotonic() > give_up:
                raise SystemExit(f"store {store_id} is {state}, not {wanted}: {self._world.show(store_id)}")
            time.sleep(0.1)

    def _events(self, boot: Boot) -> None:
        for event in self._world.request("GET", f"/v1/stores/{boot.id}/events").json()["events"]:
            at = datetime.fromisoformat(event["at"]).timestamp()
            name = {"created": "accepted", "begun": "begun"}.get(event["action"])
            if name:
                boot.moments.setdefault(name, at)
            if event["to_state"] == "READY":
                boot.moments.setdefault("row ready", at)

    def _audit(self, boot: Boot) -> None:
        """Who asked the API server for what in the store's namespace. Helm is taken as started when
        provision's last request before Helm's first was answered."""
        asked_before = 0.0
        with (self._world.place.logs / "audit.log").open() as log:
            requests = [json.loads(line) for line in log if boot.id in line]
        helms = [one for one in requests if one["userAgent"].startswith("Helm/")]
        if not helms:
            return
        boot.moments["helm first request"] = _at(helms[0]["requestReceivedTimestamp"])
        boot.moments["helm last request"] = max(_at(one["stageTimestamp"]) for one in helms)
        for one in requests:
            ended = _at(one["stageTimestamp"])
            if one not in helms and ended < boot.moments["helm first request"]:
                asked_before = max(asked_before, ended)
        boot.moments["helm started"] = asked_before or boot.moments["helm first request"]
        boot.spans["API requests of Helm (count)"] = float(len(helms))
        for one in helms:
            what = one["objectRef"]
            if one["verb"] in {"patch", "create"} and what["resource"] in {"deployments", "statefulsets"}:
                component = {"deployments": "storefront", "statefulsets": "database"}[what["resource"]]
                boot.moments[f"{component} applied"] = _at(one["stageTimestamp"])

    def _containers(self, boot: Boot, component: str, pod: Object) -> None:
        uid, status = pod["metadata"]["uid"], pod["status"]
        ids = {one["name"]: one["containerID"].rpartition("/")[2] for one in status["containerStatuses"]}
        for container, life in self._runtime.lives.items():
            if life.pod == uid and life.started and container not in ids.values():
                boot.moments[f"{component} sandbox"] = life.started
        for name, container in ids.items():
            seen = self._runtime.lives.get(container, Life())
            if seen.started:
                boot.moments[f"{name} started"] = seen.started
            if seen.ended:
                boot.moments[f"{name} ended"] = seen.ended
            if (held := throttled(container)) is not None:
                boot.spans[f"{name} held back by its CPU limit"] = held
        if component == "database":
            self._database(boot, pod, ids["database"])
        else:
            for program in self._runtime.programs(ids["web"]):
                if program.line.startswith("apache2 "):
                    boot.moments.setdefault("apache begun", program.begun)
            self._agent(boot, pod, ids["agent"])

    def _database(self, boot: Boot, pod: Object, container: str) -> None:
        for program in self._runtime.programs(container):
            if program.line.startswith("mariadbd "):
                boot.moments.setdefault("server begun", program.begun)
        for at, line in self._lines(pod, "database"):
            if "ready for connections" in line:
                boot.moments.setdefault("server answers", at)

    def _agent(self, boot: Boot, pod: Object, container: str) -> None:
        for at, line in self._lines(pod, "agent"):
            for name, text in (
                ("agent speaks", "The agent is starting."),
                ("agent installs", "WordPress is not installed yet."),
                ("agent ready", "Ready."),
            ):
                if line.endswith(text):
                    boot.moments.setdefault(name, at)
        yes = [at for at, well in self._runtime.lives.get(container, Life()).probed if well]
        if yes:
            boot.moments["agent's readiness probe"] = yes[0]
        for task in (*STEPPING, *LOOKING):
            boot.spans[task] = _sum(self._runtime.below(container, f"child.php {task} "))
        looks = self._runtime.below(container, "child.php look-at-site ")
        if looks:
            boot.moments["agent looks"] = looks[0].begun
        boot.spans["rounds of the agent (count)"] = float(
            len(self._runtime.below(container, "child.php look-at-database "))
        )
        pages = [found for _, line in self._lines(pod, "web") if (found := _PAGE.search(line))]
        turned_away = [found for found in pages if found[1] in {"500", "503"}]
        boot.spans["pages turned away before READY (count)"] = float(len(turned_away))

    def _lines(self, pod: Object, container: str) -> Iterator[tuple[float, str]]:
        """What a container said, with containerd's time for each line."""
        text = self._logs.read_namespaced_pod_log(
            pod["metadata"]["name"], pod["metadata"]["namespace"], container=container, timestamps=True
        )
        for line in text.splitlines():
            at, _, said = line.partition(" ")
            if at[:1].isdigit():
                yield _at(at), said


_PAGE = re.compile(r'HTTP/1\.\d" (\d+) \S+ \d+ ')


def namespace(store_id: str) -> str:
    return f"store-{store_id}"


def throttled(container: str) -> float | None:
    """Seconds for which the kernel kept a container's processes waiting because of its CPU limit."""
    for controller in _CPU:
        top = _GROUPS / controller
        for found in top.glob(f"urumi-*/kubepods/*/pod*/{container}/cpu.stat"):
            counted = dict(line.split() for line in found.read_text().splitlines())
            if "throttled_usec" in counted:
                return int(counted["throttled_usec"]) / 1e6
            return int(counted["throttled_time"]) / 1e9
    return None


def _sum(processes: Sequence[Seen]) -> float:
    return sum(one.last - one.begun for one in processes)


def _at(text: str) -> float:
    """RFC 3339 in UTC; nanoseconds are more than datetime takes."""
    whole, _, part = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{part or 0}")
