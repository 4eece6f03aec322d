"""What is shown of an account's tokens and people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from control_plane.domain.accounts import ApiToken, Role, Scope
from control_plane.domain.people import Member, Membership
from functions.create_store.views import Secret, View, example

_TOKEN: dict[str, JsonValue] = {
    "id": "5b1f5f0e-8f43-4a53-9c0a-6a0a6f0b7c21",
    "name": "Our deployment",
    "prefix": "urumi_Jd93kQ",
    "scopes": ["stores:read", "stores:write"],
    "created_at": "2026-01-05T09:30:00Z",
    "expires_at": "2026-04-05T09:30:00Z",
    "last_used_at": None,
}
_MEMBER: dict[str, JsonValue] = {
    "id": "7c0a1f52-2f6e-4c6f-9d59-0f4a2c1d8e33",
    "role": "owner",
    "email": "owner@example.com",
    "name": "Anna Example",
    "joined_at": "2026-01-05T09:30:00Z",
}
_SESSION: dict[str, JsonValue] = {
    "id": "c1d0f9a4-3c52-4a51-8a4e-8f0a1e2d7b90",
    "person_id": "7c0a1f52-2f6e-4c6f-9d59-0f4a2c1d8e33",
    "role": "customer",
    "created_at": "2026-01-05T09:30:00Z",
    "seen_at": "2026-01-05T10:12:00Z",
    "expires_at": "2026-01-05T21:30:00Z",
    "browser": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "current": True,
}


class TokenView(View):
    """A token, without the token."""

    model_config = example(_TOKEN)

    id: UUID
    name: str
    prefix: Annotated[str, Field(description="The token's beginning")]
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="To the minute")]

    @classmethod
    def of(cls, token: ApiToken) -> TokenView:
        """In the order in which scopes are documented."""
        fields = {name: getattr(token, name) for name in cls.model_fields if name != "scopes"}
        return cls(**fields, scopes=[scope for scope in Scope if scope in token.scopes])


class MadeTokenView(TokenView, Secret):
    """A new token, shown this once."""

    model_config = example({**_TOKEN, "token": "urumi_Jd93kQ..."})

    token: Annotated[str, Field(description="For the Authorization header; it is not kept, so keep it")]


class Tokens(View):
    """Tokens that are neither revoked nor expired, newest first."""

    model_config = example({"tokens": [_TOKEN]})

    tokens: list[TokenView]


class WhoView(Secret):
    """Who is asking."""

    model_config = example(
        {
            "account": "11111111-1111-4111-8111-111111111111",
            "person": "7c0a1f52-2f6e-4c6f-9d59-0f4a2c1d8e33",
            "email": "owner@example.com",
            "name": "Anna Example",
            "role": "customer",
            "member": "owner",
            "expires_at": "2026-01-05T21:30:00Z",
            "csrf_token": "5f0c...",
        }
    )

    account: UUID
    person: Annotated[UUID | None, Field(description="Null for an API token")]
    email: Annotated[str | None, Field(description="As the person's issuer told it; not verified")]
    name: str | None
    role: Annotated[Role, Field(description="What they are to the platform")]
    member: Annotated[Membership | None, Field(description="What they are to the account")]
    expires_at: Annotated[datetime | None, Field(description="The session's end; null without a session")]
    csrf_token: Annotated[
        str | None, Field(description="For the header `X-CSRF-Token` of this session; null without one")
    ]


class SessionView(View):
    """A session of a browser."""

    model_config = example(_SESSION)

    id: UUID
    person_id: Annotated[UUID, Field(description="Whose it is")]
    role: Role
    created_at: datetime
    seen_at: Annotated[datetime, Field(description="To the minute; two hours later it has ended")]
    expires_at: Annotated[datetime, Field(description="Its end, however much it is used")]
    browser: Annotated[str, Field(description="What the browser called itself")]
    current: Annotated[bool, Field(description="Whether it is the one that asks")]


class Sessions(View):
    """Sessions that have not ended, newest first."""

    model_config = example({"sessions": [_SESSION]})

    sessions: list[SessionView]


class MemberView(View):
    """A person in an account."""

    model_config = example(_MEMBER)

    id: Annotated[UUID, Field(description="The person's")]
    role: Membership
    email: Annotated[str | None, Field(description="As the person's issuer told it; not verified")]
    name: str | None
    joined_at: datetime

    @classmethod
    def of(cls, member: Member) -> MemberView:
        """By the person's id, which is what paths have."""
        fields = {name: getattr(member, name) for name in cls.model_fields if name != "id"}
        return cls(id=member.person_id, **fields)


class Members(View):
    """The people of an account, who came first first."""

    model_config = example({"members": [_MEMBER]})

    members: list[MemberView]
