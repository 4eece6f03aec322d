"""The README's table of identities: where it stands, and what should stand there."""

from __future__ import annotations

import re

_PLACE = re.compile(r"(?<=<!-- identities -->\n).*(?=<!-- /identities -->)", re.DOTALL)


def written(readme: str) -> str:
    """The table that stands there. Raises ValueError if there is no place for one."""
    found = _PLACE.search(readme)
    if found is None:
        raise ValueError("there is no place for the table of identities")
    return found[0]


def rewritten(readme: str, table: str) -> str:
    """The same text with another table."""
    return _PLACE.sub(lambda _: table, readme)
