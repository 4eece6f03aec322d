"""Who may do what: every operation of the OpenAPI document, asked by its owner, a stranger and nobody.

A new operation is in this test by itself, and fails until it has a line in `STATES`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import Client, TestResponse

from control_plane.domain.accounts import ApiToken, Role, Scope
from control_plane.domain.life import Verb
from control_plane.domain.store import StoreState
from control_plane.use_cases.create_token import digest_of
from tests.builders import ACTOR, CUSTOMER, STRANGER, TOKENS
from tests.fakes.tables import TokenRow
from tests.functions.documented import STORE_NAME, Operation, operations
from tests.functions.people import ids_for, meet
from tests.use_cases.platform import Platform

OPERATIONS = list(operations())
GUARDED = [each for each in OPERATIONS if each.scope]
OF_A_THING = [each for each in GUARDED if each.ids]
MINE, STRANGERS = TOKENS[CUSTOMER], TOKENS[STRANGER]

# The store with which an operation succeeds; None: it is not about one.
STATES: dict[str, StoreState | None] = {
    "create_store": None,
    "list_stores": StoreState.READY,
    "show_store": StoreState.READY,
    "change_store": StoreState.READY,
    "delete_store": StoreState.READY,
    "suspend_store": StoreState.READY,
    "resume_store": StoreState.READY,
    "undelete_store": StoreState.READY,
    "purge_store": StoreState.READY,
    "retry_store": StoreState.FAILED,
    "claim_credentials": StoreState.READY,
    "make_login_link": StoreState.READY,
    "reset_password": StoreState.READY,
    "list_events": StoreState.READY,
    "list_plans": None,
    "create_token": None,
    "list_tokens": None,
    "revoke_token": None,
    "show_session": None,
    "list_sessions": None,
    "end_session": None,
    "list_members": None,
    "change_member": None,
    "remove_member": None,
}
# What its owner asked of it before.
BEFORE = {"resume_store": Verb.SUSPEND, "undelete_store": Verb.DELETE}


class Stage:
    """A platform with one customer's store and token, and what the operation is asked about."""

    def __init__(self, api: Client, platform: Platform, operation: Operation) -> None:
        assert operation.id in STATES, f"say in STATES with which store {operation.id} succeeds"
        self.api, self.platform, self.operation = api, platform, operation
        self.ids: dict[str, UUID] = {}
        if (state := STATES[operation.id]) is not None:
            self.ids["store_id"] = self._store(state)
        if "token_id" in operation.ids:
            self.ids["token_id"] = self.token(Scope.READ)[1]
        meet(platform)
        self.ids |= ids_for(platform, operation.ids)
        assert set(operation.ids) <= set(self.ids)

    def _store(self, state: StoreState) -> UUID:
        if state is not StoreState.FAILED:
            store = self.platform.ready(STORE_NAME)
            if before := BEFORE.get(self.operation.id):
                self.platform.ask(store.id, before)
            return store.id
        store, tables = self.platform.create(), self.platform.tables
        tables.write(tables.rows[store.id], ACTOR, "given up", state=state, reason="a test's")
        return store.id

    def token(self, *scopes: Scope) -> tuple[str, UUID]:
        """A token of the customer, and its id."""
        token, tables = f"urumi_{uuid4()}", self.platform.tables
        kept = ApiToken(uuid4(), "a test's", "urumi_", frozenset(scopes), tables.now, None, None)
        tables.tokens[kept.id] = TokenRow(CUSTOMER, digest_of(token), Role.CUSTOMER, kept)
        return token, kept.id

    def ask(self, token: str | None, **ids: UUID) -> TestResponse:
        """The operation, about what is there unless told otherwise."""
        return self.operation.ask(self.api, token, self.operation.at(**{**self.ids, **ids}))

    def everything(self) -> Any:
        """All that a refused request must leave as it is; that a token was used is noted."""
        tables = self.platform.tables
        tokens = {key: (row.account, row.digest, row.revoked) for key, row in tables.tokens.items()}
        kept = (tables.rows, tables.audit, tables.unclaimed, tables.keys, tables.account_audit)
        kept = (*kept, tables.of_people.members, tables.of_people.sessions)
        return copy.deepcopy((*kept, tokens, len(tables.outbox)))


