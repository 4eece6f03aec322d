"""What no schema can say of the API: how its cursors and tags look, and which stores there are.

`test_fuzzed_api.py` has it read.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

from control_plane.listing import write_cursor
from tests.builders import a_store

_MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC))

schemathesis.openapi.format(
    "cursor",
    st.builds(lambda at, store_id: write_cursor(a_store(created_at=at, id=store_id)), _MOMENTS, st.uuids()),
)
schemathesis.openapi.format("etag", st.just("*") | st.from_regex(r'\A"[1-9]-[0-9a-f]{16}"\Z'))
# Mostly stores that are there, so that verbs get further than to a 404.
_THERE = st.sampled_from(os.environ["FUZZED_STORES"].split(","))
schemathesis.openapi.format("uuid", st.one_of(st.uuids().map(str), _THERE, _THERE))
