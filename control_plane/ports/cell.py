"""One cell, as provision writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from control_plane.domain.plans import Plan
from control_plane.domain.store import Lease, Store


@dataclass(frozen=True)
class Secret:
    """A Secret of the cell: what the chart calls it, and the uid that no other Secret will ever have."""

    name: str
    uid: str


class Credentials(Protocol):
    """Where passwords come from."""

    def fresh(self) -> Mapping[str, str]:
        """New random credentials of one store, by the key that the chart reads them under."""


class Cluster(Protocol):
    """One cell, as provision writes to it. Every method is idempotent, changes nothing once the
    lease has ended, and raises PermanentError, TemporaryError, CellUnreachableError or LeaseLostError."""

    def ensure_namespace(self, store: Store, lease: Lease) -> None:
        """The store's namespace, with Pod Security and owner labels."""

    def ensure_access(self, store: Store, lease: Lease) -> None:
        """This process's right to work in the store's namespace, returning when it is in force."""

    def ensure_quota(self, store: Store, plan: Plan, lease: Lease) -> None:
        """The plan's ResourceQuota, returning when it is in force.

        After a failure of the store all is counted anew: a Helm that was killed may have left numbers behind
        of what it did not come to make.
        """

    def ensure_credentials(self, store: Store, credentials: Credentials, lease: Lease) -> Secret:
        """The store's immutable Secret, made only if there never was one.

        Raises CredentialsLostError when the row knows of one and it is not there.
        """

    def ensure_reset_password(self, store: Store, credentials: Credentials, lease: Lease) -> str:
        """The immutable Secret with the administrator's password of the number that the store asks for.

        Returns its name. Made only if it is not there; those before the last one are removed.
        """

    def remove_namespace(self, store: Store, lease: Lease) -> None:
        """Have the namespace and all that is in it removed; does not wait."""


class Releases(Protocol):
    """Helm, for one cell. Nothing that it starts outlives the lease, even if this process is stopped.

    Its methods raise PermanentError, TemporaryError, CellUnreachableError or LeaseLostError.
    """

    chart_version: str

    @property
    def deadline(self) -> float:
        """Seconds that a lease must last for `free` or `apply` to have all the time it may need."""

    def locked(self, store: Store) -> bool:
        """Whether a Helm that is dead has left the release in the middle of something.

        Under the store's lease every Helm that is not this one is dead.
        """

    def free(self, store: Store, lease: Lease) -> None:
        """Make a locked release one that `apply` can go on with; its objects and claims stay."""

    def apply(self, store: Store, values: Mapping[str, Any], digest: str, lease: Lease) -> int:
        """Bring the release to these values, whatever is there, and return its revision.

        Does not wait for pods. `digest` is put on Helm's record, for whoever compares it with the row.
        """
