"""Opening connections to Postgres: to the server that we mean, as whom we are.

Without a CA it is the driver's own way: a password, and TLS where the server offers it. With one, nothing is
said before the server has shown a certificate of that CA; and a URL without a password means Cloud SQL's IAM
database authentication, where the password is an access token (docs/decisions/0028).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from typing import Any

from pg8000.exceptions import InterfaceError
from sqlalchemy import Engine, create_engine, event

from control_plane.adapters.google_token import AccessToken, NoTokenError
from control_plane.adapters.postgres_connection import OneTripConnection
from control_plane.adapters.server_tls import trusting
from control_plane.domain.errors import DatabaseUnavailableError, MisconfiguredError

# A token that opens databases and nothing else: it is said to the database.
_SCOPE = "https://www.googleapis.com/auth/sqlservice.login"


def make_engine(url: str, ca: str | None, **options: Any) -> Engine:
    """An engine whose connections are opened as above; `ca` is PEM, of one certificate or more.

    Connecting raises MisconfiguredError for a server that is not of that CA, DatabaseUnavailableError where
    no token is to be had. `options` are SQLAlchemy's own.
    """
    engine = create_engine(url, **options)
    own = _Login(engine, ca) if ca else None

    def connect(_dialect: object, _record: object, args: Sequence[Any], settings: dict[str, Any]) -> Any:
        try:
            return OneTripConnection(*args, **settings, **(own.settings() if own else {}))
        except ssl.SSLCertVerificationError as error:
            raise MisconfiguredError(
                f"the database's certificate is not what URUMI_DATABASE_CA asks for: {error.verify_message}"
            ) from error
        except OSError as error:  # the driver has its own errors only from after the handshake on
            raise DatabaseUnavailableError(f"the database does not answer: {error}") from error
        except InterfaceError as error:
            if str(error) == "Server refuses SSL":  # or it hung up: the driver does not tell them apart
                raise DatabaseUnavailableError("the database does not speak TLS") from error
            raise

    event.listen(engine, "do_connect", connect)
    return engine


class _Login:
    """What is added to each connection where there is a CA."""

    def __init__(self, engine: Engine, ca: str) -> None:
        # A name must be in the certificate. An address never is on Cloud SQL, where the CA is the
        # instance's own and signs for no other.
        self._context = trusting(ca, name_matters=not _is_address(engine.url.host or ""))
        self._token = AccessToken(_SCOPE) if engine.url.password is None else None

    def settings(self) -> dict[str, Any]:
        """The driver's arguments. Raises DatabaseUnavailableError."""
        if self._token is None:
            return {"ssl_context": self._context}
        try:
            return {"ssl_context": self._context, "password": self._token()}
        except NoTokenError as error:
            raise DatabaseUnavailableError(f"no access token for the database: {error}") from error


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
