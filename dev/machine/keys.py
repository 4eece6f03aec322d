"""The keys of a place: what seals administrators' passwords, and what signs log-in links."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dev.machine.place import Place
from dev.machine.private_files import write_private


@dataclass(frozen=True)
class Keys:
    """In the forms in which the functions read them."""

    sealing: str  # Fernet keys, comma-separated
    login: Mapping[str, str]  # Ed25519 seeds in base64, by key id

    @property
    def public(self) -> dict[str, str]:
        """What stores know of the keys that sign log-in links: the public halves, by key id."""
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - 60 ms, rarely needed

        found = {}
        for kid, seed in self.login.items():
            key = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))
            found[kid] = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return found


def keys(place: Place) -> Keys:
    """The place's keys, made at the first call."""
    path = place.data / "keys.json"
    if not path.exists():
        sealing = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        seed = base64.b64encode(secrets.token_bytes(32)).decode()
        write_private(path, json.dumps(asdict(Keys(sealing, {secrets.token_hex(4): seed})), indent=2))
    return Keys(**json.loads(path.read_text()))
