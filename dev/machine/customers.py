"""The two made-up customers of a place: accounts in its database, and their API tokens."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass

from control_plane.domain.accounts import Scope
from control_plane.use_cases.create_token import digest_of, new_token, prefix_of
from dev.machine import database
from dev.machine.place import Place
from dev.machine.private_files import write_private

# The first sells stores, as tests and people with many of them do; the second is an ordinary customer.
_PLANS = ("partner", "standard")


@dataclass(frozen=True)
class Customer:
    """Somebody who may call the API."""

    id: str  # a uuid
    plan: str
    token: str  # in clear, for the Authorization header


def customers(place: Place) -> list[Customer]:
    """The place's customers, made at the first call."""
    path = place.data / "customers.json"
    if not path.exists():
        made = [Customer(str(uuid.uuid4()), plan, new_token()) for plan in _PLANS]
        write_private(path, json.dumps([asdict(one) for one in made], indent=2))
    return [Customer(**one) for one in json.loads(path.read_text())]


def register(place: Place, url: str) -> None:
    """Make their accounts and tokens in the database, where they are not there. `url` is an operator's."""
    connection = database.connect(url)
    try:
        for one in customers(place):
            connection.run(
                "INSERT INTO accounts (id, plan) VALUES (:id, :plan) ON CONFLICT DO NOTHING",
                id=one.id,
                plan=one.plan,
            )
            connection.run(
                "INSERT INTO tokens (id, account_id, name, prefix, digest, scopes)"
                " VALUES (:id, :id, 'of this place', :prefix, decode(:digest, 'hex'),"
                " CAST(:scopes AS text[])) ON CONFLICT DO NOTHING",
                id=one.id,
                prefix=prefix_of(one.token),
                digest=digest_of(one.token),
                scopes=[scope.value for scope in Scope],
            )
    finally:
        connection.close()
