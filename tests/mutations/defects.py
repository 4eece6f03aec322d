"""Defects that a change could bring, each as an edit of one place, with what brings it to light.

A scenario runs the changed code by hand on a store of its own, beside the sound platform; then
the doctor, which is the sound one, has to name the invariant. An edit that no longer fits the
code is an error, so that no defect is forgotten when the code moves on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.scenarios import (
    Scene,
    announced_but_never_recorded,
    continued_after_its_lease_by_a_stopped_worker,
    continued_by_a_worker_that_was_stopped_at_the_first_step,
    created,
    deleted_while_somebody_holds_the_namespace,
    freed_by_a_worker_that_was_stopped_before,
    installed,
    installed_again_after_a_kill,
    rolled_back_by_hand,
    taken_from_a_live_worker,
)


@dataclass(frozen=True)
class Edit:
    """One piece of a file, as it is and as the defect has it."""

    file: str
    sound: str
    defective: str

    def apply(self, copy: Path) -> None:
        """Change the copy. Raises AssertionError if the code is not as this defect knows it."""
        path = copy / self.file
        text = path.read_text()
        assert text.count(self.sound) == 1, f"{self.file} has not just once: {self.sound!r}"
        path.write_text(text.replace(self.sound, self.defective))


@dataclass(frozen=True)
class Defect:
    """A defect, the scenario that shows it, and the invariant that has to be named."""

    name: str
    edits: tuple[Edit, ...]
    scenario: Callable[[Scene], str]
    invariant: str


_WORK = "control_plane/adapters/postgres_work.py"
_CLUSTER = "control_plane/adapters/kubernetes_cluster.py"
_INSTALL = "control_plane/use_cases/install.py"

DEFECTS = (
    Defect(
        "publish before commit",
        (
            Edit(
                "control_plane/use_cases/create_store.py",
                "                    accepted = transaction.stores.add(new, known, actor, most=most)\n",
                "                    said = Announcement(new.id, StoreIntent(new.id, 1), self.cell)\n"
                "                    self.announce.events.announce([said], timeout=5.0)\n"
                "                    accepted = transaction.stores.add(new, known, actor, most=most)\n",
            ),
            Edit(
                "control_plane/use_cases/create_store.py",
                "from control_plane.domain.store import NewStore\n",
                "from control_plane.domain.events import StoreIntent\n"
                "from control_plane.domain.store import NewStore\n"
                "from control_plane.ports.messages import Announcement\n",
            ),
        ),
        announced_but_never_recorded,
        "accepted-is-recorded",
    ),
    Defect(
        "lease ignored",
        (
            Edit(
                _WORK,
                "FROM before WHERE id = before.before_id"
                " AND (lease_until IS NULL OR lease_until <= clock_timestamp())\n",
                "FROM before WHERE id = before.before_id\n",
            ),
        ),
        taken_from_a_live_worker,
        "one-worker-at-a-time",
    ),
    Defect(
        "fencing dropped",
        (
            Edit(
                _WORK,
                '"stores.id = :id AND lease_token = :token AND lease_until > clock_timestamp()"',
                '"stores.id = :id AND CAST(:token AS bigint) IS NOT NULL"',
            ),
        ),
        continued_by_a_worker_that_was_stopped_at_the_first_step,
        "one-worker-at-a-time",
    ),
    Defect(
        "unlock without lease",
        (
            Edit(_INSTALL, "            self.work.record_freeing(leased, actor)\n", ""),
            Edit(
                _INSTALL,
                "self.releases.free(store, self._renewed_for_helm(leased))",
                "self.releases.free(store, leased.lease)",
            ),
            Edit(
                "control_plane/adapters/helm_releases.py",
                "self._records.mark_failed(name, not_after=lease.ends)",
                'self._records.mark_failed(name, not_after=float("inf"))',
            ),
        ),
        freed_by_a_worker_that_was_stopped_before,
        "releases-freed-under-lease",
    ),
    Defect(
        "Secret regenerated",
        (
            Edit(
                _CLUSTER,
                "        if found is None and store.credentials_uid:\n",
                '        self._api.delete(f"{secrets}/{CREDENTIALS}")\n'
                "        found = None\n"
                "        if found is not None and store.credentials_uid:\n",
            ),
            Edit(
                _INSTALL,
                "if self.work.record_credentials(leased, secret.uid) != secret.uid:",
                "if not self.work.record_credentials(leased, secret.uid):",
            ),
        ),
        installed_again_after_a_kill,
        "credentials-kept",
    ),
    Defect(
        "READY without generation check",
        (
            Edit(
                "control_plane/domain/rollout.py",
                "        if workload.generation != row.generation:\n",
                "        if workload.generation > row.generation:\n",
            ),
        ),
        rolled_back_by_hand,
        "ready-is-true",
    ),
    Defect(
        "outbox not in the transaction",
        (
            Edit(
                "control_plane/adapters/postgres_stores.py",
                "    RETURNING {STORE_COLUMNS}, CAST(NULL AS text) AS from_state\n"
                "), announced AS (\n"
                "    INSERT INTO outbox (id, store_id, generation) SELECT :announcement, id, generation"
                " FROM changed\n"
                "), audited",
                "    RETURNING {STORE_COLUMNS}, CAST(NULL AS text) AS from_state\n), audited",
            ),
            Edit(
                "control_plane/adapters/postgres_stores.py",
                "        announcement = uuid4()\n        parameters = {\n            **asdict(order),\n",
                "        announcement = uuid4()\n"
                "        with self._session._connection.engine.connect() as another:\n"
                "            another.execute(\n"
                "                text('INSERT INTO outbox (id, store_id, generation)'\n"
                "                     ' VALUES (:id, :store, 1)'),\n"
                "                {'id': announcement, 'store': order.id},\n"
                "            )\n"
                "        parameters = {\n            **asdict(order),\n",
            ),
        ),
        created,
        "announced-with-its-intent",
    ),
    Defect(
        "audit forgotten",
        (
            Edit(
                _WORK,
                '), audited AS ({audit_changed(":token")} WHERE {audit_if}){more}\n',
                "), audited AS (SELECT CAST(:actor AS text), CAST(:cause AS text), CAST(:action AS text)"
                " FROM changed WHERE {audit_if}){more}\n",
            ),
        ),
        installed,
        "row-matches-audit",
    ),
    Defect(
        "DELETED before the namespace is gone",
        (
            Edit(
                "control_plane/domain/rollout.py",
                "        if seen.namespace is NamespaceState.GONE:\n",
                "        if seen.namespace is not NamespaceState.ACTIVE:\n",
            ),
        ),
        deleted_while_somebody_holds_the_namespace,
        "deleted-is-gone",
    ),
    Defect(
        "the cell written to after the lease",
        (
            Edit(
                "control_plane/adapters/kubernetes_api.py",
                "        if time.monotonic() > not_after:\n",
                "        if time.monotonic() > not_after + 1e9:\n",
            ),
        ),
        continued_after_its_lease_by_a_stopped_worker,
        "deleted-is-gone",
    ),
    Defect(
        "quota forgotten",
        (
            Edit(
                _INSTALL,
                "        self.cluster.ensure_quota(store, plan, self._renewed(leased))\n",
                "",
            ),
        ),
        installed,
        "isolation-stands",
    ),
)
