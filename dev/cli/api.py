"""The client of the platform's public API."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from dev.cli.failures import UNREACHABLE, CommandError
from dev.machine import environment
from dev.machine.place import Place

if TYPE_CHECKING:
    import httpx

SECONDS = 15.0
PAGE = 100


class NextStep(TypedDict):
    """What becomes of a store by itself: a notice, suspended or removed."""

    at: str
    then: str


class Subscription(TypedDict):
    """What billing says of a store."""

    id: str
    status: str
    since: str | None
    plan: str | None
    trial_ends_at: str | None
    next: NextStep | None
    note: str


class Store(TypedDict):
    """A store as the API shows it; times are RFC 3339."""

    id: str
    name: str
    title: str
    admin_email: str
    plan: str
    state: str
    reason: str | None
    generation: int
    observed_generation: int
    hostname: str
    address: str | None
    created_at: str
    updated_at: str
    ready_at: str | None
    holds: list[str]
    removal_at: str | None
    former_hostname: str | None
    former_until: str | None
    notice: str
    possible: list[str]
    subscription: NotRequired[Subscription | None]  # where one store alone is shown


class Price(TypedDict):
    """What a plan costs a month."""

    minor_units: int
    currency: str


class Plan(TypedDict):
    """What a store may use, and for how long it is kept."""

    name: str
    price: Price
    quota: dict[str, str]
    content_storage: str
    database_storage: str
    trial_days: int
    grace_days: int
    retention_days: int


class Event(TypedDict):
    """One line of a store's history."""

    at: str
    actor: str
    action: str
    from_state: str | None
    to_state: str | None
    generation: int
    reason: str | None


class Credentials(TypedDict):
    """How a store's administrator logs in."""

    user: str
    password: str


class LoginLink(TypedDict):
    """An address that lets a store's administrator in, once."""

    url: str


class Token(TypedDict, total=False):
    """An API token; `token` itself only when it is made."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    token: str


class UnreachableError(CommandError):
    """Nobody answers at the API's address."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNREACHABLE)


class Api:
    """Calls the API at `url` as the customer whose `token` it is. All methods raise CommandError."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        import httpx  # noqa: PLC0415 - 100 ms that `status` and `logs` need not pay

        self._errors = httpx.HTTPError
        self._url = url
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=SECONDS,
            trust_env=False,  # a proxy of the caller's cannot reach this machine's loopback
            verify=url.startswith("https:"),
            transport=transport,
        )

    @classmethod
    def from_environment(cls) -> Api:
        """URUMI_API_URL and URUMI_API_TOKEN, else what the place's environment file says."""
        known = {**environment.read(Place.from_environment()), **os.environ}
        url, token = known.get("URUMI_API_URL"), known.get("URUMI_API_TOKEN")
        if not url or not token:
            raise UnreachableError("the platform was never started here: `urumi up` starts it")
        return cls(url, token)

    def create(self, name: str, title: str, admin_email: str, plan: str | None, key: str | None) -> Store:
        """Ask for a store; `key` makes it safe to ask again."""
        body = {"name": name, "title": title, "admin_email": admin_email}
        if plan:
            body["plan"] = plan
        store: Store = self._call(
            "POST", "/v1/stores", json=body, headers={"Idempotency-Key": key} if key else {}
        )
        return store

    def stores(self, *, state: str | None = None, search: str | None = None) -> Iterator[Store]:
        """All stores that match, newest first, page by page."""
        query = {"state": state, "q": search, "limit": PAGE}
        cursor: str | None = None
        while True:
            wanted = {**query, "cursor": cursor}
            page = self._call("GET", "/v1/stores", params={k: v for k, v in wanted.items() if v is not None})
            yield from page["stores"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def show(self, store_id: str) -> Store:
        """One store."""
        store: Store = self._call("GET", f"/v1/stores/{store_id}")
        return store

    def delete(self, store_id: str) -> Store:
        """Ask for a store's deletion, which can be taken back for a while."""
        store: Store = self._call("DELETE", f"/v1/stores/{store_id}")
        return store

    def change(self, store_id: str, **changes: str) -> Store:
        """Ask for another title, name or plan."""
        store: Store = self._call("PATCH", f"/v1/stores/{store_id}", json=changes)
        return store

    def ask(self, store_id: str, verb: str, **body: str) -> Store:
        """Ask for what has a path of its own, such as `suspend`."""
        store: Store = self._call("POST", f"/v1/stores/{store_id}/{verb}", json=body or None)
        return store

    def plans(self) -> list[Plan]:
        """All that stores can be ordered with."""
        plans: list[Plan] = self._call("GET", "/v1/plans")["plans"]
        return plans

    def claim(self, store_id: str) -> Credentials:
        """The administrator's password, once."""
        claimed: Credentials = self._call("POST", f"/v1/stores/{store_id}/credentials:claim")
        return claimed

    def login_link(self, store_id: str) -> LoginLink:
        """A way in for a minute, and once."""
        link: LoginLink = self._call("POST", f"/v1/stores/{store_id}/login-link")
        return link

    def create_token(self, name: str, scopes: Sequence[str], days: int) -> Token:
        """A new API token, with the token itself."""
        body = {"name": name, "scopes": list(scopes), "expires_in_days": days}
        token: Token = self._call("POST", "/v1/tokens", json=body)
        return token

    def tokens(self) -> list[Token]:
        """Those that are neither revoked nor expired."""
        tokens: list[Token] = self._call("GET", "/v1/tokens")["tokens"]
        return tokens

    def revoke_token(self, token_id: str) -> None:
        """End a token."""
        self._call("DELETE", f"/v1/tokens/{token_id}")

    def events(self, store_id: str) -> list[Event]:
        """A store's history, newest last."""
        events: list[Event] = self._call("GET", f"/v1/stores/{store_id}/events")["events"]
        return events

    def find(self, id_or_name: str) -> Store:
        """A store by its id or its name; of several with one name the one that lives, else the newest."""
        try:
            return self.show(str(uuid.UUID(id_or_name)))
        except ValueError:
            named = [store for store in self.stores(search=id_or_name) if store["name"] == id_or_name]
        if not named:
            raise CommandError(f"there is no store {id_or_name!r}: `urumi stores list` shows all")
        return next((store for store in named if store["state"] != "DELETED"), named[0])

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = self._client.request(method, path, **request)
        except self._errors as error:
            raise UnreachableError(
                f"the API at {self._url} does not answer ({error or type(error).__name__}): "
                "`urumi up` starts it, `urumi status` shows what runs"
            ) from error
        if response.is_success:
            return response.json() if response.content else {}
        raise CommandError(_problem(response))


def _problem(response: httpx.Response) -> str:
    """What problem+json says, in one line."""
    try:
        problem = response.json()
        title, detail, field = (problem.get(key) for key in ("title", "detail", "field"))
    except (ValueError, AttributeError):
        return f"the API answered {response.status_code} without saying why: `urumi logs create_store`"
    text = ": ".join(str(part) for part in (title or f"status {response.status_code}", detail) if part)
    return f"{text} (field: {field})" if field else text
