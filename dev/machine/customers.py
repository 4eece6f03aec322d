"""The two made-up customers of a place, and the tokens file by which the API knows them."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.machine.place import Place
from dev.machine.private_files import write_private


@dataclass(frozen=True)
class Customer:
    """Somebody who may call the API."""

    id: str  # a uuid
    token: str  # in clear, for the Authorization header


def customers(place: Place) -> list[Customer]:
    """The place's customers, made at the first call."""
    path = place.data / "customers.json"
    if not path.exists():
        made = [Customer(str(uuid.uuid4()), secrets.token_urlsafe(32)) for _ in range(2)]
        write_private(path, json.dumps([asdict(one) for one in made], indent=2))
    return [Customer(**one) for one in json.loads(path.read_text())]


def tokens_file(place: Place) -> Path:
    """The file for create_store: sha256 of each token, in hex, to the customer's id."""
    path = place.data / "tokens.json"
    known = {hashlib.sha256(one.token.encode()).hexdigest(): one.id for one in customers(place)}
    write_private(path, json.dumps(known, indent=2))
    return path
