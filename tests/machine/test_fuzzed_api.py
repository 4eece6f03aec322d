"""The API as a process on a real database, met by what no client of good will sends.

Schemathesis reads the OpenAPI document and holds the API to it; below are bytes that are no HTTP at all.
"""

from __future__ import annotations

import base64
import html
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, text

from control_plane.adapters.sealer import Sealer
from dev.machine import customers
from dev.machine.place import CHECKOUT, Place
from dev.machine.ports import free_port
from tests.builders import LIMITS
from tests.machine.test_serving import serving
from tests.postgres_server import Server

SEALING = base64.urlsafe_b64encode(bytes(32)).decode()
SECONDS = 8  # within which every answer comes, whatever is sent

# Whoever revokes tokens at random must not revoke the one with which they do it.
KEPT = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE UPDATE OF revoked_at ON tokens
    FOR EACH ROW WHEN (OLD.name = 'of this place') EXECUTE FUNCTION keep();
"""

CONFIGURATION = """
seed = 1
hooks = {hooks}
continue-on-failure = true
request-timeout = 10

[generation]
max-examples = 20
deterministic = true
database = "none"
no-shrink = true

[checks]
# What is asked of a store that meanwhile is elsewhere, of a password that was claimed, or with a key that was
# used, is valid: the answer is about the store, and its type is checked against the document.
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "404", "409", "410", "412", "422"]
negative_data_rejection.expected-statuses = ["400", "401", "404", "409", "410", "412", "415", "422"]
# It compares two users of one run; tests/functions/test_matrix.py and the test below compare them all.
object_level_authorization.enabled = false

[[operations]]
# These take a person, and the fuzzer shows an API token.
include-path-regex = "^/v1/(sessions|members)"
checks.positive_data_acceptance.expected-statuses = ["403"]
checks.negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "415"]

[[operations]]
# A name that is another store's is valid, and no confirmation.
include-path-regex = "/purge$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "412"]

