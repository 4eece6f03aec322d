"""The OpenAPI document says what the API does: all of it, and nothing else. The page shows all of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from uuid import UUID, uuid4

import pytest
import schemathesis
from werkzeug.test import Client, TestResponse

from control_plane.domain.accounts import ApiToken, Role, Scope
from control_plane.domain.billing import Consequence, SubscriptionStatus
from control_plane.domain.errors import DatabaseUnavailableError
from control_plane.domain.life import Verb
from control_plane.domain.limits import MOST_TOKENS
from control_plane.domain.store import Hold, Notice, StoreState
from control_plane.use_cases.create_token import digest_of
from tests.builders import CUSTOMER, LIMITS, TOKENS
from tests.fakes.accounts import FakeAccounts
from tests.fakes.tables import TokenRow
from tests.functions.documented import STORE_NAME, Operation, document, operations, validate
from tests.functions.people import ID_TOKENS, ids_for, meet, person_id
from tests.use_cases.platform import Platform

OPERATIONS = list(operations())
MINE = TOKENS[CUSTOMER]


@dataclass
class Try:
    """What a provocation has at hand."""

    api: Client
    platform: Platform
    operation: Operation
    patch: pytest.MonkeyPatch

    def store(self) -> UUID:
        """A store that is READY."""
        return self.platform.ready(STORE_NAME).id

    def path(self, store_id: UUID | None = None) -> str:
        """The operation's path with ids that exist."""
        ids: dict[str, object] = {}
        if "store_id" in self.operation.ids:
            ids["store_id"] = store_id or self.store()
        if "token_id" in self.operation.ids:
            ids["token_id"] = next(iter(self.platform.tables.tokens))
        if self.operation.person:
            meet(self.platform)
            ids |= ids_for(self.platform, self.operation.ids)
        return self.operation.at(**ids)

    def ask(self, token: str | None = MINE, path: str | None = None, **more: Any) -> TestResponse:
        """The operation, on something that exists."""
        return self.operation.ask(self.api, token, path or self.path(), **more)

    def token(self, *scopes: Scope) -> str:
        """A token of the customer with these scopes."""
        token, tables = f"urumi_{uuid4()}", self.platform.tables
        kept = ApiToken(uuid4(), "x", "urumi_", frozenset(scopes), tables.now, None, None)
        tables.tokens[kept.id] = TokenRow(CUSTOMER, digest_of(token), Role.CUSTOMER, kept)
        return token

    def entering_raises(self, error: Exception) -> None:
        """Whoever is asking meets this."""

        @contextmanager
        def enter(*_: object, **__: object) -> Iterator[None]:
            raise error
            yield

        self.patch.setattr(FakeAccounts, "enter", enter)


def _invalid(this: Try) -> TestResponse:
    if this.operation.example is not None:
        return this.ask(json={"colour": "red"})
    if "If-Match" in this.operation.headers:
        return this.ask(headers={"If-Match": "generation one"})
    return this.ask(path=f"{this.path()}?colour=red")


def _name_taken(this: Try) -> TestResponse:
    if this.operation.id == "change_store":
        return this.ask(json={"name": this.platform.create("cups").name})
    this.ask()
    return this.ask()


def _plan_too_small(this: Try) -> TestResponse:
    store = this.platform.create()
    this.platform.ask(store.id, Verb.CHANGE_PLAN, "business")
    this.platform.deliver(store.id)
    return this.ask(path=this.path(store.id), json={"plan": "standard"})


def _store_limit(this: Try) -> TestResponse:
    this.patch.setitem(LIMITS, "partner", LIMITS["partner"].model_copy(update={"live_stores": 0}))
    return this.ask()


def _token_limit(this: Try) -> TestResponse:
    for _ in range(MOST_TOKENS):
        this.token()
    return this.ask()


def _not_now(this: Try) -> TestResponse:
    """QUEUED has no password, lets nobody in and is not FAILED; what is DELETING takes no wishes."""
    store = this.platform.create()
    if this.operation.id in ("change_store", "suspend_store", "resume_store", "undelete_store"):
        this.platform.purge(store.id)
    return this.ask(path=this.path(store.id))


