"""One cell, as provision writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from control_plane.domain.plans import Plan
from control_plane.domain.store import Store


class Credentials(Protocol):
    """Where passwords come from."""

    def fresh(self) -> Mapping[str, str]:
        """New random credentials of one store, by the key that the chart reads them under."""


class Cluster(Protocol):
    """One cell, as provision writes to it. Every method is idempotent and raises
    PermanentError, TemporaryError or CellUnreachableError."""

    def ensure_namespace(self, store: Store) -> None:
        """The store's namespace, with Pod Security and owner labels."""

    def ensure_quota(self, store: Store, plan: Plan) -> None:
        """The plan's ResourceQuota, returning when it is in force."""

    def ensure_credentials(self, store: Store, credentials: Credentials) -> str:
        """The name of the store's immutable Secret, made only if there is none."""

    def remove_namespace(self, store: Store) -> None:
        """Have the namespace and all that is in it removed; does not wait."""


class Releases(Protocol):
    """Helm, for one cell."""

    chart_version: str

    def apply(self, store: Store, values: Mapping[str, Any]) -> int:
        """Bring the release to these values and return its revision. Does not wait for pods.

        First frees a release that a killed Helm has left locked. Ends within
        `deadline` seconds, with the helm process dead.
        Raises PermanentError, TemporaryError, CellUnreachableError.
        """

    @property
    def deadline(self) -> float:
        """Seconds after which nothing that `apply` started can still be running."""
