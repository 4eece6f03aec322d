"""The commands by which an owner gets in, and machines get tokens: secrets on stdout, and nowhere else."""

from __future__ import annotations

import json
import re
import uuid

import httpx
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from control_plane.domain.store import ADMINISTRATOR
from dev.cli import api, follow, main
from dev.machine.place import CHECKOUT
from tests.dev.test_cli_stores import ID, STORE, FakeApi

PASSWORD = "Sesame123"
LINK = f"{STORE['address']}/?urumi-login=a.b.c"
TOKEN = {
    "id": str(uuid.UUID(int=9)),
    "name": "ci",
    "prefix": "urumi_Abc123",
    "scopes": ["stores:read"],
    "created_at": "2026-11-24T04:00:00Z",
    "expires_at": "2027-02-24T04:00:00Z",
    "last_used_at": None,
}


@pytest.fixture
def fake(monkeypatch, tmp_path):
    fake = FakeApi()
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    made = api.Api("http://api", "token", httpx.MockTransport(fake))
    monkeypatch.setattr(api.Api, "from_environment", classmethod(lambda _: made))
    monkeypatch.setattr(follow, "PAUSE", 0)
    fake.will("GET", f"/v1/stores/{ID}", STORE)
    fake.will("GET", "/v1/stores", {"stores": [STORE], "next_cursor": None})
    fake.will("POST", f"/v1/stores/{ID}/credentials:claim", {"user": "admin", "password": PASSWORD})
    fake.will("POST", f"/v1/stores/{ID}/login-link", {"url": LINK}, status=201)
    fake.will("GET", "/v1/tokens", {"tokens": [TOKEN]})
    return fake


def run(*words: str):
    return CliRunner().invoke(main.app, list(words))


def test_a_claimed_password_alone_is_on_stdout_and_who_and_where_beside_it(fake):
    done = run("stores", "claim", "shop")
    assert (done.exit_code, done.stdout) == (0, f"{PASSWORD}\n")
    assert f"user admin, at {STORE['address']}/wp-login.php" in done.stderr
    assert PASSWORD not in done.stderr


def test_claim_as_json_is_one_document(fake):
    login = f"{STORE['address']}/wp-login.php"
    assert json.loads(run("stores", "claim", ID, "--json").stdout) == {
        "user": "admin",
        "password": PASSWORD,
        "login": login,
    }


def test_what_was_claimed_before_says_the_way_out(fake):
    problem = {
        "title": "The password is not here any more",
        "detail": "POST …/reset-password makes a new one",
    }
    fake.will("POST", f"/v1/stores/{ID}/credentials:claim", problem, status=410)
    done = run("stores", "claim", "shop")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "reset-password" in done.stderr


def test_a_login_link_alone_is_on_stdout(fake):
    assert run("stores", "login", "shop").stdout == f"{LINK}\n"
    assert json.loads(run("stores", "login", "shop", "--json").stdout) == {"url": LINK}


def test_a_new_token_alone_is_on_stdout(fake):
    fake.will("POST", "/v1/tokens", {**TOKEN, "token": "urumi_Abc123-rest"}, status=201)
    done = run("tokens", "create", "ci", "--scope", "stores:read", "--scope", "stores:write", "--days", "7")
    assert done.stdout == "urumi_Abc123-rest\n"
    assert "urumi_Abc123-rest" not in done.stderr
    sent = json.loads(fake.requests[-1].content)
    assert sent == {"name": "ci", "scopes": ["stores:read", "stores:write"], "expires_in_days": 7}


def test_a_token_may_read_only_unless_more_is_asked_for(fake):
    fake.will("POST", "/v1/tokens", {**TOKEN, "token": "urumi_Abc123-rest"}, status=201)
    run("tokens", "create", "ci")
    assert json.loads(fake.requests[-1].content)["scopes"] == ["stores:read"]


def test_tokens_are_listed_by_how_they_begin(fake):
    done = run("tokens", "list")
    assert re.search(r"ci +urumi_Abc123 +stores:read", done.stdout)
    assert json.loads(run("tokens", "list", "--json").stdout) == {"tokens": [TOKEN]}


@pytest.mark.parametrize("which", ["ci", TOKEN["id"], TOKEN["id"][:8]])
def test_a_token_is_revoked_by_name_or_id(fake, which):
    fake.answers["DELETE", f"/v1/tokens/{TOKEN['id']}"] = [httpx.Response(204)]
    assert run("tokens", "revoke", which).exit_code == 0
    assert fake.requests[-1].method == "DELETE"


def test_a_token_that_is_not_one_is_not_revoked(fake):
    fake.will("GET", "/v1/tokens", {"tokens": [TOKEN, {**TOKEN, "id": str(uuid.UUID(int=10))}]})
    for which in ("ci", "other"):
        assert run("tokens", "revoke", which).exit_code == 2
    assert {each.method for each in fake.requests} == {"GET"}


def test_the_administrator_is_who_the_agent_makes():
    php = (CHECKOUT / "images/store/lib/Store.php").read_text()
    assert re.findall(r"const ADMIN = '([^']*)'", php) == [ADMINISTRATOR]


@pytest.mark.parametrize("keys", ["", "short", f"{Fernet.generate_key().decode()},"])
def test_sealing_again_takes_keys_that_are_keys(fake, monkeypatch, keys):
    monkeypatch.setenv("URUMI_OPERATOR_DATABASE_URL", "postgresql+pg8000://o@127.0.0.1:1/none")
    monkeypatch.setenv("URUMI_CREDENTIALS_KEYS", keys or "x")
    done = run("keys", "seal-again")
    assert (done.exit_code, "Fernet keys" in done.stderr) == (1, True)