[[operations]]
include-path-regex = "^/v1/stores/"
# A deleted store can be looked at on purpose: DELETING first, then DELETED. Revoked tokens are checked.
checks.use_after_free.enabled = false
"""


@dataclass
class Api:
    """A running API, with two customers, and the database behind it."""

    url: str
    tokens: tuple[str, str]
    database: Any

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def request(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        """One request, of the first customer unless told otherwise."""
        headers = {"Authorization": f"Bearer {token or self.tokens[0]}", **more.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=30, **more)

    def create(self) -> str:
        """A store of the first customer."""
        order = {"name": f"s-{uuid4().hex[:12]}", "title": "A shop", "admin_email": "owner@example.com"}
        answer = self.request("POST", "/v1/stores", json=order)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def is_well(self) -> None:
        """It still answers, at once, and its token is still known."""
        assert httpx.get(f"{self.url}/health", timeout=SECONDS).status_code == 200
        assert self.request("GET", "/v1/stores?limit=1").status_code == 200

    def raw(self, sent: bytes, *, ends: bool = False) -> tuple[int, bytes]:
        """Bytes, and the status and the rest of what comes back; 0 where the connection was just closed."""
        give_up = time.monotonic() + SECONDS
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            answer = b""
            try:
                connection.sendall(sent)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                while b"\r\n\r\n" not in answer:
                    connection.settimeout(max(0.01, give_up - time.monotonic()))
                    if not (part := connection.recv(65536)):
                        break
                    answer += part
            except ConnectionError:
                pass  # closed while we were still talking, which is an answer too
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
        return int(found[1]) if found else 0, answer


@pytest.fixture(scope="module")
def api(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    url = postgres.database()
    place = Place(tmp_path_factory.mktemp("place"))
    place.data.mkdir(parents=True, exist_ok=True)
    customers.register(place, url)
    settings = {
        "FUNCTION_TARGET": "create_store",
        "DATABASE_URL": postgres.logins(url)["create_store"],
        "PUBSUB_PROJECT_ID": "nobody-listens",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",  # refused at once; the outbox keeps what was to be said
        "URUMI_NEW_STORES_CELL": "local",
        "URUMI_BASE_DOMAIN": "shops.example",
        "URUMI_CREDENTIALS_KEYS": SEALING,
        "URUMI_LOGIN_KEYS": json.dumps({"k1": base64.b64encode(bytes(32)).decode()}),
    }
    port = free_port()
    with serving([sys.executable, "-m", "control_plane.launcher"], port, **settings):
        first, second = (one.token for one in customers.customers(place))
        database = create_engine(url, poolclass=NullPool)
        with database.begin() as connection:
            connection.execute(text(KEPT))
        yield Api(f"http://127.0.0.1:{port}", (first, second), database)
    postgres.drop(url)


def move_on(api: Api) -> None:
    """Do what provision and reconcile would: some stores become READY with a password, some FAILED.

    Some of them somebody suspended or deleted meanwhile.
    """
    sealer = Sealer([SEALING])
    with api.database.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger asks who we are
        connection.execute(text("LOCK TABLE stores IN EXCLUSIVE MODE"))  # no deadlock with the API
        connection.execute(text("UPDATE stores SET state = 'DELETED' WHERE state = 'DELETING'"))
        connection.execute(
            text(
                "UPDATE stores SET state = CASE WHEN holds = '{}' AND removal_at IS NULL"
                " THEN 'READY' ELSE 'SUSPENDED' END WHERE state IN ('READY', 'SUSPENDED')"
            )
        )
        connection.execute(
            text(
                "UPDATE stores SET holds ="
                " CASE WHEN id::text ~ '[4-7]$' THEN '{owner}'::text[] ELSE '{}' END,"
                " removal_at = CASE WHEN id::text ~ '[89ab]$' THEN now() + interval '30 days' END"
                " WHERE state = 'QUEUED' AND generation = 1"
            )
        )
        connection.execute(
            text(
                "UPDATE stores SET state = 'FAILED', reason = 'a test gave it up'"
                " WHERE state = 'QUEUED' AND id::text ~ '[0-3]$'"
            )
        )
        ready = connection.execute(
            text(
                "UPDATE stores SET state = 'READY', ready_at = coalesce(ready_at, now()),"
                " applied_generation = generation, observed_generation = generation,"
                " admin_made = admin_number"
                " WHERE state = 'QUEUED' OR (state = 'READY' AND admin_made < admin_number)"
                " RETURNING id, generation, admin_number"
            )
        ).all()
        for store_id, generation, number in ready:
            connection.execute(
                text(
                    "INSERT INTO unclaimed VALUES (:id, :number, :generation, :sealed) ON CONFLICT DO NOTHING"
                ),
                {
                    "id": store_id,
                    "number": number,
                    "generation": generation,
                    "sealed": sealer.seal(UUID(str(store_id)), number, "a-password"),
                },
            )


@contextmanager
def moving_on(api: Api) -> Iterator[None]:
    """Again and again, so that every verb meets every state."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            move_on(api)

    mover = threading.Thread(target=work)
    mover.start()
    try:
        yield
    finally:
        over.set()
        mover.join()


def test_schemathesis_finds_nothing(api: Api, tmp_path: Path) -> None:
    stores = [api.create() for _ in range(40)]
    configuration = tmp_path / "schemathesis.toml"
    hooks = CHECKOUT / "tests" / "machine" / "fuzzing_hooks.py"
    configuration.write_text(CONFIGURATION.format(hooks=json.dumps(str(hooks))))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"),
        *(f"{api.url}/openapi.json", "--header", f"Authorization: Bearer {api.tokens[0]}", "--no-color"),
    ]
    began = time.monotonic()
    with moving_on(api):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(CHECKOUT),
                "PYTHONWARNINGS": "ignore",
                "FUZZED_STORES": ",".join(stores),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    print(done.stdout, f"{time.monotonic() - began:.0f} s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout
    with api.database.begin() as connection:
        actions = {row[0] for row in connection.execute(text("SELECT DISTINCT action FROM audit"))}
    reached = {
        "change-plan asked",
        "created",
        "delete asked",
        "move asked",
        "rename asked",
        "resume asked",
        "retry asked",
        "suspend asked",
        "undelete asked",
        "password claimed",
        "login link made",
    }
    reached -= {each.strip() for action in actions for each in action.split(",")}
    assert not reached, "it must have got further than to refusals"
    api.is_well()


def test_a_strangers_store_is_answered_like_none_on_the_real_database(api: Api) -> None:
    mine, nobodys = api.create(), str(uuid4())
    paths = json.loads(httpx.get(f"{api.url}/openapi.json").text)["paths"]
    of_a_store = [
        (method.upper(), path, found)
        for path, methods in paths.items()
        for method, found in methods.items()
        if "{store_id}" in path
    ]
    assert len(of_a_store) >= 8
    with api.database.begin() as connection:
        before = connection.execute(text("SELECT * FROM stores WHERE id = :id"), {"id": mine}).all()
    for method, path, found in of_a_store:
        body = found.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        answers = [
            api.request(method, path.format(store_id=each), api.tokens[1], json=body)
            for each in (mine, nobodys)
        ]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].text.replace(mine, nobodys) == answers[1].text
    with api.database.begin() as connection:
        after = connection.execute(text("SELECT * FROM stores WHERE id = :id"), {"id": mine}).all()
    assert after == before


