"""The OpenAPI 3.1 document, made of the table of routes and of the models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from control_plane.domain.accounts import Scope
from control_plane.domain.billing import Consequence, SubscriptionStatus
from control_plane.domain.errors import (
    CsrfError,
    ForbiddenError,
    IdempotencyMismatchError,
    RateLimitedError,
    RequestError,
    StaleError,
    UnauthenticatedError,
)
from control_plane.domain.life import Verb
from control_plane.domain.limits import MOST_TOKENS
from control_plane.domain.store import Hold, Notice, StoreState
from control_plane.entrypoints import FRAMEWORK_KINDS, PROBLEMS, status_of
from control_plane.orders import MAX_KEY_LENGTH, PurgeStore
from control_plane.plan_file import plans
from functions.create_store import views
from functions.create_store.asked import MAX_BODY_BYTES
from functions.create_store.route import Route
from functions.create_store.routes import ROUTES

Json = dict[str, Any]
TEMPLATES = Path(__file__).with_name("templates")
_S = HTTPStatus
_REF = "#/components/schemas/{model}"
_PATH_ID = re.compile(r"<(\w+)>")

_TAGS = {
    "Stores": "A store is one shop with an address of its own.",
    "Plans": "What a store may use, what that costs, and how long it is kept.",
    "Credentials": "Two ways into a store's administration: its password, or a link for one log-in.",
    "Tokens": "What programs show instead of a person. They belong to your account, not to a person.",
    "People": "Who signs in with a browser. What changes anything here takes a person, not an API token.",
}

_STATES = {
    StoreState.QUEUED: "ordered; nothing runs yet",
    StoreState.PROVISIONING: "being made",
    StoreState.READY: "shoppers can buy",
    StoreState.DEGRADED: "was READY; a part of it does not run just now, and is being brought back",
    StoreState.UPDATING: "a change is being brought in; the shop may be away for some seconds",
    StoreState.SUSPENDED: "off, with everything kept: somebody holds it, or it was deleted",
    StoreState.DELETING: "being removed",
    StoreState.DELETED: "gone",
    StoreState.FAILED: "given up, with a `reason`: retry or delete it",
}

_HOLDS = {
    Hold.OWNER: "you suspended it",
    Hold.BILLING: "it is not paid for",
    Hold.OPERATOR: "the platform's operators suspended it",
}

_NOTICES = {
    Notice.NONE: "nothing",
    Notice.PAST_DUE: "a payment failed, and the shop will be off if that stays so",
}

_SUBSCRIPTIONS = {
    SubscriptionStatus.NOT_BEGUN: "billing has not said yet that it begins",
    SubscriptionStatus.TRIALING: "a trial; nothing is to be paid yet",
    SubscriptionStatus.ACTIVE: "paid",
    SubscriptionStatus.PAST_DUE: "a payment failed",
    SubscriptionStatus.PAUSED: "nobody pays for a while, and the store is suspended",
    SubscriptionStatus.CANCELED: "somebody ended it; paying brings the store back until it is removed",
    SubscriptionStatus.EXPIRED: "it ended by itself; paying brings the store back until it is removed",
}

_CONSEQUENCES = {
    Consequence.NOTICE: "it runs on, and its administrators read that it is not paid for",
    Consequence.SUSPENDED: "it is off, with everything kept",
    Consequence.REMOVED: "it is removed for good",
}

_VERBS = {
    Verb.RENAME: "`PATCH` with `title`",
    Verb.MOVE: "`PATCH` with `name`",
    Verb.CHANGE_PLAN: "`PATCH` with `plan`",
    Verb.RESET_PASSWORD: "`POST …/reset-password`",
    Verb.SUSPEND: "`POST …/suspend`",
    Verb.RESUME: "`POST …/resume`",
    Verb.RETRY: "`POST …/retry`",
    Verb.DELETE: "`DELETE`",
    Verb.UNDELETE: "`POST …/undelete`",
    Verb.PURGE: "`POST …/purge`",
}

_SCOPES = {
    Scope.READ: "look at stores and their events",
    Scope.WRITE: "create, change and delete stores",
    Scope.RETRY: "try FAILED stores again",
    Scope.CREDENTIALS: "get into stores' administrations",
    Scope.TOKENS: "make, list and revoke API tokens",
}

_BEARER = (
    "An API token, made with `POST /v1/tokens`: `urumi_` and 43 characters. Or an OpenID Connect ID token of "
    "an issuer that this installation trusts, which has all scopes of its role. Operations name the scope "
    "that they need."
)

_HEADERS: dict[str, Json] = {
    "Idempotency-Key": {
        "description": "Any text of your choice that no other order has, such as a UUID. Sending the same "
        "key and body again within 24 hours gives the store that the first request made.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
        "example": "9d2f8e0c-1",
    },
    "If-Match": {
        "description": "The `ETag` of the store as you last read it: refuse if somebody else asked for "
        "something since. `*` or nothing: do it anyway.",
        "schema": {"type": "string", "format": "etag", "pattern": r'^(\*|"[0-9]{1,18}-[0-9a-f]{16}")$'},
        "example": "*",
    },
    "If-None-Match": {
        "description": "The `ETag` of what you have: the answer is 304 if it is still so.",
        "schema": {"type": "string"},
        "example": '"1-0123456789abcdef"',
    },
}

_ETAG: Json = {
    "description": "Names exactly this answer, for `If-None-Match`; that of a store for `If-Match`, too",
    "schema": {"type": "string", "pattern": '^"[0-9a-f-]+"$'},
    "required": True,
}
_LOCATION: Json = {
    "description": "The path of what was made",
    "schema": {"type": "string", "format": "uri-reference", "pattern": "^/v1/"},
    "required": True,
}
_NO_STORE: Json = {
    "description": "No cache may keep this answer",
    "schema": {"const": "no-store"},
    "required": True,
}
_RETRY_AFTER: Json = {
    "description": "Seconds to wait",
    "schema": {"type": "integer", "minimum": 1},
    "required": True,
}
_WWW_AUTHENTICATE: Json = {"schema": {"const": "Bearer"}, "required": True}


@dataclass(frozen=True)
class Kind:
    """One stable type of error."""

    status: HTTPStatus
    name: str
    title: str
    says: str

    @property
    def uri(self) -> str:
        """What programs compare."""
        return PROBLEMS + self.name


def _mistake(error: type[RequestError], says: str = "") -> Kind:
    return Kind(status_of(error), error.kind, error.title, says or (error.__doc__ or "").partition("\n")[0])


def _framework(status: HTTPStatus, says: str) -> Kind:
    name = FRAMEWORK_KINDS[status]
    return Kind(status, name, name.replace("-", " ").capitalize(), says)


_TOO_LARGE = _framework(_S.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {MAX_BODY_BYTES} bytes.")
_MEDIA_TYPE = _framework(_S.UNSUPPORTED_MEDIA_TYPE, "The body is not said to be `application/json`.")
_NOT_FOUND = _framework(_S.NOT_FOUND, "The path is none of this API's, as one with a line break in it.")
_INVALID = _mistake(
    RequestError, "A field, parameter or header is missing, unknown or wrong: `field` names it, if it is one."
)
_FORBIDDEN = _mistake(ForbiddenError, "What you showed does not have the scope that this needs.")
_LIMITED = _mistake(
    RateLimitedError, "Your account asks too often: wait as many seconds as `Retry-After` says."
)
_INTERNAL = Kind(
    _S.INTERNAL_SERVER_ERROR,
    "internal-error",
    "Something went wrong on our side",
    "A mistake of ours. It is logged under the id in `detail`.",
)
_UNAVAILABLE = Kind(
    _S.SERVICE_UNAVAILABLE,
    "unavailable",
    "The platform cannot answer right now",
    "A part of the platform is away. Send the same request again.",
)


def kinds_of(route: Route) -> list[Kind]:
    """Every type of error that the operation can answer with, by status."""
    found = [_INTERNAL]
    if route.body or route.query or {"If-Match", "Idempotency-Key"} & set(route.headers):
        found.append(_INVALID)
    if route.body:
        found += [_TOO_LARGE, _MEDIA_TYPE]
    if route.needs:
        found += [_mistake(UnauthenticatedError), _FORBIDDEN, _LIMITED, _UNAVAILABLE]
    if route.needs and route.method != "GET":
        found.append(_mistake(CsrfError))
    if "If-Match" in route.headers:
        found.append(_mistake(StaleError))
    if "Idempotency-Key" in route.headers:
        found.append(_mistake(IdempotencyMismatchError))
    if "<" in route.path:
        found.append(_NOT_FOUND)
    found += [_mistake(error) for error in route.problems]
    # What is about the thing comes before what is about the path.
    return sorted(found, key=lambda kind: (kind.status, kind is _NOT_FOUND, kind.name))


@cache
def document() -> Json:
    """All of it."""
    paths: dict[str, Json] = defaultdict(dict)
    for route in ROUTES:
        paths[path_of(route)][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Urumi API",
            "version": _version(),
            "summary": "Create and run WooCommerce shops",
            "description": _guide(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document came from"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": says} for name, says in _TAGS.items()],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": _BEARER}},
            "schemas": _schemas(),
        },
        "x-scopes": {scope.value: says for scope, says in _SCOPES.items()},
    }


def templates() -> Environment:
    """What the guide and the page are written in."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def path_of(route: Route) -> str:
    """The path as OpenAPI writes it."""
    return _PATH_ID.sub(r"{\1}", route.path)


