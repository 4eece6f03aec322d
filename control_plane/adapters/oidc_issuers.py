"""The OpenID Connect issuers whose ID tokens identify callers, as they are configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from control_plane.domain.accounts import Role

# Public keys only: with HMAC the verifier could sign, and with "none" anybody.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_THIS_MACHINE = ("localhost", "127.0.0.1")


def endpoint(url: str) -> str:
    """The URL as it is, if it is one of an issuer's documents. Raises ValueError."""
    parts = urlsplit(url)  # it drops some control characters, so look for them in what was written
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>#'):
        raise ValueError("write a URL without spaces, fragments or characters that URLs do not have")
    if parts.username is not None or parts.password is not None:
        raise ValueError("leave user and password out of the URL")
    if not parts.hostname or parts.port == 0:
        raise ValueError("write it as https://HOST or https://HOST/PATH")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        raise ValueError("write an https URL; http is for localhost and 127.0.0.1 only")
    return url


def _identifier(url: str) -> str:
    if "?" in url:
        raise ValueError("an issuer's URL has no query")
    return endpoint(url)


Claim = Annotated[str, Field(min_length=1, max_length=255)]


class Issuer(BaseModel):
    """An issuer, and what its tokens' claims mean here.

    Each claim is one at the top of the token, by its exact name. `roles` maps a value of `roles_claim`, a
    string or an array of strings, to a role here; who has several gets the one that may most, who has none
    is a customer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Annotated[str, AfterValidator(_identifier)]  # exactly as in the tokens' `iss`
    audience: Claim  # our client id there, exactly as in `aud`
    sign_in: bool = False  # whether browsers are sent there: with the first that has it
    algorithms: frozenset[Algorithm] = Field(frozenset({"RS256", "ES256"}), min_length=1)
    jwks_uri: Annotated[str, AfterValidator(endpoint)] | None = None  # None: as its discovery document says
    customer_claim: Claim = "sub"
    roles_claim: Claim | None = None
    roles: Mapping[str, Role] = Field(default_factory=dict)
    name_claim: Claim = "name"
    email_claim: Claim = "email"

    def __hash__(self) -> int:
        """By its name: settings are keys of caches, and `roles` is a dict, which has no hash."""
        return hash(self.issuer)

    @model_validator(mode="after")
    def _roles_are_from_somewhere(self) -> Self:
        if (self.roles_claim is None) != (not self.roles):
            raise ValueError("give `roles` and `roles_claim` together, or neither")
        return self


_ISSUERS = TypeAdapter(tuple[Issuer, ...])


def issuers_from_json(text: str) -> tuple[Issuer, ...]:
    """The issuers of a JSON array of objects with the fields of `Issuer`, in its order; `[]` is nobody.

    Raises ValueError, a sentence that names the place and never quotes what is there.
    """
    try:
        issuers = _ISSUERS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(
            f"write the OIDC issuers as a JSON array of objects; {place or 'it'}: {message}"
        ) from None
    if len({each.issuer for each in issuers}) < len(issuers):
        raise ValueError("name each OIDC issuer once: two of them have the same `issuer`")
    return issuers


def discovered(issuer: Issuer, uri: object, name: str = "jwks_uri") -> str:
    """An address of the issuer's discovery document, if it is fit to be followed. Raises ValueError."""
    if not isinstance(uri, str):
        raise ValueError(f"its discovery document has no {name}")  # noqa: TRY004 - one kind for all that is wrong
    if issuer.issuer.startswith("https:") and not uri.startswith("https:"):
        raise ValueError("its discovery document leads from https to something else")
    return endpoint(uri)
