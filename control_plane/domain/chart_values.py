"""The chart's values of one store: a pure function of the row and its plan."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from control_plane.domain.plans import Plan
from control_plane.domain.store import Store


def chart_values(store: Store, plan: Plan, credentials_secret: str) -> dict[str, Any]:
    """The values of `chart/` for the store's current generation. ASCII only, by construction."""
    return {
        "store": {
            "id": str(store.id),
            "generation": store.generation,
            "hostname": store.hostname.partition(":")[0],
            "address": store.address,
            # base64, so that no byte that a tenant typed meets YAML or a template.
            "title": _base64(store.title),
            "adminEmail": _base64(store.admin_email),
        },
        "credentials": {"secret": credentials_secret},
        "storefront": {
            "web": {"resources": plan.web.as_values()},
            "agent": {"resources": plan.agent.as_values()},
            "storage": {"size": plan.content_storage},
        },
        "database": {
            "resources": plan.database.as_values(),
            "storage": {"size": plan.database_storage},
        },
    }


def release_digest(chart_version: str, values: dict[str, Any]) -> str:
    """What identifies a release: the first half of SHA-256 over chart version and values, hexadecimal.

    It is a label of Helm's record too, and a label's value has 63 characters at most.
    """
    canonical = json.dumps([chart_version, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
