"""The schemas in `docs/schemas` are those of the code, and the examples in the documents fit them."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest

from control_plane.domain.billing import FactKind
from control_plane.domain.billing_events import decode
from dev.machine.place import CHECKOUT
from dev.schemas import FOLDER, texts

BILLING = (CHECKOUT / "docs" / "billing.md").read_text()
EXAMPLES = re.findall(r"```json\n(.*?)```", BILLING, re.DOTALL)


@pytest.mark.parametrize("name", texts())
def test_a_schema_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == texts()[name], "run `.venv/bin/python -m dev.schemas`"


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_a_billing_event_fits(example: str) -> None:
    schema = json.loads((FOLDER / "billing-event.schema.json").read_text())
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    event = json.loads(example)
    assert validator.is_valid(event)
    assert decode(example.encode()).event_id == event["id"]
    for path in (
        ["specversion"],
        ["type"],
        ["id"],
        ["source"],
        ["data", "customer"],
        ["data", "occurred_at"],
    ):
        broken = json.loads(example)
        *before, last = path
        del (broken[before[0]] if before else broken)[last]
        assert not validator.is_valid(broken), path


def test_every_type_is_described_in_the_order_of_its_rank() -> None:
    assert len(EXAMPLES) == 3
    for kind in FactKind:
        assert f"| `subscription.{kind}` |" in BILLING
    (rank,) = re.findall(r"^`trial_started` ·.*?\n\n", BILLING, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", rank) == list(FactKind)
