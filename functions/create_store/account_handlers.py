"""One handler for each verb about an account's tokens and people: parse, one call, answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import flask

from control_plane import browsers
from control_plane.domain.accounts import Scope
from functions.create_store import asked
from functions.create_store.account_views import (
    MadeTokenView,
    Members,
    MemberView,
    Sessions,
    SessionView,
    Tokens,
    TokenView,
    WhoView,
)
from functions.create_store.answers import answer, nothing
from functions.create_store.callers import api, session, shown
from functions.create_store.models import ChangeMember, CreateToken


def create_token(request: flask.Request) -> flask.Response:
    """201, with the token, this once."""
    who = shown(request)
    new = CreateToken.parse(asked.body(request))
    expires_at = datetime.now(UTC) + timedelta(days=new.expires_in_days)
    made = api().create_token(who, new.name, new.scopes, expires_at, cause=asked.cause())
    view = MadeTokenView(**TokenView.of(made.kept).model_dump(), token=made.token)
    return answer(view, HTTPStatus.CREATED, f"/v1/tokens/{made.kept.id}")


def list_tokens(request: flask.Request) -> flask.Response:
    """Those that are neither revoked nor expired."""
    with api().accounts.enter(shown(request), Scope.TOKENS) as transaction:
        found = transaction.tokens.all()
    return answer(Tokens(tokens=[TokenView.of(each) for each in found]))


def revoke_token(request: flask.Request, token_id: str) -> flask.Response:
    """204; from now on nobody is known by it."""
    with api().accounts.enter(shown(request), Scope.TOKENS) as transaction:
        transaction.tokens.revoke(asked.token_id(token_id), transaction.caller.acting(asked.cause()))
    return nothing()


def show_session(request: flask.Request) -> flask.Response:
    """Who is asking, and what their page needs for changing anything."""
    secret = session(request)
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        caller, me, current = transaction.caller, transaction.people.me(), transaction.people.current()
    view = WhoView(
        account=caller.account,
        person=caller.person,
        email=me.email if me else None,
        name=me.name if me else None,
        role=caller.role,
        member=me.role if me else None,
        expires_at=current.expires_at if current else None,
        csrf_token=browsers.csrf_token(secret) if secret and current else None,
    )
    return answer(view)


def list_sessions(request: flask.Request) -> flask.Response:
    """One's own; an owner sees those of all members."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        found = transaction.people.sessions()
    return answer(Sessions(sessions=[SessionView.model_validate(each) for each in found]))


def end_session(request: flask.Request, session_id: str) -> flask.Response:
    """204; from now on nobody is known by it."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        actor = transaction.caller.acting(asked.cause())
        transaction.people.end_session(asked.session_id(session_id), actor)
    return nothing()


def list_members(request: flask.Request) -> flask.Response:
    """The account's people."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        found = transaction.people.members()
    return answer(Members(members=[MemberView.of(each) for each in found]))


def change_member(request: flask.Request, person_id: str) -> flask.Response:
    """An owner makes somebody an owner, or no longer one."""
    who = shown(request)
    change = ChangeMember.parse(asked.body(request))
    with api().accounts.enter(who, Scope.READ) as transaction:
        actor = transaction.caller.acting(asked.cause())
        member = transaction.people.set_role(asked.person_id(person_id), change.role, actor)
    return answer(MemberView.of(member))


def remove_member(request: flask.Request, person_id: str) -> flask.Response:
    """204; from now on they are nobody here."""
    with api().accounts.enter(shown(request), Scope.READ) as transaction:
        actor = transaction.caller.acting(asked.cause())
        transaction.people.remove(asked.person_id(person_id), actor)
    return nothing()