def name_of(route: Route) -> str:
    """The operationId."""
    return str(route.handler.__name__)


def _guide() -> str:
    return (
        templates()
        .get_template("guide.md.j2")
        .render(
            accounts=plans().accounts,
            most_tokens=MOST_TOKENS,
            most_kib=MAX_BODY_BYTES // 1024,
            problems=PROBLEMS,
        )
    )


def _version() -> str:
    try:
        return metadata.version("urumi-control-plane")
    except metadata.PackageNotFoundError:  # the code alone was deployed
        return "unreleased"


def _operation(route: Route) -> Json:
    made: Json = {
        "operationId": name_of(route),
        "summary": route.summary,
        "description": route.says,
        "tags": [route.tag],
        "parameters": list(_parameters(route)),
        "responses": _responses(route),
    }
    if route.needs:
        made["description"] += f"\n\nNeeds the scope `{route.needs}`."
        made["security"] = [{"bearer": [route.needs.value]}]
        made["x-scope"] = route.needs.value
        if route.person:
            made["x-person"] = True
            made["description"] += " An API token cannot do it: it takes a person."
    else:
        made["security"] = []
    if route.body:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.body), "example": example_of(route.body)}},
        }
    return made


def _parameters(route: Route) -> Iterator[Json]:
    for name in _PATH_ID.findall(route.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The `id` of the {name.removesuffix('_id')}",
            "schema": {"type": "string", "format": "uuid"},
        }
    if route.query:
        schema = route.query.model_json_schema(schema_generator=_Plainly, ref_template=_REF)
        for name, found in schema["properties"].items():
            # A parameter that is not there is null to pydantic; nobody can write null into a query.
            one = next((each for each in found.get("anyOf", [found]) if each.get("type") != "null"), found)
            says = one.pop("description", "")
            if found.get("default") is not None:
                one["default"] = found["default"]
            yield {"name": name, "in": "query", "required": False, "description": says, "schema": one}
    for name in route.headers:
        yield {"name": name, "in": "header", "required": False, **_HEADERS[name]}