def _claimed(this: Try) -> TestResponse:
    path = this.path()
    this.ask(path=path)
    return this.ask(path=path)


def _key_reused(this: Try) -> TestResponse:
    headers = {"Idempotency-Key": "1"}
    this.ask(headers=headers)
    return this.ask(headers=headers, json={**(this.operation.example or {}), "name": "another"})


def _rate_limited(this: Try) -> TestResponse:
    path = this.path()
    account = this.platform.tables.accounts[CUSTOMER]
    account.requests_left, account.requests_at = 0.0, this.platform.tables.now
    return this.ask(path=path)


def _internal(this: Try) -> TestResponse:
    path = this.path()
    this.entering_raises(RuntimeError("unforeseen"))
    return this.ask(path=path)


def _unavailable(this: Try) -> TestResponse:
    path = this.path()
    this.entering_raises(DatabaseUnavailableError("away"))
    return this.ask(path=path)


def _unknown(this: Try) -> TestResponse:
    this.path()
    ids = dict.fromkeys(this.operation.ids, uuid4())
    return this.ask(path=this.operation.at(**ids))


def _last_owner(this: Try) -> TestResponse:
    this.path()
    body = {"json": {"role": "member"}} if this.operation.example else {}
    anna = person_id(this.platform, ID_TOKENS[CUSTOMER])
    return this.ask(path=this.operation.at(person_id=anna), **body)


# How to meet each type of error.
PROVOKED: dict[str, Callable[[Try], TestResponse]] = {
    "invalid-request": _invalid,
    "unauthenticated": lambda this: this.ask(token=None),
    "forbidden": lambda this: this.ask(token=this.token()),
    "not-found": lambda this: this.ask(path=this.operation.at(**dict.fromkeys(this.operation.ids, "%0a"))),
    "store-not-found": _unknown,
    "token-not-found": _unknown,
    "session-not-found": _unknown,
    "member-not-found": _unknown,
    "last-owner": _last_owner,
    "csrf": lambda this: this.ask(token=None, headers={"Cookie": "__Host-session=x"}),
    "name-taken": _name_taken,
    "store-limit": _store_limit,
    "token-limit": _token_limit,
    "not-now": _not_now,
    "plan-too-small": _plan_too_small,
    "claimed": _claimed,
    "stale": lambda this: this.ask(headers={"If-Match": '"99-0123456789abcdef"'}),
    "content-too-large": lambda this: this.ask(
        data=b'"' + b"x" * 70_000 + b'"', content_type="application/json"
    ),
    "unsupported-media-type": lambda this: this.ask(data=b"{}", content_type="text/plain"),
    "idempotency-key-reused": _key_reused,
    "rate-limited": _rate_limited,
    "internal-error": _internal,
    "unavailable": _unavailable,
}


def _named(operation: Operation) -> str:
    return operation.id


def test_the_document_is_valid_openapi_3_1() -> None:
    assert document()["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document()).validate()  # raises
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document())))
    assert references == set(document()["components"]["schemas"])


def test_the_document_covers_exactly_the_routes(api: Client) -> None:
    from functions.create_store.main import MAP
    from functions.create_store.routes import ROUTES

    routes = {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)) for route in ROUTES}
    assert {(each.method, each.path) for each in OPERATIONS} == routes
    assert len({each.id for each in OPERATIONS}) == len(ROUTES)
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in MAP.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert served - routes == {
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=_named)
def test_an_operation_can_be_understood_by_itself(operation: Operation) -> None:
    assert operation.spec["summary"]
    assert len(operation.spec["description"].split()) >= 12, "say what it does to whoever never heard of us"
    if operation.scope:
        assert f"`{operation.scope}`" in operation.spec["description"]
        assert operation.spec["security"] == [{"bearer": [operation.scope]}]
    else:
        assert operation.spec["security"] == []
    assert set(re.findall(r"{(\w+)}", operation.path)) == set(operation.ids)


def test_each_verb_and_each_hold_is_known_by_name_and_told() -> None:
    schemas = document()["components"]["schemas"]
    for kind in (Verb, Hold, Notice, StoreState, SubscriptionStatus, Consequence):
        found = schemas[kind.__name__]
        assert found["enum"] == [each.value for each in kind]
        assert all(f"`{each}`" in found["description"] for each in kind)


