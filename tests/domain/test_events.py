"""Messages: what we say can be read back, and nothing else can be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.errors import MalformedMessageError
from control_plane.domain.events import StoreIntent


@given(st.uuids(), st.integers(min_value=1, max_value=2**53))
def test_what_is_said_is_what_is_read(store_id: object, generation: int) -> None:
    intent = StoreIntent(store_id, generation)  # type: ignore[arg-type]
    assert StoreIntent.decode(intent.encode()) == intent
    assert set(json.loads(intent.encode())) == {"store_id", "generation", "schema_version"}


@given(st.binary() | st.text().map(str.encode) | st.from_type(object).map(lambda each: repr(each).encode()))
def test_anything_else_is_malformed_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        StoreIntent.decode(body)


@pytest.mark.parametrize(
    "fields",
    [{}, {"schema_version": 2}, {"schema_version": 1, "store_id": 7, "generation": 1}, [], None, "x"],
)
def test_json_that_is_not_an_intent_is_malformed(fields: object) -> None:
    with pytest.raises(MalformedMessageError):
        StoreIntent.decode(json.dumps(fields).encode())
