"""The JSON Schemas of what others send us or read: `python -m dev.schemas` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from control_plane.domain import billing_events, plans, store_events
from dev.machine.place import CHECKOUT

FOLDER = CHECKOUT / "docs" / "schemas"
SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "billing-event": billing_events.schema,
    "plans": plans.schema,
    "store-event": store_events.schema,
}


def texts() -> dict[str, str]:
    """The files of the folder, by name."""
    return {f"{name}.schema.json": json.dumps(schema(), indent=2) + "\n" for name, schema in SCHEMAS.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
