"""Who logs in to a place's database: the owner, who migrates, and a user for each function and for operators.

What each may do is granted to group roles by the migrations (`urumi_provision` and so on); the users
are their members, with passwords of their own. On the place's own server its superuser makes them all.
On a server that DATABASE_URL names, the user given there owns the schema and makes the other users,
whose names end with the place's own suffix, because other places may use that server too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dev.machine import database
from dev.machine.errors import MachineError
from dev.machine.place import Place
from dev.machine.private_files import write_private

if TYPE_CHECKING:
    import pg8000.native

OWNER = "urumi_owner"
USERS = ("create_store", "provision", "reconcile", "billing_event", "console", "operator")
_MAY_NOT = "42501"  # insufficient_privilege

# What was made before there was an owner is handed over, so that a place need not begin anew.
_HAND_OVER = """
DO $$ DECLARE
    change text;
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO {owner}', current_database());
    FOR change IN
        SELECT format('ALTER TABLE %s OWNER TO {owner}', oid::regclass) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
            AND relowner <> '{owner}'::regrole
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO {owner}', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proowner <> '{owner}'::regrole
    LOOP
        EXECUTE change;
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class _Logins:
    """What the place remembers of its users."""

    suffix: str
    passwords: Mapping[str, str]
    servers: tuple[str, ...] = ()  # URLs of others' servers on which users were made

    def name(self, user: str) -> str:
        return OWNER if user == OWNER else f"urumi_{user}_{self.suffix}"


def take_over(place: Place, url: str) -> str:
    """Make the owner of a database of the place's own server, hand it over, and return the owner's URL.

    `url` is the superuser's. Raises MachineError.
    """
    logins = _logins(place)
    with _session(url) as session:
        _make_user(session, logins, OWNER, "CREATEROLE")
        session.run(_HAND_OVER.format(owner=OWNER))
    return _url_of(url, logins, OWNER)


def let_in(place: Place, url: str, *, given: bool) -> None:
    """Make the users that work in a migrated database, or set their passwords again. Raises MachineError.

    `url` is that of whoever may make users; `given` says that the server is not the place's own.
    """
    logins = _logins(place)
    if given and url not in logins.servers:
        logins = replace(logins, servers=(*logins.servers, url))
        _write(place, logins)  # before they are made, so that `forget` finds them
    with _session(url) as session:
        for user in USERS:
            _make_user(session, logins, user, "")
            session.run(f"GRANT urumi_{user} TO {logins.name(user)}")


def urls(place: Place, url: str) -> dict[str, str]:
    """The URL with which each of `USERS` comes to the database that `url` leads to."""
    logins = _logins(place)
    return {user: _url_of(url, logins, user) for user in USERS}


def forget(place: Place) -> list[str]:
    """Remove the place's users from the servers of others; returns those that could not be, and why."""
    if not _file(place).exists():
        return []
    logins = _logins(place)
    left = []
    for url in logins.servers:
        try:
            with _session(url) as session:
                for user in USERS:
                    session.run(f"DROP ROLE IF EXISTS {logins.name(user)}")
        except MachineError as error:
            names = ", ".join(logins.name(user) for user in USERS)
            left.append(f"{names} at {database.address(url)}: {error}")
    return left


@contextmanager
def _session(url: str) -> Iterator[pg8000.native.Connection]:
    """One connection of somebody who may make users; what the server refuses becomes a MachineError."""
    from pg8000.exceptions import DatabaseError, InterfaceError  # noqa: PLC0415 - 40 ms, rarely needed

    try:
        connection = database.connect(url)
        try:
            yield connection
        finally:
            connection.close()
    except (DatabaseError, InterfaceError, OSError) as error:
        advice = f"; {_advice(url)}" if database.code(error) == _MAY_NOT else ""
        said = f"the users of the database at {database.address(url)} cannot be changed"
        raise MachineError(f"{said}: {database.reason(error)}{advice}") from error


def _advice(url: str) -> str:
    me, groups = database.user(url), ", ".join(f"urumi_{user}" for user in USERS)
    return (
        f"let an administrator run `ALTER ROLE {me} CREATEROLE`, "
        f"and from PostgreSQL 16 on `GRANT {groups} TO {me} WITH ADMIN OPTION`"
    )


def _make_user(session: pg8000.native.Connection, logins: _Logins, user: str, attributes: str) -> None:
    name = logins.name(user)
    known = session.run("SELECT FROM pg_roles WHERE rolname = :name", name=name)
    # The server gets what it would keep of the password, so that no log of statements has it.
    verb, kept = "ALTER" if known else "CREATE", _scram(logins.passwords[user])
    session.run(f"{verb} ROLE {name} LOGIN {attributes} PASSWORD '{kept}'")


def _scram(password: str) -> str:
    """What PostgreSQL stores of a password (RFC 5803), computed here."""
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)

    def key(name: bytes) -> bytes:
        return hmac.digest(salted, name, "sha256")

    stored = hashlib.sha256(key(b"Client Key")).digest()
    texts = [base64.b64encode(each).decode() for each in (salt, stored, key(b"Server Key"))]
    return f"SCRAM-SHA-256${rounds}:{texts[0]}${texts[1]}:{texts[2]}"


def _url_of(url: str, logins: _Logins, user: str) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{logins.name(user)}:{logins.passwords[user]}@{address}").geturl()


def _logins(place: Place) -> _Logins:
    if not _file(place).exists():
        passwords = {user: secrets.token_hex(24) for user in (OWNER, *USERS)}
        _write(place, _Logins(secrets.token_hex(4), passwords))
    known = json.loads(_file(place).read_text())
    logins = _Logins(known["suffix"], known["passwords"], tuple(known["servers"]))
    if new := {user: secrets.token_hex(24) for user in USERS if user not in logins.passwords}:
        logins = replace(logins, passwords={**logins.passwords, **new})
        _write(place, logins)
    return logins


def _write(place: Place, logins: _Logins) -> None:
    write_private(_file(place), json.dumps(asdict(logins), indent=2))


def _file(place: Place) -> Path:
    return place.data / "database-users.json"
