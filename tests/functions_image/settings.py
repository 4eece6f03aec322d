"""Settings with which each function starts where nothing that it needs can be reached."""

from __future__ import annotations

import base64
import json

DATABASE_PORT = 5432
_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
_SHARED = {
    "DATABASE_URL": f"postgresql+pg8000://nobody:secret@127.0.0.1:{DATABASE_PORT}/urumi",
    "PUBSUB_PROJECT_ID": "nobody-listens",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
}
_CELL = {"URUMI_CELL": "local", "KUBECONFIG": "/tmp/kubeconfig"}  # noqa: S108 - in the instance
_SHOPS = {"URUMI_NEW_STORES_CELL": "local", "URUMI_BASE_DOMAIN": "shops.example"}
_IDENTITY = json.dumps({"kind": "ServiceAccount", "name": "provision", "namespace": "urumi-system"})
_CUSTOMERS = {
    **_SHOPS,
    "URUMI_CREDENTIALS_KEYS": _KEY,
    "URUMI_LOGIN_KEYS": json.dumps({"k1": base64.b64encode(bytes(32)).decode()}),
}
_OWN = {
    "create_store": _CUSTOMERS,
    "console": _CUSTOMERS,
    "provision": {
        **_CELL,
        "URUMI_CELL_IDENTITY": _IDENTITY,
        "URUMI_CREDENTIALS_KEYS": _KEY,
        "THREADS": "2",
    },
    "reconcile": {**_SHOPS, **_CELL},
    "billing_event": _SHOPS,
    "stripe_webhook": _SHOPS,
}
TARGETS = tuple(_OWN)


def settings(target: str) -> dict[str, str]:
    """All that this function needs to start."""
    return {"FUNCTION_TARGET": target, **_SHARED, **_OWN.get(target, {})}
