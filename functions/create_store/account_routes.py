"""The routes about an account's tokens and people."""

from __future__ import annotations

from http import HTTPStatus

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import (
    LastOwnerError,
    MemberNotFoundError,
    SessionNotFoundError,
    TokenLimitError,
    TokenNotFoundError,
)
from functions.create_store import account_handlers as handlers
from functions.create_store import account_views as views
from functions.create_store import models
from functions.create_store.route import Route

_S = HTTPStatus

ACCOUNT_ROUTES = (
    Route(
        "POST", "/v1/tokens", handlers.create_token, "Make an API token", "Tokens",
        _S.CREATED, views.MadeTokenView, Scope.TOKENS, body=models.CreateToken, problems=(TokenLimitError,),
        says="The answer holds the token, this once: only a digest of it is kept. A token can do no more "
        "than its scopes say, and nobody can give one a scope that they do not have themselves.",
    ),
    Route(
        "GET", "/v1/tokens", handlers.list_tokens, "List API tokens", "Tokens",
        _S.OK, views.Tokens, Scope.TOKENS, headers=("If-None-Match",),
        says="Those of your account that are neither revoked nor expired, newest first, each with its first "
        "characters and when it was last used.",
    ),
    Route(
        "DELETE", "/v1/tokens/<token_id>", handlers.revoke_token, "Revoke an API token", "Tokens",
        _S.NO_CONTENT, None, Scope.TOKENS, problems=(TokenNotFoundError,),
        says="At once: the next request with it is answered 401. Revoking a token again changes nothing. You "
        "can revoke the token that you are using.",
    ),
    Route(
        "GET", "/v1/session", handlers.show_session, "Who is asking", "People",
        _S.OK, views.WhoView, Scope.READ,
        says="The account, the person and the end of the session that the request came with, as far as there "
        "are any. A page in a browser reads its `csrf_token` here.",
    ),
    Route(
        "GET", "/v1/sessions", handlers.list_sessions, "List browser sessions", "People",
        _S.OK, views.Sessions, Scope.READ, person=True, headers=("If-None-Match",),
        says="Your own sessions that have not ended, newest first; an owner of the account sees those of all "
        "members.",
    ),
    Route(
        "DELETE", "/v1/sessions/<session_id>", handlers.end_session, "End a browser session", "People",
        _S.NO_CONTENT, None, Scope.READ, person=True, problems=(SessionNotFoundError,),
        says="At once: the next request with it is answered 401. Your own, and as an owner of the account "
        "those of all members. Ending one again changes nothing.",
    ),
    Route(
        "GET", "/v1/members", handlers.list_members, "List the people of the account", "People",
        _S.OK, views.Members, Scope.READ, person=True, headers=("If-None-Match",),
        says="Who came first is first. Whoever signs in to an account for the first time becomes its member, "
        "and the very first its owner. There are no invitations yet.",
    ),
    Route(
        "PATCH", "/v1/members/<person_id>", handlers.change_member, "Make somebody an owner, or not",
        "People",
        _S.OK, views.MemberView, Scope.READ, person=True, body=models.ChangeMember,
        problems=(MemberNotFoundError, LastOwnerError),
        says="Only an owner of the account may. The last owner stays one, so make somebody else an owner "
        "first.",
    ),
    Route(
        "DELETE", "/v1/members/<person_id>", handlers.remove_member, "Remove somebody from the account",
        "People",
        _S.NO_CONTENT, None, Scope.READ, person=True, problems=(MemberNotFoundError, LastOwnerError),
        says="Only an owner of the account may. All their sessions end at once, and signing in again does "
        "not bring them back. API tokens that they made belong to the account and go on: revoke those.",
    ),
)  # fmt: skip
