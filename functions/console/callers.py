"""What every page begins with: the platform behind it, and who is in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import flask

from control_plane import bootstrap, browsers
from control_plane.bodies import form
from control_plane.domain.errors import RequestError
from control_plane.ports.customers import Shown
from control_plane.settings import ConsoleSettings, from_environment

SETTINGS = from_environment(ConsoleSettings)


def platform() -> bootstrap.Console:
    """What the pages call."""
    return bootstrap.console(SETTINGS)


@dataclass(frozen=True)
class Visitor:
    """A browser with a session. Whether that still counts only `Accounts` can tell.

    `proof` is what its forms carry, so that no other site's page can send them.
    """

    shown: Shown
    proof: str

    @classmethod
    def of(cls, request: flask.Request, proof: str | None = None) -> Visitor:
        """Raises UnauthenticatedError without a session, CsrfError."""
        secret = browsers.session(request, SETTINGS.public_url, proof)
        return cls(platform().recognise("", secret), browsers.csrf_token(secret or ""))


@dataclass(frozen=True)
class Sent:
    """A form that a page of ours sent: what was typed, without blanks around it."""

    visitor: Visitor
    fields: Mapping[str, str]

    @classmethod
    def by(cls, request: flask.Request) -> Sent:
        """Raises as `Visitor.of` does, and what `bodies.form` raises."""
        fields = form(request)
        visitor = Visitor.of(request, fields.pop("csrf", ""))
        return cls(visitor, {name: value.strip() for name, value in fields.items()})

    @property
    def generation(self) -> int:
        """The store's, when the page was made. Raises RequestError."""
        found = self.fields.get("generation", "")
        if not (found.isascii() and found.isdecimal() and len(found) <= 18):
            raise RequestError("the form has no generation: load its page again")
        return int(found)

    def only(self, *names: str) -> dict[str, str]:
        """Of these fields, those that were sent."""
        return {name: self.fields[name] for name in names if name in self.fields}
