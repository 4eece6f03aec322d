"""What developers read: the OpenAPI document, and a page made of it. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

import flask
from markupsafe import Markup, escape

from control_plane.entrypoints import PROBLEMS
from control_plane.pages import Page
from functions.create_store import openapi
from functions.create_store.openapi import Json

_CODE = re.compile("`([^`]+)`")
_CODED = Markup("<code>{}</code>")
_KEPT = "public, max-age=300"


def show_document(request: flask.Request) -> flask.Response:
    """For programs."""
    return _static(request, *_document(), "application/json")


def show_page(request: flask.Request) -> flask.Response:
    """For people."""
    body, tag, policy = _page()
    answer = _static(request, body, tag, "text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


PAGES = (
    Page("GET", "/docs", show_page),
    Page("GET", "/openapi.json", show_document),
)


def _static(request: flask.Request, body: bytes, tag: str, content_type: str) -> flask.Response:
    answer = flask.make_response(body)
    answer.headers["Content-Type"] = content_type
    answer.headers["Cache-Control"] = _KEPT
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.set_etag(tag)
    answer.make_conditional(request)
    return answer


@cache
def _document() -> tuple[bytes, str]:
    body = json.dumps(openapi.document(), ensure_ascii=False).encode()
    return body, hashlib.sha256(body).hexdigest()[:16]


@cache
def _page() -> tuple[bytes, str, str]:
    style = (openapi.TEMPLATES / "docs.css").read_text()
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = openapi.templates()
    environment.filters.update(text=_text, json=_json)
    document = openapi.document()
    made = environment.get_template("docs.html.j2").render(
        document=document,
        style=Markup(style),  # noqa: S704 - our own file
        guide=_sections(document["info"]["description"]),
        groups=_groups(document),
        schemas={name: list(_fields(found)) for name, found in document["components"]["schemas"].items()},
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    body = made.encode()
    return body, hashlib.sha256(body).hexdigest()[:16], policy


def _text(text: str) -> Markup:
    """Text with what stands in backticks as code; nothing else of Markdown."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _sections(markdown: str) -> list[Json]:
    """The guide by its headings; the first has none."""
    sections: list[Json] = [{"title": "", "anchor": "", "paragraphs": []}]
    for block in markdown.strip().split("\n\n"):
        if block.startswith("## "):
            title = block.removeprefix("## ")
            anchor = re.sub("[^a-z]+", "-", title.lower())
            sections.append({"title": title, "anchor": anchor, "paragraphs": []})
        else:
            sections[-1]["paragraphs"].append(block)
    return sections


def _groups(document: Json) -> list[Json]:
    operations = [
        _operation(method, path, found)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
    ]
    return [
        {**tag, "operations": [each for each in operations if tag["name"] in each["tags"]]}
        for tag in document["tags"]
    ]


def _operation(method: str, path: str, found: Json) -> Json:
    responses = found["responses"]
    body = found.get("requestBody", {}).get("content", {}).get("application/json")
    return {
        **found,
        "method": method.upper(),
        "path": path,
        "anchor": found["operationId"],
        "body": body and {**body, "model": body["schema"]["$ref"].rpartition("/")[2]},
        "curl": _curl(method.upper(), path, found, body),
        "answers": [_answer(status, each) for status, each in responses.items() if status < "400"],
        "problems": [
            {"status": status, "name": name, "says": says}
            for status, each in responses.items()
            if status >= "400"
            for name, says in _kinds(each)
        ],
        "fields": [
            {**_field(each["name"], each["schema"], []), **_said(each)} for each in found["parameters"]
        ],
    }


def _said(parameter: Json) -> Json:
    return {
        "says": parameter["description"],
        "place": parameter["in"],
        "required": parameter["required"],
    }


def _answer(status: str, found: Json) -> Json:
    content = found.get("content", {}).get("application/json", {})
    return {
        "status": status,
        "phrase": HTTPStatus(int(status)).phrase,
        "says": found["description"],
        "headers": list(found.get("headers", {})),
        "model": content.get("schema", {}).get("$ref", "").rpartition("/")[2],
        "example": content.get("example"),
    }


def _kinds(problem: Json) -> Iterator[tuple[str, str]]:
    kinds = problem["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    for kind, said in zip(kinds, problem["description"].split(" · "), strict=True):
        name = kind.removeprefix(PROBLEMS)
        yield name, said.removeprefix(f"`{name}` ")


def _curl(method: str, path: str, found: Json, body: Json | None) -> str:
    """One command that works as it is in a shell that has the address, the token and the ids."""
    url = re.sub(r"\{(\w+)\}", lambda match: f"${match[1].upper()}", path)
    lines = ["curl -s" + (f" -X {method}" if method != "GET" and not (body and method == "POST") else "")]
    lines[0] += f' "$URUMI_API_URL{url}"'
    if found["security"]:
        shown = "URUMI_ID_TOKEN" if found.get("x-person") else "URUMI_API_TOKEN"
        lines.append(f'-H "Authorization: Bearer ${shown}"')
    key = next((each["example"] for each in found["parameters"] if each["name"] == "Idempotency-Key"), None)
    if key:
        lines.append(f'-H "Idempotency-Key: {key}"')
    if body:
        lines.append('-H "Content-Type: application/json"')
        lines.append(f"-d {shlex.quote(_json(body['example']))}")
    return " \\\n  ".join(lines)


def _fields(schema: Json) -> Iterator[Json]:
    # What an answer has it always has: only of what is sent it says something that a field is required.
    required = schema.get("required", []) if schema.get("additionalProperties") is False else []
    for name, found in schema.get("properties", {}).items():
        yield _field(name, found, required)


def _field(name: str, found: Json, required: list[str]) -> Json:
    one = next((each for each in found.get("anyOf", [found]) if each.get("type") != "null"), found)
    items = one.get("items", {})
    model = (one.get("$ref") or items.get("$ref") or "").rpartition("/")[2]
    return {
        "name": name,
        "says": found.get("description") or one.get("description", ""),
        "type": one.get("type", "") or ("" if model else "string"),
        "model": model,
        "limits": list(_limits(one, nullable=one is not found)),
        "required": name in required,
    }


def _limits(found: Json, *, nullable: bool) -> Iterator[Markup]:
    words = {
        "format": "{}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minItems": "at least {}",
        "pattern": "<code>{}</code>",
    }
    for key, word in words.items():
        if key in found:
            yield Markup(word).format(found[key])  # noqa: S704 - `format` escapes what it puts in
    if "enum" in found:
        yield "one of " + Markup(", ").join(_CODED.format(each) for each in found["enum"])
    if "default" in found:
        yield "default " + _CODED.format(json.dumps(found["default"]))
    if nullable:
        yield Markup("may be null")
