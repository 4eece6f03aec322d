"""The chart's values of one store: a pure function of the row and its plan."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from control_plane.domain.plans import Plan
from control_plane.domain.store import Store

NOTHING: Mapping[str, Any] = {}


def chart_values(
    store: Store,
    plan: Plan,
    credentials_secret: str,
    cell: Mapping[str, Any] = NOTHING,
    *,
    admin_secret: str = "",
) -> dict[str, Any]:
    """The values of `chart/` for the store's current generation.

    `cell` has whole top-level values that all stores of the cell share, such as the keys of login links;
    none of the store's own. `admin_secret` has the administrator's password after the first one, which is
    among the credentials. What is the store's is ASCII only, by construction.
    """
    return {
        **cell,
        "store": {
            "id": str(store.id),
            "generation": store.generation,
            "hostname": store.hostname.partition(":")[0],
            "address": store.address,
            "formerHostname": (store.former_hostname or "").partition(":")[0],
            # base64, so that no byte that a tenant typed meets YAML or a template.
            "title": _base64(store.title),
            "adminEmail": _base64(store.admin_email),
        },
        "credentials": {
            "secret": credentials_secret,
            "adminSecret": admin_secret,
            "adminNumber": store.admin_number,
        },
        "storefront": {
            "replicas": plan.replicas.storefront if store.runs else 0,
            "notice": store.notice,
            "web": {"resources": plan.web.as_values()},
            "agent": {"resources": plan.agent.as_values()},
            "storage": {"size": plan.content_storage},
        },
        "runtimeClass": plan.runtime_class,
        "database": {
            "replicas": plan.replicas.database if store.runs else 0,
            "resources": plan.database.as_values(),
            "storage": {"size": plan.database_storage},
        },
    }


def made_with(plan: Plan, cell: Mapping[str, Any] = NOTHING) -> str:
    """What a store's release was made with that is not the store's own: it changes when any of that does."""
    shared = json.dumps(cell, sort_keys=True, separators=(",", ":"))
    return f"{plan.digest}-{hashlib.sha256(shared.encode()).hexdigest()[:16]}"


def release_digest(chart_version: str, values: dict[str, Any]) -> str:
    """What identifies a release: the first half of SHA-256 over chart version and values, hexadecimal.

    It is a label of Helm's record too, and a label's value has 63 characters at most.
    """
    canonical = json.dumps([chart_version, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
