"""Stores with real pods, seen as a shopper, as their owner, and from inside."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from kubernetes import client, config
from kubernetes.stream import stream

from tests.cluster.world import World

_POD = re.compile(r"/pod([0-9a-f-]{36})")
SECONDS = 240.0  # until a store is READY, with many at once on two cores
Object = dict[str, Any]


class Shops:
    """Makes stores in one running copy of everything."""

    def __init__(self, world: World) -> None:
        self.world = world

    def create(self, **fields: Any) -> Shop:
        """One store, accepted and not more."""
        return Shop(self.world, self.world.create(**fields))

    def settle(self, shops: Sequence[Shop], *, seconds: float = SECONDS) -> None:
        """Wait until all of them are READY; any other end fails."""
        ids = [shop.id for shop in shops]
        give_up = time.monotonic() + seconds
        while self.world.states(ids) != {"READY": len(ids)}:
            failed = self.world.sql("SELECT id, reason FROM stores WHERE state = 'FAILED'")
            assert not failed, failed
            assert time.monotonic() < give_up, [shop.trouble() for shop in shops]
            time.sleep(0.2)

    def delete(self, shops: Sequence[Shop]) -> None:
        """Remove the stores, so that the next test has the machine to itself."""
        ids = [shop.id for shop in shops]
        for shop in shops:
            shop.close()
            self.world.purge(shop.id)
        assert self.world.settle(ids) == {"DELETED": len(ids)}


@dataclass(frozen=True)
class Answer:
    """What a command in a container printed, and how it ended."""

    output: str
    code: int


class Shop:
    """One store."""

    def __init__(self, world: World, store_id: str) -> None:
        self.world = world
        self.id = store_id
        self.namespace = f"store-{store_id}"
        self._browsers: list[httpx.Client] = []

    @cached_property
    def title(self) -> str:
        """Its title as it was asked for."""
        return str(self.world.show(self.id)["title"])

    @cached_property
    def host(self) -> str:
        """Its host name with the port, as browsers send it."""
        return urlsplit(str(self.world.show(self.id)["address"])).netloc

    def browser(self, **more: Any) -> httpx.Client:
        """Asks the front door for this store's host name, as a browser on this machine would."""
        port = self.host.rpartition(":")[2]
        browser = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Host": self.host},
            timeout=30,
            trust_env=False,
            **more,
        )
        self._browsers.append(browser)
        return browser

    def close(self) -> None:
        """Close its browsers."""
        while self._browsers:
            self._browsers.pop().close()

    def owner(self) -> httpx.Client:
        """The same, logged in as the administrator with the password that was claimed."""
        browser = self.browser()
        answer = self.log_in(self.password, browser)
        assert answer.status_code == 302, answer.text[:2000]
        assert any(name.startswith("wordpress_logged_in") for name in browser.cookies), answer.headers
        return browser

    def log_in(self, password: str, browser: httpx.Client | None = None) -> httpx.Response:
        """What the login form answers to the administrator with that password."""
        browser = browser or self.browser()
        browser.get("/wp-login.php")  # WordPress tries whether the browser takes cookies
        return browser.post("/wp-login.php", data={"log": "admin", "pwd": password, "testcookie": "1"})

    def ask(self, verb: str, status: int) -> Object:
        """One of the API's verbs of this store, with its answer."""
        answer = self.world.request("POST", f"/v1/stores/{self.id}/{verb}")
        assert answer.status_code == status, answer.text
        found: Object = answer.json()
        return found

    def settle(self, seconds: float = SECONDS, *, state: str = "READY") -> None:
        """Until what was asked of it last is there."""
        give_up = time.monotonic() + seconds
        row = self.world.show(self.id)
        while row["state"] != state or row["observed_generation"] != row["generation"]:
            assert time.monotonic() < give_up, self.trouble()
            assert row["state"] != "FAILED", self.trouble()
            time.sleep(0.2)
            row = self.world.show(self.id)

    @cached_property
    def password(self) -> str:
        """The administrator's password, as its owner claims it."""
        return str(self.ask("credentials:claim", 200)["password"])

    def get(self, api: str, path: str) -> Object:
        """An object in its namespace, which must be there."""
        found = self.world.cluster.get(f"{api}/namespaces/{self.namespace}/{path}")
        assert found is not None, path
        return found

    def pods(self) -> list[Object]:
        """Its pods that are not being removed."""
        pages = self.world.cluster.pages(f"/api/v1/namespaces/{self.namespace}/pods")
        found: list[Object] = [pod for page in pages for pod in page["items"]]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self, component: str) -> Object:
        """The pod of `storefront` or `database`."""
        (found,) = [
            pod
            for pod in self.pods()
            if pod["metadata"]["labels"]["app.kubernetes.io/component"] == component
        ]
        return found

    def restarts(self, component: str) -> dict[str, int]:
        """How often each container of that pod was started again."""
        statuses = self.pod(component)["status"]["containerStatuses"]
        return {each["name"]: each["restartCount"] for each in statuses}

    def run(self, container: str, *command: str) -> Answer:
        """Run a command in a container, as `kubectl exec` does."""
        component = "database" if container == "database" else "storefront"
        answer = stream(
            self._exec, self.pod(component)["metadata"]["name"], self.namespace, container=container,
            command=list(command), stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False,
        )  # fmt: skip
        answer.run_forever(timeout=60)
        code = int(answer.returncode)  # before the output, whose reading empties all channels
        output = answer.read_all()
        answer.sock.shutdown()  # close() does nothing after the other side has closed
        return Answer(output, code)

    def trouble(self) -> Object:
        """What is said of it, for the message of a test that gave up."""
        row = self.world.show(self.id)
        pods = {
            pod["metadata"]["name"]: [
                (each["name"], each["ready"], each["restartCount"], each["state"])
                for each in pod["status"].get("containerStatuses", [])
            ]
            for pod in self.pods()
        }
        return {"id": self.id, "state": row["state"], "reason": row["reason"], "pods": pods}

    @cached_property
    def _exec(self) -> Any:
        api = client.CoreV1Api(config.new_client_from_config(self.world.values["KUBECONFIG"]))
        return api.connect_get_namespaced_pod_exec


@dataclass(frozen=True)
class Process:
    """A process of a pod, as this machine sees it."""

    pod: str  # the pod's uid
    id: int
    line: str  # its command line, the arguments divided by blanks

    def container(self) -> list[int]:
        """Ids of all processes of the container that it is in."""
        with suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{self.id}/cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if controllers in {"pids", ""} and self.pod in path:
                    root = Path("/sys/fs/cgroup") / controllers
                    return [int(each) for each in Path(f"{root}{path}/cgroup.procs").read_text().split()]
        return []


def processes() -> list[Process]:
    """All processes of all pods."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                pod = _POD.search((folder / "cgroup").read_text())
                if pod is not None:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append(Process(pod[1], int(folder.name), line))
    return found


def kill(process: int, how: int) -> bool:
    """Send a signal; whether the process was still there."""
    try:
        os.kill(process, how)
    except ProcessLookupError:
        return False
    return True


def rest(owner: httpx.Client, path: str, **more: Any) -> Object:
    """POST to WordPress's REST API as the owner who is logged in."""
    nonce = owner.get("/wp-admin/admin-ajax.php", params={"action": "rest-nonce"}).text
    answer = owner.post(
        f"/wp-json/wp/v2/{path}", headers={"X-WP-Nonce": nonce, **more.pop("headers", {})}, **more
    )
    assert answer.status_code == 201, answer.text[:500]
    made: Object = json.loads(answer.text)
    return made
