"""Host names of stores: the name that the customer chose, and a suffix that keeps it apart from others."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

TRIES = 5  # of a suffix that nobody has
_SUFFIX = "abcdefghijkmnpqrstuvwxyz23456789"  # no 0/o, 1/l: people read host names out


def draw_label(name: str) -> str:
    """The first label, for a store of that name. Another store may have it, if rarely: then draw again."""
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(4))
    return f"{name}-{suffix}"


@dataclass(frozen=True)
class Hostnames:
    """Of new stores: below the domain of the cell that they go to, which may end in a port."""

    base_domain: str

    def draw(self, name: str) -> str:
        """A whole one, as `draw_label`."""
        return f"{draw_label(name)}.{self.base_domain}"
