"""The front door with a real HAProxy, little shops on loopback, and an API server that only watches."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from dev.front_door import part
from dev.machine import processes
from dev.machine.place import CHECKOUT, Place
from dev.machine.ports import free_port
from dev.machine.serving import Command, serve
from tests.fakes.api_server import (
    ENDPOINTS,
    INGRESSES,
    SERVICES,
    ApiServer,
    endpoints,
    ingress,
    service,
    serving,
)

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy", path=f"{os.defpath}:/usr/sbin") is None,
    reason="there is no haproxy: 'apt-get install haproxy'",
)


class Shop(BaseHTTPRequestHandler):
    """Answers with its own name and all that it was asked."""

    protocol_version = "HTTP/1.1"
    name: str
    seen: list[str]

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        got = 0
        while got < length:
            got += len(self.rfile.read(min(1 << 20, length - got)))
        self.seen.append(f"{self.command} {self.path}")
        if self.path == "/vanish":
            self.close_connection = True
            return
        answer = {"shop": self.name, "path": self.path, "body": got, "headers": self.headers.items()}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Front:
    """A running front door and what is around it."""

    def __init__(self, api: ApiServer, folder: Path, stack: ExitStack) -> None:
        self.api = api
        self.folder = folder
        self.port = free_port()
        self.log = folder.with_suffix(".log")
        self.seen: dict[str, list[str]] = {}  # requests, by shop
        self._stack = stack
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = part.command(sys.executable, self.api.kubeconfig(), self.folder, self.port)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(argv, cwd=CHECKOUT, stdout=log, stderr=log)
        becomes(lambda: part.answers(self.port))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    def haproxy(self) -> psutil.Process | None:
        found = [each for each in psutil.Process(self.process.pid).children() if each.name() == "haproxy"]
        return found[0] if found else None

    def end(self) -> None:
        if self._process:
            child = self.haproxy() if self._process.poll() is None else None
            self._process.kill()
            self._process.wait()
            if child and child.is_running():
                child.kill()

    def shop(self, name: str, address: str) -> int:
        """Open a shop there and have it in the cluster as NAME.localhost; returns its port."""
        self.seen[name] = []
        port = self._stack.enter_context(open_shop(name, address, self.seen[name]))
        self.api.put(service(name, address, port), ingress(name, f"{name}.localhost"))
        return port

    def ask(self, host: str, path: str = "/", **more: object) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            return ask_on(connection, host, path, **more)
        finally:
            connection.close()

    def who(self, host: str) -> str | int:
        """The shop that answers, or the status when none does."""
        status, body = self.ask(host)
        return str(json.loads(body)["shop"]) if status == 200 else status

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while some := connection.recv(65536):
                answer += some
            return answer


def ask_on(
    connection: http.client.HTTPConnection,
    host: str,
    path: str = "/",
    *,
    method: str = "GET",
    body: object = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Host": host, **(headers or {})})  # type: ignore[arg-type]
    response = connection.getresponse()
    return response.status, response.read()


CLOSED_PATHS = (
    "/",
    "/wp-admin/",
    "/wp-login.php?redirect_to=%2Fwp-admin%2F",
    "/?urumi-login=TOKEN",
    "/wp-json/wc/store/v1/cart",
    "/wp-content/uploads/picture.png",
    "/healthz",
    "/robots.txt",
)


def asked(
    method: str, path: str, *, host: str = "teapots.localhost", more: str = "", body: str = ""
) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n{body}".encode()


def suspend(front: Front) -> int:
    """A store without pods, as a cluster has it: its Service refuses. Returns the Service's port."""
    port = free_port()
    one = ingress("teapots", "teapots.localhost")
    former = ingress("teapots", "old-pots.localhost")
    one["spec"]["rules"] += former["spec"]["rules"]
    front.api.put(service("teapots", "127.0.0.2", port), one)
    return port


