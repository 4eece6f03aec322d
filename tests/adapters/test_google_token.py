"""Access tokens of a stand-in for Google's metadata server: how they are asked for, and how long kept."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from control_plane import google_credentials
from control_plane.adapters import google_token
from control_plane.adapters.google_token import AccessToken, NoTokenError
from tests import metadata_server
from tests.metadata_server import MetadataServer

SCOPE = "https://scope.example/one"


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataServer]:
    monkeypatch.setattr(google_token, "_PAUSE_SECONDS", 0.0)
    with metadata_server.running() as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.address)
        yield server


def test_a_token_is_asked_for_with_its_scopes_and_kept(metadata: MetadataServer) -> None:
    token = AccessToken(SCOPE, "https://scope.example/two")
    assert [token(), token()] == ["token-1", "token-1"]
    assert metadata.scopes == [[SCOPE, "https://scope.example/two"]]


@pytest.mark.parametrize(("seconds", "kept"), [(230, True), (220, False)])
def test_a_token_is_kept_until_shortly_before_its_end(
    metadata: MetadataServer, seconds: int, kept: bool
) -> None:
    token = AccessToken(SCOPE)
    metadata.seconds = seconds
    assert token() == "token-1"
    metadata.token = "token-2"
    assert token() == ("token-1" if kept else "token-2")


def test_a_token_that_cannot_be_renewed_is_used_to_its_end(
    metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, ahead, now = AccessToken(SCOPE), 0.0, time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    assert token() == "token-1"
    metadata.token, metadata.statuses = "token-2", [404, 404]
    ahead = 3599 - 100
    assert token() == "token-1"
    ahead = 3599 + 1
    with pytest.raises(NoTokenError, match="answers 404"):
        token()
    ahead = 3599 + 3
    assert token() == "token-2"


def test_threads_that_wait_for_a_failure_do_not_repeat_it(metadata: MetadataServer) -> None:
    token = AccessToken(SCOPE)
    metadata.statuses = [404, *[500] * 100]
    for _ in range(3):
        with pytest.raises(NoTokenError, match="answers 404"):
            token()


def test_threads_that_come_together_ask_once(metadata: MetadataServer) -> None:
    token = AccessToken(SCOPE)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: token(), range(32))) == {"token-1"}
    assert len(metadata.scopes) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(metadata: MetadataServer, status: int) -> None:
    metadata.statuses = [status, status]
    assert AccessToken(SCOPE)() == "token-1"


@pytest.mark.parametrize("statuses", [[404], [503, 503, 503]])
def test_what_does_not_is_said(metadata: MetadataServer, statuses: list[int]) -> None:
    metadata.statuses = list(statuses)
    with pytest.raises(NoTokenError, match=f"answers {statuses[-1]}$"):
        AccessToken(SCOPE)()
    assert (metadata.statuses, metadata.scopes) == ([], [])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"expires_in": 1}', b'{"access_token": "secret"}'])
def test_an_answer_that_is_no_token_is_not_repeated(metadata: MetadataServer, body: bytes) -> None:
    metadata.body = body
    with pytest.raises(NoTokenError, match=r"no token$") as raised:
        AccessToken(SCOPE)()
    assert raised.value.__cause__ is None
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_named(
    metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    with pytest.raises(NoTokenError, match=r"127\.0\.0\.1:1 does not answer \(ConnectionRefusedError\)"):
        AccessToken(SCOPE)()


def test_a_token_is_not_shown_by_accident(metadata: MetadataServer) -> None:
    assert "token-1" not in repr(google_token.fetch([SCOPE]))


def plugin() -> subprocess.CompletedProcess[str]:
    """The credential plugin, as clients start it."""
    return subprocess.run(
        [sys.executable, "-I", "-m", "control_plane.google_credentials"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_plugin_prints_a_credential_with_its_end(metadata: MetadataServer) -> None:
    done = plugin()
    said = json.loads(done.stdout)
    ends = datetime.fromisoformat(said["status"].pop("expirationTimestamp")).timestamp()
    assert said == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "token-1"},
    }
    assert abs(ends - time.time() - metadata.seconds) < 60
    # GKE knows a service account by its e-mail address only where the token tells that.
    assert metadata.scopes == [list(google_credentials.SCOPES)]
    assert "https://www.googleapis.com/auth/userinfo.email" in google_credentials.SCOPES


def test_the_plugin_says_why_it_has_none(metadata: MetadataServer) -> None:
    metadata.statuses = [404]
    done = plugin()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == f"the metadata server {metadata.address} answers 404"


def test_the_plugin_loads_the_standard_library_alone() -> None:
    code = """
import sys
before = {each.partition(".")[0] for each in sys.modules}
import control_plane.google_credentials
loaded = {each.partition(".")[0] for each in sys.modules} - before - sys.stdlib_module_names
print(sorted(loaded))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['control_plane']"
