"""A browser as far as tests need one: it reads pages, and sends the forms that are on them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse

Attributes = dict[str, str | None]
FORM = "application/x-www-form-urlencoded"


@dataclass
class Page(HTMLParser):
    """One answer, read."""

    answer: TestResponse
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    """What each form sends as it is, by where it is sent."""
    tags: list[tuple[str, Attributes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._form: dict[str, str] = {}
        self.feed(self.markup)

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def markup(self) -> str:
        return self.answer.get_data(as_text=True)

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.markup)).split())

    def action(self, ending: str) -> str:
        """Where the one form with this ending is sent."""
        (found,) = (each for each in self.forms if each.endswith(ending))
        return found

    @property
    def asks(self) -> set[str]:
        """The last parts of where its forms are sent."""
        return {each.rpartition("/")[2] for each in self.forms}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "form":
            assert given["method"] == "post"
            self._form = self.forms.setdefault(str(given["action"]), {})
        chosen = given.get("type") != "radio" or "checked" in given
        if tag == "input" and given.get("name") and chosen:
            self._form[str(given["name"])] = given.get("value") or ""


@dataclass
class Browser:
    """One that has signed in, or not."""

    client: Client
    cookie: str = ""

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.client.get(path, headers={**self._cookies, **headers}))

    def send(self, page: Page, ending: str, headers: Any = None, **typed: str | None) -> Page:
        """One of a page's forms, with what was typed; None: a field that is not sent."""
        action = page.action(ending)
        return self.post(action, {**page.forms[action], **typed}, headers)

    def post(self, path: str, fields: dict[str, Any], headers: Any = None) -> Page:
        data = urlencode({name: value for name, value in fields.items() if value is not None})
        sent = {**self._cookies, **(headers or {})}
        return Page(self.client.post(path, data=data, content_type=FORM, headers=sent))

    def follow(self, page: Page) -> Page:
        """Where it leads."""
        assert page.status == 303, page.text
        return self.get(page.answer.headers["Location"])

    @property
    def _cookies(self) -> dict[str, str]:
        return {"Cookie": f"__Host-session={self.cookie}"} if self.cookie else {}