@contextmanager
def open_shop(name: str, address: str, seen: list[str], *, port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer((address, port), type("One", (Shop,), {"name": name, "seen": seen}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def becomes(seen: Callable[[], object], seconds: float = 10) -> float:
    """Wait until `seen`; how long it took."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() < began + seconds
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with ExitStack() as stack:
        api = stack.enter_context(serving(tmp_path, tls=True))
        made = Front(api, tmp_path / "door", stack)
        stack.callback(made.end)
        yield made


class TestRouting:
    def test_a_store_is_open_and_moved_and_gone_within_a_second(self, front: Front) -> None:
        front.start()
        assert front.who("teapots.localhost") == 404
        front.shop("teapots", "127.0.0.2")
        assert becomes(lambda: front.who("teapots.localhost") == "teapots") < 1
        with open_shop("elsewhere", "127.0.0.3", []) as port:
            front.api.put(service("teapots", "127.0.0.3", port))
            assert becomes(lambda: front.who("teapots.localhost") == "elsewhere") < 1
        front.api.delete(INGRESSES, "teapots")
        assert becomes(lambda: front.who("teapots.localhost") == 404) < 1

    def test_another_host_name_of_the_same_ingress_takes_the_place_of_the_old(self, front: Front) -> None:
        front.start()
        front.shop("teapots", "127.0.0.2")
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        front.api.put(ingress("teapots", "kettles.localhost"))
        becomes(lambda: front.who("kettles.localhost") == "teapots")
        assert front.who("teapots.localhost") == 404

    def test_the_port_and_the_case_of_a_host_name_do_not_matter_and_it_arrives_as_sent(self, front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        for host in ("teapots.localhost:8088", "TeaPots.LOCALHOST", "TEAPOTS.localhost:1"):
            _, body = front.ask(host, "/any/path?a=b")
            answer = json.loads(body)
            assert (answer["shop"], answer["path"]) == ("teapots", "/any/path?a=b")
            assert dict(answer["headers"])["host"] == host

    def test_of_two_ingresses_of_one_name_the_oldest_wins_until_it_is_gone(self, front: Front) -> None:
        front.shop("first", "127.0.0.2")
        front.shop("second", "127.0.0.3")
        front.api.put(ingress("second", "first.localhost", created="2026-06-01T00:00:00Z"))
        front.start()
        becomes(lambda: front.who("first.localhost") == "first")
        assert "shops/second asks for first.localhost, which Ingress shops/first had" in front.log.read_text()
        front.api.delete(INGRESSES, "first")
        becomes(lambda: front.who("first.localhost") == "second")

    def test_another_doors_ingress_is_not_served(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.api.put(ingress("other", "other.localhost", service="teapots", kind="nginx"))
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        assert front.who("other.localhost") == 404
        front.api.delete(INGRESSES, "other")
        front.shop("kettles", "127.0.0.3")
        becomes(lambda: front.who("kettles.localhost") == "kettles")
        assert "ERROR" not in front.log.read_text()

    def test_one_connection_may_ask_all_shops_and_each_answers_for_itself(self, front: Front) -> None:
        names = [f"shop{number}" for number in range(8)]
        for number, name in enumerate(names):
            front.shop(name, f"127.0.0.{number + 2}")
        front.start()
        becomes(lambda: all(front.who(f"{name}.localhost") == name for name in names))
        wrong: list[str] = []

        def go_round() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
            for name in names * 10:
                _, body = ask_on(connection, f"{name}.localhost")
                if json.loads(body)["shop"] != name:
                    wrong.append(name)
            connection.close()

        threads = [threading.Thread(target=go_round) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert wrong == []

    def test_two_thousand_stores_are_served_and_one_more_within_a_second(self, front: Front) -> None:
        port = front.shop("teapots", "127.0.0.2")
        for number in range(2000):
            name = f"store-with-a-long-name-{number:04}-of-somebody-or-other"
            front.api.put(service(name, "127.0.0.2", port), ingress(name, f"{name}.localhost"))
        front.start()
        asked = "store-with-a-long-name-{:04}-of-somebody-or-other.localhost".format
        becomes(lambda: front.who(asked(1999)) == "teapots", 5)
        for number in range(0, 2000, 97):
            assert front.who(asked(number)) == "teapots"
        front.shop("last", "127.0.0.3")
        assert becomes(lambda: front.who("last.localhost") == "last") < 1
        front.api.delete(INGRESSES, "last")
        assert becomes(lambda: front.who("last.localhost") == 404) < 1
        # The same number of changes at once, as after a long absence.
        for number in range(2000):
            front.api.delete(INGRESSES, f"store-with-a-long-name-{number:04}-of-somebody-or-other")
        becomes(lambda: {front.who(asked(number)) for number in (0, 999, 1999)} == {404}, 5)
        assert front.who("teapots.localhost") == "teapots"


class TestClosed:
    def test_a_shop_with_nobody_behind_it_is_closed_at_once_and_tells_nothing(self, front: Front) -> None:
        front.api.put(service("teapots", "127.0.0.2", free_port()), ingress("teapots", "teapots.localhost"))
        front.api.put(ingress("bare", "bare.localhost"))  # its Service is not there yet
        front.start()
        for host in ("teapots.localhost", "bare.localhost"):
            becomes(lambda host=host: front.who(host) == 503)
            began = time.monotonic()
            answer = front.raw(
                f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            ).decode()
            assert time.monotonic() - began < 1
            assert answer.startswith("HTTP/1.1 503 ")
            assert "retry-after: 10\r\n" in answer
            assert "This shop is not open right now" in answer
            for word in ("haproxy", "2.6", "127.0.0", "server:"):
                assert word not in answer.lower()

    def test_a_suspended_shop_answers_all_and_everybody_alike(self, front: Front) -> None:
        port = suspend(front)
        front.start()
        becomes(lambda: front.who("teapots.localhost") == 503)
        page = front.raw(asked("GET", "/"))
        assert page.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"<h1>This shop is not open right now</h1>" in page
        head, _, body = page.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower().split(b"\r\n")
        assert b"set-cookie" not in head.lower()
        owner = "Cookie: wordpress_logged_in_0123456789abcdef=admin%7C1; wp-settings-1=x\r\n"
        for path in CLOSED_PATHS:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
                assert front.raw(asked(method, path)) == page, (method, path)
            assert front.raw(asked("GET", path, more=owner)) == page, path
            assert front.raw(asked("HEAD", path)) == head + b"\r\n\r\n", path
        sent = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 17\r\n"
        assert front.raw(asked("POST", "/wp-login.php", more=sent, body="log=admin&pwd=pwd")) == page
        for host in ("TeaPots.LOCALHOST", "teapots.localhost:8088", "OLD-POTS.localhost"):
            assert front.raw(asked("GET", "/wp-admin/", host=host)) == page, host
        # Resumed, it is there at once, by both of its names.
        with open_shop("teapots", "127.0.0.2", [], port=port):
            assert front.who("teapots.localhost") == "teapots"
            assert front.who("old-pots.localhost") == "teapots"

    def test_a_shop_is_closed_without_asking_the_network_while_nobody_is_ready(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        for nobody in (endpoints("teapots"), endpoints("teapots", False)):
            front.api.put(nobody)
            assert becomes(lambda: front.who("teapots.localhost") == 503) < 1
            asked_before = len(front.seen["teapots"])
            assert front.who("teapots.localhost") == 503
            assert len(front.seen["teapots"]) == asked_before
            front.api.put(endpoints("teapots", False, True))
            assert becomes(lambda: front.who("teapots.localhost") == "teapots") < 1

    def test_a_front_door_that_starts_anew_finds_suspended_shops_closed(self, front: Front) -> None:
        suspend(front)
        front.start()
        becomes(lambda: front.who("teapots.localhost") == 503)
        page = front.raw(asked("GET", "/"))
        haproxy = front.haproxy()
        assert haproxy
        haproxy.kill()
        becomes(lambda: front.haproxy() not in {haproxy, None})
        assert front.raw(asked("GET", "/")) == page
        front.process.send_signal(signal.SIGTERM)
        front.process.wait(10)
        front.api.stop()  # from what it knew last time
        front.start()
        assert front.raw(asked("GET", "/shop/")) == page
        front.api.start()
        becomes(lambda: front.who("teapots.localhost") == 503)
        front.process.send_signal(signal.SIGTERM)
        front.process.wait(10)
        shutil.rmtree(front.folder)  # as in a new pod
        front.start()
        becomes(lambda: front.who("teapots.localhost") == 503)
        assert front.raw(asked("GET", "/shop/")) == page

    def test_an_unknown_host_name_gets_a_plain_page(self, front: Front) -> None:
        front.start()
        status, body = front.ask("<script>.localhost")
        assert status in {400, 404}
        status, body = front.ask("nobody.localhost")
        assert (status, b"There is no shop at this address" in body) == (404, True)
        assert b"nobody" not in body

    def test_a_shop_that_hangs_up_is_asked_once(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        status, body = front.ask("teapots.localhost", "/vanish", method="POST", body=b"buy")
        assert (status, b"not open right now" in body) == (502, True)
        assert front.seen["teapots"].count("POST /vanish") == 1
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
        ask_on(connection, "teapots.localhost")
        with pytest.raises(http.client.RemoteDisconnected):
            ask_on(connection, "teapots.localhost", "/vanish", method="POST", body=b"buy")
        connection.close()
        assert front.seen["teapots"].count("POST /vanish") == 2

    def test_health_is_haproxys_own_only_where_no_store_is(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        assert front.ask("127.0.0.1", "/healthz") == (200, b"ok")
        _, body = front.ask("teapots.localhost", "/healthz")
        assert json.loads(body)["shop"] == "teapots"
        becomes(lambda: "{teapots.localhost|/healthz}" in front.log.read_text())
        assert "{127.0.0.1|" not in front.log.read_text()


class TestStrangers:
    @pytest.fixture
    def shops(self, front: Front) -> Front:
        front.shop("teapots", "127.0.0.2")
        front.shop("kettles", "127.0.0.3")
        front.start()
        becomes(lambda: front.who("kettles.localhost") == "kettles")
        return front

    @pytest.mark.parametrize(
        "hosts",
        [
            [""],
            ["127.0.0.2"],
            ["teapots.localhost, kettles.localhost"],
            ["kettles.localhost,teapots.localhost"],
            ["teapots.localhost/kettles.localhost"],
            ["user@teapots.localhost"],
            ["teapots.localhost\x00.example"],
            ["teapots.localhost:80\x00"],
            ["teapots.localhost:80x"],
            ["teapots.localhost:80:80"],
            ["teapots.localhost."],
            ["teapots.localhost\tkettles.localhost"],
            ["teapots.localhost;show info"],
            ["closed"],
            ["a" * 5000],
            ["\xe9.localhost"],
            ["[::1]:80"],
            ["../stores.map"],
            ["teapots.localhost", "kettles.localhost"],
            ["kettles.localhost", "nobody.localhost"],
            [],
        ],
        ids=lambda hosts: "+".join(hosts)[:30] or "none",
    )
    def test_odd_host_headers_reach_no_shop(self, shops: Front, hosts: list[str]) -> None:
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        answer = shops.raw(f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode("latin-1"))
        assert answer.split(b" ")[1] in {b"400", b"404"}
        assert shops.who("teapots.localhost") == "teapots"

    def test_a_whole_address_that_contradicts_the_host_header_reaches_no_shop(self, shops: Front) -> None:
        request = (
            b"GET http://kettles.localhost/ HTTP/1.1\r\nHost: teapots.localhost\r\nConnection: close\r\n\r\n"
        )
        assert shops.raw(request).split(b" ")[1] in {b"400", b"404"}

    def test_what_a_shop_is_told_of_the_shopper_comes_from_here_alone(self, shops: Front) -> None:
        lies = {
            "X-Forwarded-For": "203.0.113.9",
            "x-forwarded-proto": "https",
            "X-FORWARDED-HOST": "evil.example",
            "X-Forwarded-Port": "443",
            "Forwarded": "for=203.0.113.9",
            "X-Real-IP": "203.0.113.9",
            "X-Urumi-Probe": "liveness",
            "X-Other": "stays",
        }
        _, body = shops.ask("teapots.localhost", headers=lies)
        got = [(name.lower(), value) for name, value in json.loads(body)["headers"]]
        assert [pair for pair in got if pair[0].startswith(("x-", "forwarded"))] == [
            ("x-other", "stays"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
        ]

    def test_an_address_said_twice_is_replaced_by_one(self, shops: Front) -> None:
        answer = shops.raw(
            b"GET / HTTP/1.1\r\nHost: teapots.localhost\r\nX-Forwarded-For: 1.1.1.1\r\n"
            b"X-Forwarded-For: 2.2.2.2\r\nConnection: close\r\n\r\n"
        )
        assert b"1.1.1.1" not in answer
        assert b"2.2.2.2" not in answer

    def test_a_large_upload_arrives_whole(self, shops: Front) -> None:
        size = 64 << 20
        pieces = (bytes(1 << 20) for _ in range(64))
        headers = {"Content-Length": str(size)}
        status, body = shops.ask("teapots.localhost", "/upload", method="POST", body=pieces, headers=headers)
        assert (status, json.loads(body)["body"]) == (200, size)

    def test_secrets_in_a_query_stay_out_of_the_log(self, shops: Front) -> None:
        shops.ask("teapots.localhost", "/wp-login.php?key=hush")
        becomes(lambda: "/wp-login.php" in shops.log.read_text())
        assert "hush" not in shops.log.read_text()

    def test_only_its_own_user_may_speak_to_haproxys_runtime_api(self, shops: Front) -> None:
        assert stat.S_IMODE((shops.folder / "runtime.sock").stat().st_mode) == 0o600

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user to change from")
    def test_haproxy_is_not_root(self, shops: Front) -> None:
        haproxy = shops.haproxy()
        assert haproxy
        assert set(haproxy.uids()) | set(haproxy.gids()) == {65534}


class TestBadMoments:
    def test_no_connection_ends_and_no_request_fails_while_the_table_changes(self, front: Front) -> None:
        port = front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
        connection.connect()
        kept = connection.sock
        for number in range(100):
            front.api.put(
                service(f"s{number}", "127.0.0.2", port), ingress(f"s{number}", f"s{number}.localhost")
            )
            if number >= 10:
                front.api.delete(INGRESSES, f"s{number - 10}")
            front.api.put(service("teapots", "127.0.0.2", port))
            status, _ = ask_on(connection, "teapots.localhost")
            assert status == 200
            assert connection.sock is kept, "the connection was closed"
        becomes(lambda: front.who("s99.localhost") == "teapots")
        assert ask_on(connection, "s99.localhost")[0] == 200
        assert connection.sock is kept
        connection.close()

    def test_a_killed_haproxy_is_back_with_the_table_and_nobody_is_refused(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        for _ in range(3):
            haproxy = front.haproxy()
            assert haproxy
            haproxy.kill()
            gone = becomes(lambda haproxy=haproxy: not haproxy.is_running() or front.haproxy() != haproxy)
            began = time.monotonic()
            assert front.who("teapots.localhost") == "teapots"
            assert gone + time.monotonic() - began < 3
        front.shop("kettles", "127.0.0.3")
        assert becomes(lambda: front.who("kettles.localhost") == "kettles") < 1

    def test_a_table_that_changes_while_haproxy_is_stopped_is_told_when_it_is_back(
        self, front: Front
    ) -> None:
        front.start()
        haproxy = front.haproxy()
        assert haproxy
        haproxy.suspend()
        front.shop("teapots", "127.0.0.2")
        becomes(lambda: "did not take the new table" in front.log.read_text())
        haproxy.resume()
        assert becomes(lambda: front.who("teapots.localhost") == "teapots") < 3

    def test_haproxy_ends_with_a_killed_front_door(self, front: Front) -> None:
        front.start()
        haproxy = front.haproxy()
        assert haproxy
        front.process.kill()
        front.process.wait()
        becomes(lambda: not haproxy.is_running() or haproxy.status() == psutil.STATUS_ZOMBIE, 2)
        assert free_port(front.port) == front.port

    def test_sigterm_ends_both_cleanly(self, front: Front) -> None:
        front.start()
        haproxy = front.haproxy()
        assert haproxy
        began = time.monotonic()
        front.process.send_signal(signal.SIGTERM)
        assert front.process.wait(10) == 0
        assert time.monotonic() - began < 2
        assert not haproxy.is_running()
        assert free_port(front.port) == front.port
        assert "ERROR" not in front.log.read_text()

    def test_without_the_api_server_what_is_known_is_served_and_later_followed(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        front.api.stop()
        time.sleep(1)
        assert front.who("teapots.localhost") == "teapots"
        front.shop("kettles", "127.0.0.3")
        front.api.delete(INGRESSES, "teapots")
        front.api.forget()
        front.api.start()
        becomes(lambda: front.who("kettles.localhost") == "kettles")
        assert front.who("teapots.localhost") == 404

    def test_started_without_the_api_server_it_serves_what_it_knew_last_time(self, front: Front) -> None:
        front.shop("teapots", "127.0.0.2")
        front.start()
        becomes(lambda: front.who("teapots.localhost") == "teapots")
        front.process.kill()
        front.process.wait()
        front.api.stop()
        with (front.folder / "stores.map").open("a") as file:
            file.write("mangled.localhost 127.0\n\0\0\0")
        front.start()
        assert front.who("mangled.localhost") == 404
        assert front.who("teapots.localhost") == "teapots"
        front.api.start()
        front.shop("kettles", "127.0.0.3")
        becomes(lambda: front.who("kettles.localhost") == "kettles")

    def test_a_taken_port_is_named_and_the_other_front_door_unharmed(self, front: Front) -> None:
        front.start()
        argv = part.command(sys.executable, front.api.kubeconfig(), front.folder, front.port)
        done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1
        assert "Address already in use" in done.stderr
        front.shop("teapots", "127.0.0.2")
        becomes(lambda: front.who("teapots.localhost") == "teapots")


def test_it_is_a_part_of_a_place_like_any_other(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.root.mkdir()
    with serving(tmp_path) as api:
        try:
            port = serve(
                place,
                "front-door",
                port=free_port(),
                command=lambda port: Command(
                    part.command(sys.executable, api.kubeconfig(), place.data / "front-door", port),
                    {"PATH": os.defpath},
                ),
                answers=part.answers,
                seconds=20,
            )
            assert part.answers(port)
            becomes(lambda: {path for path, _ in api.asked} == {INGRESSES, SERVICES, ENDPOINTS})
        finally:
            assert processes.stop(place, "front-door")
    assert not part.answers(port)
