"""The commands of an operator about people and accounts, and the address that signs a browser in."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from control_plane import bootstrap
from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.registry import ERASED_ADDRESS, AccountSummary, Erased, Link, RegistryError
from control_plane.use_cases.create_token import digest_of
from dev.cli import main, operators
from dev.machine import environment, functions
from dev.machine.customers import customers
from dev.machine.place import Place

ID, PERSON = uuid.UUID(int=1), uuid.UUID(int=2)
SUMMARY = AccountSummary(
    ID,
    "standard",
    datetime(2026, 1, 1, tzinfo=UTC),
    3,
    2,
    (Link("billing", "stripe", "cus_1"),),
    ((PERSON, "owner"),),
)


class FakeRegistry:
    """The `Registry` port: notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.error = None

    def let_sign_in(self, account, digest, operator):
        assert "@" in operator.name
        self.note("let_sign_in", account, digest)

    def erase(self, who, operator):
        self.note("erase", who, operator.name, operator.reason)
        return Erased(PERSON, 1, 2)

    def link(self, account, system, customer, operator):
        self.note("link", account, system, customer, operator.name)

    def account(self, account):
        self.note("account", account)
        return SUMMARY

    def note(self, *what):
        self.asked.append(what)
        if self.error:
            raise self.error


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    monkeypatch.delenv("URUMI_OPERATOR_DATABASE_URL", raising=False)
    place = Place(tmp_path)
    values = {"URUMI_CONSOLE_URL": "http://localhost:8086", "URUMI_OPERATOR_DATABASE_URL": "a-url"}
    environment.write(place, values)
    return place


@pytest.fixture
def registry(monkeypatch):
    fake = FakeRegistry()
    monkeypatch.setattr(bootstrap, "registry", lambda url: fake if url == "a-url" else None)
    return fake


def run(*words):
    return CliRunner().invoke(main.app, list(words))


def test_signin_prints_an_address_whose_secret_only_whoever_asked_has(place, registry):
    done = run("signin")
    (address,) = done.stdout.splitlines()
    start, _, secret = address.partition("?token=")
    assert start == "http://localhost:8086/signin/once"
    assert len(secret) == 43
    assert registry.asked == [("let_sign_in", uuid.UUID(customers(place)[0].id), digest_of(secret))]
    assert secret not in done.stderr
    assert not [each for each in place.root.rglob("*") if each.is_file() and secret in each.read_text()]
    assert run("signin").stdout != done.stdout


def test_signin_of_a_named_account(place, registry):
    assert run("signin", "--account", str(ID)).exit_code == 0
    assert registry.asked[0][1] == ID
    registry.error = RegistryError("there is no account")
    failed = run("signin", "--account", str(ID))
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert run("signin", "--account", "mine").exit_code == 2


def test_a_place_from_before_there_was_a_console_is_told_to_start_it(place, registry):
    environment.write(place, {"URUMI_OPERATOR_DATABASE_URL": "a-url"})
    done = run("signin")
    assert (done.exit_code, done.stdout, registry.asked) == (3, "", [])
    assert "`urumi up`" in done.stderr


def test_a_browser_is_sent_where_it_keeps_secure_cookies():
    assert functions.public_url("http://127.0.0.1:8086") == "http://localhost:8086"


@pytest.mark.parametrize("name", ["console", "create_store", "provision"])
def test_who_has_a_place_in_browsers_is_told_where(name):
    told = {"URUMI_PUBLIC_URL": "http://localhost:9000"}
    assert functions.public(name, 9000) == (told if name in functions.IN_BROWSERS else {})
    assert set(functions.IN_BROWSERS) == {"console", "create_store"}


def test_erase_names_a_person_by_id_or_address(place, registry):
    done = run("people", "erase", "anna@example.com", "--as", "ops", "--reason", "a letter", "--yes")
    assert done.exit_code == 0
    assert str(PERSON) in done.stdout
    assert f"2 stores had their address; they have {ERASED_ADDRESS} now" in done.stdout
    assert "anna" not in done.stdout
    run("people", "erase", str(PERSON), "--as", "ops", "-y")
    assert registry.asked == [
        ("erase", "anna@example.com", "ops", "a letter"),
        ("erase", PERSON, "ops", None),
    ]
    assert run("people", "erase", "anna", "-y").exit_code == 2


def test_link_and_show(place, registry):
    done = run("accounts", "link", str(ID), "--billing", "stripe", "cus_1", "--as", "ops")
    assert (done.exit_code, registry.asked) == (0, [("link", ID, "stripe", "cus_1", "ops")])
    shown = run("accounts", "show", str(ID))
    for each in (str(ID), "standard", "stripe", "cus_1", str(PERSON), "owner"):
        assert each in shown.stdout
    told = json.loads(run("accounts", "show", str(ID), "--json").stdout)
    assert told["links"] == [{"kind": "billing", "issuer": "stripe", "customer": "cus_1"}]
    assert told["members"] == [{"person": str(PERSON), "role": "owner"}]


@pytest.mark.parametrize(
    ("error", "code"), [(RegistryError("no such"), 1), (DatabaseUnavailableError("away"), 3)]
)
def test_what_goes_wrong_is_one_line(place, registry, error, code):
    registry.error = error
    for words in (("signin",), ("accounts", "show", str(ID)), ("people", "erase", str(ID), "-y")):
        done = run(*words)
        assert (done.exit_code, done.stdout) == (code, "")
        assert done.stderr.splitlines()[-1].startswith("error: ")


def test_where_nothing_was_started_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    monkeypatch.delenv("URUMI_OPERATOR_DATABASE_URL", raising=False)
    for words in (("signin",), ("accounts", "show", str(ID)), ("people", "erase", str(ID), "-y")):
        done = run(*words)
        assert done.exit_code == 3
        assert "`urumi up`" in done.stderr
    assert operators.an_id(str(ID)) == ID