@pytest.fixture
def stage(api: Client, platform: Platform) -> Callable[[Operation], Stage]:
    return lambda operation: Stage(api, platform, operation)


def _named(operation: Operation) -> str:
    return operation.id


def test_every_operation_is_in_the_matrix() -> None:
    assert {each.id for each in OPERATIONS} == set(STATES)


@pytest.mark.parametrize("operation", OPERATIONS, ids=_named)
def test_the_owner_succeeds(stage: Callable[[Operation], Stage], operation: Operation) -> None:
    answer = stage(operation).ask(MINE)
    assert answer.status_code == operation.success, answer.get_data(as_text=True)
    operation.assert_documented(answer)


@pytest.mark.parametrize("operation", [each for each in GUARDED if each.person], ids=_named)
def test_no_token_is_enough_for_what_takes_a_person(
    stage: Callable[[Operation], Stage], operation: Operation
) -> None:
    at = stage(operation)
    token, _ = at.token(*Scope)
    before = at.everything()
    answer = at.ask(token)
    assert answer.status_code == 403
    operation.assert_documented(answer)
    assert at.everything() == before


@pytest.mark.parametrize("operation", [each for each in GUARDED if not each.person], ids=_named)
def test_a_token_with_the_one_scope_is_enough(
    stage: Callable[[Operation], Stage], operation: Operation
) -> None:
    at = stage(operation)
    scopes = {operation.scope, *(operation.example or {}).get("scopes", [])}  # what it gives it must have
    answer = at.ask(at.token(*map(Scope, scopes))[0])
    assert answer.status_code == operation.success, answer.get_data(as_text=True)


@pytest.mark.parametrize("operation", GUARDED, ids=_named)
@pytest.mark.parametrize("token", [None, "urumi_nobodys", "eyJhbGciOiJub25lIn0.e30."])
def test_nobody_is_told_to_say_who_they_are(
    stage: Callable[[Operation], Stage], operation: Operation, token: str | None
) -> None:
    at = stage(operation)
    before = at.everything()
    answer = at.ask(token)
    assert answer.status_code == 401
    operation.assert_documented(answer)
    unknown = at.ask(token, **{name: uuid4() for name in operation.ids})
    assert answer.get_data() == unknown.get_data()
    assert at.everything() == before


@pytest.mark.parametrize("operation", GUARDED, ids=_named)
def test_all_scopes_but_the_needed_one_are_not_enough(
    stage: Callable[[Operation], Stage], operation: Operation
) -> None:
    at = stage(operation)
    token, _ = at.token(*(scope for scope in Scope if scope != operation.scope))
    before = at.everything()
    answer = at.ask(token)
    assert answer.status_code == 403
    assert operation.scope in answer.get_data(as_text=True)
    operation.assert_documented(answer)
    unknown = at.ask(token, **{name: uuid4() for name in operation.ids})
    assert answer.get_data() == unknown.get_data()
    assert at.everything() == before


@pytest.mark.parametrize("operation", OF_A_THING, ids=_named)
def test_a_strangers_thing_is_answered_like_one_that_does_not_exist(
    stage: Callable[[Operation], Stage], operation: Operation
) -> None:
    at = stage(operation)
    before = at.everything()
    answer = at.ask(STRANGERS)
    assert answer.status_code == 404
    operation.assert_documented(answer)
    (name,) = operation.ids
    nobodys = uuid4()
    unknown = at.ask(STRANGERS, **{name: nobodys})
    theirs = answer.get_data(as_text=True).replace(str(at.ids[name]), str(nobodys))
    assert unknown.get_data(as_text=True) == theirs
    assert {**answer.headers, "Content-Length": ""} == {**unknown.headers, "Content-Length": ""}
    assert at.everything() == before


@pytest.mark.parametrize(
    "operation", [each for each in GUARDED if not each.ids and each.method == "GET"], ids=_named
)
def test_a_list_holds_nothing_of_a_strangers(
    stage: Callable[[Operation], Stage], operation: Operation
) -> None:
    at = stage(operation)
    _, mine = at.token(Scope.READ)
    answer = at.ask(STRANGERS)
    assert answer.status_code == 200
    text = json.dumps(answer.get_json())
    assert not any(str(each) in text for each in (*at.ids.values(), mine))