@pytest.mark.parametrize("operation", OPERATIONS, ids=_named)
def test_every_example_is_valid(operation: Operation) -> None:
    contents = [found.get("content", {}) for found in operation.spec["responses"].values()]
    contents.append(operation.spec.get("requestBody", {}).get("content", {}))
    for content in contents:
        for each in content.values():
            validate(each["schema"], each["example"])
    for parameter in operation.spec["parameters"]:
        if "example" in parameter:
            validate(parameter["schema"], parameter["example"])


def test_every_field_is_described_and_every_name_is_plain() -> None:
    for name, schema in document()["components"]["schemas"].items():
        assert schema["description"], name
        for field in schema.get("properties", {}):
            assert re.fullmatch("[a-z_]+", field)


@pytest.fixture
def trying(api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[[Operation], Try]:
    return lambda operation: Try(api, platform, operation, monkeypatch)


@pytest.mark.parametrize(
    ("operation", "status", "kind"),
    [(each, *kind) for each in OPERATIONS for kind in each.kinds],
    ids=lambda value: value.id if isinstance(value, Operation) else str(value),
)
def test_every_documented_error_is_met(
    trying: Callable[[Operation], Try], operation: Operation, status: int, kind: str
) -> None:
    answer = PROVOKED[kind](trying(operation))
    assert (answer.status_code, json.loads(answer.get_data())["type"].rpartition("/")[2]) == (status, kind)
    operation.assert_documented(answer)


def test_every_kind_of_error_is_documented_somewhere() -> None:
    assert {kind for each in OPERATIONS for _, kind in each.kinds} == set(PROVOKED)


# The fake notes when a token was used to the microsecond, so that a list of tokens is never the same.
@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if "If-None-Match" in each.headers and each.id != "list_tokens"],
    ids=_named,
)
def test_what_has_not_changed_is_304(trying: Callable[[Operation], Try], operation: Operation) -> None:
    this = trying(operation)
    path = this.path()
    first = this.ask(path=path)
    again = this.ask(path=path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    operation.assert_documented(again)


def test_links_lead_from_what_was_made_to_all_that_can_be_done_with_it() -> None:
    by_id = {each.id: each for each in OPERATIONS}
    for maker, name in (("create_store", "store_id"), ("create_token", "token_id")):
        links = by_id[maker].spec["responses"][str(by_id[maker].success)]["links"]
        assert {each["operationId"] for each in links.values()} == {
            each.id for each in OPERATIONS if name in each.ids
        }


def test_the_document_is_kept_by_its_tag(api: Client) -> None:
    first = api.get("/openapi.json")
    assert first.get_json() == document()
    assert first.headers["Content-Type"] == "application/json"
    again = api.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.leads: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action", "data", "poster", "srcset", "style"):
                self.leads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_tells_each_operation_type_and_error(api: Client) -> None:
    page = _Page(api.get("/docs").get_data(as_text=True))
    for operation in OPERATIONS:
        assert operation.id in page.ids
        assert f"{operation.method} {operation.path}" in page.text
        assert operation.spec["summary"] in page.text
        for _, kind in operation.kinds:
            assert kind in page.text
    for name, schema in document()["components"]["schemas"].items():
        assert name in page.ids
        assert all(field in page.text for field in schema.get("properties", {}))
    assert len(page.ids) == len(set(page.ids))


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(api: Client) -> None:
    answer = api.get("/docs")
    text = answer.get_data(as_text=True)
    page = _Page(text)
    assert page.leads
    for lead in page.leads:
        assert lead.startswith("#") or lead == "/openapi.json"
        assert not lead.startswith("#") or lead[1:] in page.ids
    assert not page.tags & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}
    assert page.handlers == []
    assert "url(" not in text
    assert "@import" not in text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_policy_allows_the_pages_own_style(api: Client) -> None:
    answer = api.get("/docs")
    style = answer.get_data(as_text=True).partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


def test_the_start_page_is_the_consoles(api: Client, console: Client) -> None:
    assert (api.get("/").status_code, console.get("/docs").status_code) == (404, 404)
    assert "Sign in" in console.get("/").get_data(as_text=True)