def test_every_example_of_the_page_works_when_pasted(api: Api) -> None:
    page = httpx.get(f"{api.url}/docs").text
    first, *others = (
        html.unescape(each) for each in re.findall(r'<pre class="example">(.*?)</pre>', page, re.DOTALL)
    )
    environment = {
        "PATH": os.environ["PATH"],
        "URUMI_API_URL": api.url,
        "URUMI_API_TOKEN": api.tokens[1],
        "URUMI_ID_TOKEN": api.tokens[1],  # there is no issuer here
        "SESSION_ID": str(uuid4()),
        "PERSON_ID": str(uuid4()),
    }
    assert len(others) >= 14
    for command in others:
        script = f"{first}\n{command} --output /dev/null --write-out '%{{http_code}}'"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if "URUMI_ID_TOKEN" in command:  # a person could
            assert done.stdout == "403", command
            continue
        # A store that is just ordered cannot be retried, has no password yet, and is deleted at once:
        # what the page asks of it after that is too late.
        assert re.fullmatch("2..|409", done.stdout), (command, done.stdout)
        assert done.stdout != "409" or re.search(
            "/(suspend|resume|undelete|retry|credentials:claim|login-link|reset-password)", command
        ), command


def _head(api: Api, line: str | bytes, *headers: bytes) -> bytes:
    first = line if isinstance(line, bytes) else line.encode()
    token = f"Authorization: Bearer {api.tokens[0]}".encode()
    return b"\r\n".join([first + b" HTTP/1.1", b"Host: x", token, *headers, b"", b""])


JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
BROKEN_BODIES = {
    "breaks off": ((JSON, b"Content-Length: 100"), b'{"name"'),
    "breaks off between chunks": ((JSON, CHUNKED), b'5\r\n{"a":\r\n'),
    "breaks off within a chunk": ((JSON, CHUNKED), b'ff\r\n{"a":'),
    "size that is none": ((JSON, CHUNKED), b"ZZ\r\n{}\r\n0\r\n\r\n"),
    "negative size": ((JSON, CHUNKED), b"-2\r\n{}\r\n0\r\n\r\n"),
    "endless size": ((JSON, CHUNKED), b"f" * 60 + b"\r\n{}\r\n0\r\n\r\n"),
    "longer than its size": ((JSON, CHUNKED), b"1\r\n{}\r\n0\r\n\r\n"),
    "negative length": ((JSON, b"Content-Length: -1"), b"{}"),
    "length that is none": ((JSON, b"Content-Length: many"), b"{}"),
    "two lengths": ((JSON, b"Content-Length: 2", b"Content-Length: 3"), b"{}"),
    "length and chunks": ((JSON, b"Content-Length: 2", CHUNKED), b"2\r\n{}\r\n0\r\n\r\n"),
    "compressed": ((JSON, b"Content-Encoding: gzip", b"Content-Length: 2"), b"\x1f\x8b"),
    "another type": ((b"Content-Type: \xff/\xfe", b"Content-Length: 2"), b"{}"),
    "no type": ((b"Content-Length: 2",), b"{}"),
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_a_broken_body_is_refused(api: Api, name: str) -> None:
    headers, body = BROKEN_BODIES[name]
    for path in ("/v1/stores", "/v1/tokens"):
        status, answer = api.raw(_head(api, f"POST {path}", *headers) + body, ends=True)
        assert 400 <= status < 500, answer
    api.is_well()


@pytest.mark.parametrize("length", [70_000, 10**10, 10**25])
def test_a_body_that_is_too_large_is_refused_before_it_comes(api: Api, length: int) -> None:
    """Not a byte of it is waited for, nor kept."""
    began = time.monotonic()
    status, _ = api.raw(_head(api, "POST /v1/stores", JSON, b"Content-Length: %d" % length))
    assert status == 413
    assert time.monotonic() - began < 5
    # And of what nobody reads at all.
    assert api.raw(_head(api, "GET /v1/stores", b"Content-Length: %d" % length))[0] == 200


def test_bodies_that_come_slowly_hold_up_the_others_for_seconds_only(api: Api) -> None:
    """The API has eight threads; twelve callers who send half a body do not keep them."""
    head = _head(api, "POST /v1/stores", JSON, b"Content-Length: 100") + b'{"name"'
    stalled = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(12)]
    try:
        for each in stalled:
            each.sendall(head)
        time.sleep(0.5)
        assert httpx.get(f"{api.url}/health", timeout=40).status_code == 200
        assert stalled[0].recv(12) == b"HTTP/1.1 400"
    finally:
        for each in stalled:
            each.close()
    api.is_well()


