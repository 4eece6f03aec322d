"""The API's own document, for the tests that are made of it: a new route is in them by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from werkzeug.test import Client, TestResponse

from control_plane import settings
from tests.builders import TOKENS
from tests.functions.people import ID_TOKENS

Json = dict[str, Any]

STORE_NAME = "my-first-store"  # which the example of a body that names a store means


@cache
def document() -> Json:
    """As it is served. Made without settings, and leaving nothing imported that needs some."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "from_environment", lambda _kind: None)
        from functions.create_store import docs_page

        made: Json = json.loads(docs_page._document()[0])
    for name in {each for each in sys.modules if each.startswith("functions.create_store")} - before:
        del sys.modules[name]
    return made


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    spec: Json

    @property
    def scope(self) -> str | None:
        """The scope that it needs."""
        found: str | None = self.spec.get("x-scope")
        return found

    @property
    def person(self) -> bool:
        """Whether an API token is not enough."""
        return bool(self.spec.get("x-person"))

    @property
    def ids(self) -> list[str]:
        """The names of the ids in its path."""
        return [each["name"] for each in self.spec["parameters"] if each["in"] == "path"]

    @property
    def headers(self) -> set[str]:
        """The headers that it reads."""
        return {each["name"] for each in self.spec["parameters"] if each["in"] == "header"}

    @property
    def success(self) -> int:
        """The status of its success."""
        return int(min(self.spec["responses"]))

    @property
    def example(self) -> Json | None:
        """The example of a body."""
        body = self.spec.get("requestBody")
        return body["content"]["application/json"]["example"] if body else None

    @property
    def kinds(self) -> list[tuple[int, str]]:
        """Each status with each type of error that it may have."""
        return [
            (int(status), kind.rpartition("/")[2])
            for status, found in self.spec["responses"].items()
            if status >= "400"
            for kind in found["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
        ]

    def at(self, **ids: object) -> str:
        """Its path, with these ids."""
        return self.path.format(**ids)

    def ask(self, api: Client, token: str | None, path: str | None = None, **more: Any) -> TestResponse:
        """Send it, with the example as its body."""
        headers = more.pop("headers", {})
        if self.person:  # whoever has this token is somebody
            token = {TOKENS[account]: shown for account, shown in ID_TOKENS.items()}.get(token or "", token)
        if token:
            headers = {"Authorization": f"Bearer {token}", **headers}
        if self.example is not None and "data" not in more:
            more.setdefault("json", self.example)
        return api.open(path or self.path, method=self.method, headers=headers, **more)

    def assert_documented(self, answer: TestResponse) -> None:
        """The status, the headers and the body are what the document says."""
        told = self.spec["responses"].get(str(answer.status_code))
        assert told, f"{answer.status_code} is not documented: {answer.get_data(as_text=True)}"
        for name, header in told.get("headers", {}).items():
            assert name in answer.headers, f"{name} is documented, and not there"
            text = answer.headers[name]
            validate(header["schema"], int(text) if header["schema"].get("type") == "integer" else text)
        if "content" not in told:
            assert answer.get_data() == b""
            return
        ((media_type, content),) = told["content"].items()
        assert answer.mimetype == media_type
        validate(content["schema"], json.loads(answer.get_data()))


def operations() -> Iterator[Operation]:
    """All of them."""
    for path, methods in document()["paths"].items():
        for method, spec in methods.items():
            yield Operation(spec["operationId"], method.upper(), path, spec)


def validate(schema: Json, value: object) -> None:
    """Raises jsonschema_rs.ValidationError."""
    whole = {**schema, "components": document()["components"]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)