def _responses(route: Route) -> Json:
    success: Json = {"description": route.view.__doc__ if route.view else "Done.", "headers": {}}
    if route.view:
        success["content"] = {
            "application/json": {"schema": _ref(route.view), "example": example_of(route.view)}
        }
    if route.view and issubclass(route.view, views.Secret):
        success["headers"]["Cache-Control"] = _NO_STORE
    elif route.view:
        success["headers"]["ETag"] = _ETAG
    if route.makes:
        success["headers"]["Location"] = _LOCATION
        success["links"] = _links(route)
    found: Json = {str(route.status.value): success}
    if "If-None-Match" in route.headers:
        found["304"] = {
            "description": "Nothing has changed since you got that `ETag`.",
            "headers": {"ETag": _ETAG},
        }
    by_status: dict[HTTPStatus, list[Kind]] = defaultdict(list)
    for kind in kinds_of(route):
        by_status[kind.status].append(kind)
    for status, kinds in by_status.items():
        found[str(status.value)] = _problem(status, kinds)
    return found


def _problem(status: HTTPStatus, kinds: list[Kind]) -> Json:
    example = {"type": kinds[0].uri, "title": kinds[0].title, "status": status.value, "detail": kinds[0].says}
    schema = {
        **_ref(views.Problem),
        "properties": {
            "type": {"enum": [kind.uri for kind in kinds]},
            "status": {"const": status.value},
        },
    }
    headers = {"Cache-Control": _NO_STORE}
    if status in (_S.TOO_MANY_REQUESTS, _S.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = _RETRY_AFTER
    if status is _S.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _WWW_AUTHENTICATE
    return {
        "description": " · ".join(f"`{kind.name}` {kind.says}" for kind in kinds),
        "headers": headers,
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }


def _links(route: Route) -> Json:
    """From what was made to all that can be done with it."""
    below = f"{path_of(route)}/{{"
    links: Json = {}
    for other in ROUTES:
        path = path_of(other)
        if path.startswith(below):
            parameter = path.removeprefix(below).partition("}")[0]
            links[name_of(other)] = {
                "operationId": name_of(other),
                "parameters": {parameter: "$response.body#/id"},
                "description": other.summary,
            }
            if other.body is PurgeStore:
                links[name_of(other)]["requestBody"] = {"name": "$response.body#/name"}
    return links


def _listed(words: Mapping[Any, str]) -> str:
    return " · ".join(f"`{word}` {says}" for word, says in words.items())


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def example_of(model: type[BaseModel]) -> Any:
    """One thing that the model describes."""
    schema = model.model_json_schema(schema_generator=_Plainly)
    if "examples" in schema:
        return schema["examples"][0]
    return {
        name: found["examples"][0] if "examples" in found else found["default"]
        for name, found in schema["properties"].items()
    }


class _Plainly(GenerateJsonSchema):
    """Without titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _schemas() -> Json:
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(views.Problem, "serialization")]
    for route in ROUTES:
        if route.body:
            wanted.append((route.body, "validation"))
        if route.view:
            wanted.append((route.view, "serialization"))
    unique = list(dict.fromkeys(wanted))
    _, found = models_json_schema(unique, schema_generator=_Plainly, ref_template=_REF)
    schemas: Json = found["$defs"]
    for kind, words in (
        (StoreState, _STATES),
        (Hold, _HOLDS),
        (Notice, _NOTICES),
        (SubscriptionStatus, _SUBSCRIPTIONS),
        (Consequence, _CONSEQUENCES),
        (Verb, _VERBS),
        (Scope, _SCOPES),
    ):
        schemas[kind.__name__]["description"] = _listed(words)
    return dict(sorted(schemas.items()))