LONG = 8 * 1024 * 1024
ODD_LINES = [
    *(
        f"{method} /v1/stores"
        for method in ("FOO", "get", "CONNECT", "TRACE", "OPTIONS", "PROPFIND", "QUERY")
    ),
    *(
        "OPTIONS *",
        "HEAD /docs",
        "G\x00T /docs",
        "A" * 5000 + " /docs",
        "GET",
        "GET http://evil.example/health",
    ),
]
ODD_PATHS = [
    *(
        "//v1/stores",
        "/v1//stores",
        "/v1/stores/",
        "/v1/%2e%2e/v1/stores",
        "/v1/../../etc/passwd",
        "/%2e%2e%2f",
    ),
    *(
        "/%00",
        "/v1/stores/%00",
        "/v1/stores/%ff%fe",
        "/v1/stores/\u00e9",
        "/v1/stores/%0a",
        "/v1/stores/\\",
        "/%zz",
    ),
    *(
        "/v1/stores;x=1",
        "/openapi.json/..",
        "/docs%2f",
        "/v1/stores/a b",
        "/v1/stores/" + "a" * 3000,
        "/" + "a" * LONG,
    ),
    *(
        "/v1/stores?q=%ff",
        "/v1/stores?%00=%00",
        "/v1/stores?limit=%D9%A1",
        "/v1/stores?q=%",
        "/v1/stores?" + "a=1&" * 900,
    ),
    "/v1/stores?cursor=" + base64.urlsafe_b64encode(b"[" * 2900).decode(),
    # Times that are none in UTC.
    *(
        "/v1/stores?cursor=" + base64.urlsafe_b64encode(json.dumps([at, str(uuid4())]).encode()).decode()
        for at in (
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.999999-14:00",
            "0001-01-01T00:00:00+00:00",
        )
    ),
]
ODD_HEADERS = [
    b"X: " + b"a" * LONG,
    b"X: a\r\n" * 5000 + b"Y: b",
    *(
        b"If-Match: " + each
        for each in (b"\xff\xfe", b'"' * 4000, b'"99999999999999999999-0123456789abcdef"', b"W/*")
    ),
    *(b"If-None-Match: " + each for each in (b"\xff\xfe", b'"' * 4000, b",,,", b'W/"', b"*" * 4000)),
    *(b"Idempotency-Key: " + each for each in (b"\xc3\xa4", b"\xff", b"k" * 4000, b"\x7f")),
    *(
        b"Authorization: " + each
        for each in (b"Bearer urumi_\xff\xfe", b"Bearer " + b"a." * 2000, b"\xff", b"Bearer a.b.c")
    ),
    *(b"X-Cloud-Trace-Context: " + each for each in (b"\xff/\xfe;o=x", b"/" * 4000, b"a/b/c")),
    *(
        each
        for each in (
            b"Host: \xff:x:y",
            b"Host: [::1",
            b"Host: a b",
            b"Expect: nonsense",
            b"Range: bytes=0-",
            b": x",
            b"a b: c",
        )
    ),
    *(
        each
        for each in (
            b"X-HTTP-Method-Override: DELETE",
            b"X-Forwarded-Prefix: /\xff",
            b"Connection: upgrade",
            b" folded",
        )
    ),
]


