"""The chart's values: pure, plain ASCII, and their digest tells releases apart."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.chart_values import chart_values, release_digest
from control_plane.domain.plans import STANDARD
from tests.builders import a_store


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable() or "\x7f" in text))
def test_a_title_travels_whole_and_touches_nothing_else(title: str) -> None:
    values = chart_values(replace(a_store(), title=title), STANDARD, "store-credentials-1")
    assert json.dumps(values, ensure_ascii=False).isascii()
    assert base64.b64decode(values["store"].pop("title")).decode() == title
    other = chart_values(a_store(), STANDARD, "store-credentials-1")
    other["store"].pop("title")
    assert values == other


def test_a_new_generation_is_a_new_release_and_the_same_one_is_not() -> None:
    first = chart_values(a_store(), STANDARD, "store-credentials-1")
    second = chart_values(replace(a_store(), generation=2), STANDARD, "store-credentials-1")
    assert release_digest("0.1.0", first) == release_digest("0.1.0", dict(reversed(first.items())))
    assert (
        len({release_digest("0.1.0", first), release_digest("0.1.0", second), release_digest("0.2.0", first)})
        == 3
    )