@pytest.mark.parametrize(
    "line", [*ODD_LINES, *(f"GET {path}" for path in ODD_PATHS)], ids=lambda line: line[:40]
)
def test_an_odd_request_line_is_answered(api: Api, line: str) -> None:
    status, answer = api.raw(_head(api, line))
    assert status < 500, answer
    assert status != 0 or len(line) > 60_000, "not even an answer"
    api.is_well()


@pytest.mark.parametrize("header", ODD_HEADERS, ids=lambda header: repr(header[:40]))
def test_an_odd_header_is_answered(api: Api, header: bytes) -> None:
    store = api.create()
    for line in ("GET /v1/stores", f"DELETE /v1/stores/{store}", "POST /v1/tokens"):
        head = [line.encode() + b" HTTP/1.1", header]
        if not header.lower().startswith(b"host:"):
            head.append(b"Host: x")
        if not header.startswith(b"Authorization"):
            head.append(f"Authorization: Bearer {api.tokens[0]}".encode())
        if line.startswith("POST"):
            head += [JSON, b"Content-Length: 2"]
        status, answer = api.raw(b"\r\n".join([*head, b"", b"{}" if line.startswith("POST") else b""]))
        assert status < 500, answer
        assert status != 0 or len(header) > 60_000, "not even an answer"
    api.is_well()


def test_an_unknown_coding_is_not_implemented(api: Api) -> None:
    """The one 5xx that the server in front of us gives, because RFC 9112 says so."""
    assert api.raw(_head(api, "POST /v1/stores", JSON, b"Transfer-Encoding: odd") + b"x", ends=True)[0] == 501
    api.is_well()


ODD_JSON = [
    b'{"name":"x","expires_in_days":' + b"9" * 6000 + b"}",
    b'{"name":"x","expires_in_days":1e999}',
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b'{"name":NaN}',
    b'{"name":"\\ud800"}',
    b'{"name":"\\u0000"}',
    b"\xef\xbb\xbf{}",
    '{"name":"x"}'.encode("utf-16"),
    b'{"name":"' + b"x" * 65_000 + b'"}',
    b'{"scopes":[[]]}',
    b'{"scopes":[{}],"name":"x"}',
]


@pytest.mark.parametrize("body", ODD_JSON, ids=lambda body: repr(body[:30]))
def test_odd_json_is_refused(api: Api, body: bytes) -> None:
    for path in ("/v1/stores", "/v1/tokens"):
        assert (
            api.request("POST", path, content=body, headers={"Content-Type": "application/json"}).status_code
            == 400
        )


def test_random_bytes_are_refused(api: Api) -> None:
    dice = random.Random(7)  # noqa: S311 - the same in every run
    with httpx.Client(base_url=api.url, timeout=SECONDS) as client:
        for _ in range(150):
            headers = {"Authorization": f"Bearer {api.tokens[0]}", "Content-Type": "application/json"}
            path = dice.choice(["/v1/stores", "/v1/tokens"])
            answer = client.post(path, content=dice.randbytes(dice.randrange(2000)), headers=headers)
            assert answer.status_code == 400, answer.text
    for _ in range(50):
        status, answer = api.raw(dice.randbytes(dice.randrange(1, 3000)), ends=True)
        assert status < 500, answer
    api.is_well()


def test_a_caller_who_asks_too_often_is_told_when_to_come_again(api: Api) -> None:
    with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {api.tokens[1]}"}) as client:
        for _ in range(LIMITS["standard"].burst * 4):
            answer = client.get("/v1/tokens")
            if answer.status_code == 429:
                break
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert (
        api.request("GET", "/v1/stores?limit=1").status_code == 200
    )  # another account's requests are not its
