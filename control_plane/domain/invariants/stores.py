"""What must hold between the row of one store and what the cell has of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.evidence import InCell, Record, Row, Stray
from control_plane.domain.invariants.findings import Finding
from control_plane.domain.invariants.isolation import judge_isolation
from control_plane.domain.invariants.rows import finding, together
from control_plane.domain.plans import Plan
from control_plane.domain.rollout import COMPONENTS
from control_plane.domain.store import StoreState

_S = StoreState
CLAIMS = frozenset({"storefront-content", "database-data"})  # as the chart names them
_IS_TRUE = {_S.READY: catalogue.READY_IS_TRUE, _S.SUSPENDED: catalogue.SUSPENDED_IS_TRUE}
_DEPLOYED = "deployed"
_HAS_A_NAMESPACE = (_S.PROVISIONING, _S.READY, _S.DEGRADED, _S.UPDATING, _S.SUSPENDED)


def judge_store(row: Row, seen: InCell, plans: Mapping[str, Plan]) -> Iterator[Finding]:
    """What does not hold of a store that has a row."""
    if not row.here:
        yield from _elsewhere(row, seen)
        return
    if row.state is _S.DELETED:
        yield from _gone(row, seen)
        return
    if seen.namespace is None:
        yield from _without_namespace(row)
        return
    yield from _released(row, seen)
    if row.state in _IS_TRUE:
        yield from _true(row, seen, _IS_TRUE[row.state])
    if not seen.namespace.terminating:
        yield from _credentials(row, seen)
        yield from judge_isolation(row, seen, plans)


def judge_unknown(seen: InCell) -> Iterator[Finding]:
    """What does not hold of something in the cell whose id the database never knew."""
    for found in _contents(seen):
        subject, expected = f"store {seen.store_id}", "a row in the database"
        yield Finding(catalogue.NO_ORPHANS, subject, f"{found}, and no row", expected, seen.store_id)
        return


def judge_stray(stray: Stray) -> Finding:
    """What claims to be a store's where nothing of it belongs."""
    invariant = catalogue.ONE_RELEASE_PER_STORE if stray.release else catalogue.NO_ORPHANS
    expected = "all of a store in its own namespace"
    return Finding(invariant, stray.what, stray.what, expected, stray.store_id)


def _elsewhere(row: Row, seen: InCell) -> Iterator[Finding]:
    for found in _contents(seen):
        told = f"{found}, and the store is another cell's"
        yield finding(row, catalogue.NO_ORPHANS, told, "nothing in this cell")
        return


def _gone(row: Row, seen: InCell) -> Iterator[Finding]:
    for found in _contents(seen):
        yield finding(row, catalogue.DELETED_IS_GONE, f"DELETED, and {found}", "nothing in the cell")
        return


def _contents(seen: InCell) -> Iterator[str]:
    """What is there, the most telling first."""
    if seen.namespace:
        manner = " being removed" if seen.namespace.terminating else ""
        quarantine = ", quarantined" if seen.namespace.quarantined else ""
        yield f"the namespace {seen.name}{manner}{quarantine}"
    if seen.records:
        yield f"a release in {seen.name}"
    if seen.claims or seen.workloads:
        yield f"claims or workloads in {seen.name}"


def _without_namespace(row: Row) -> Iterator[Finding]:
    if row.applied and row.state in _HAS_A_NAMESPACE:
        yield finding(row, catalogue.NO_ORPHANS, f"{row.state}, and no namespace", "its namespace")
    if row.state is _S.READY:
        seen = "READY without a namespace"
        yield finding(row, catalogue.READY_IS_TRUE, seen, "not READY any more", after_pass=True)


def _released(row: Row, seen: InCell) -> Iterator[Finding]:
    yield from together(row, catalogue.ONE_RELEASE_PER_STORE, _not_single(row, seen))
    marked = sum(each.marked for each in seen.records)
    if marked > row.freed:
        told = f"{marked} records marked failed, {row.freed} told to the audit"
        yield finding(row, catalogue.RELEASES_FREED_UNDER_LEASE, told, "an entry `release freed` for each")


def _not_single(row: Row, seen: InCell) -> Iterator[tuple[str, str]]:
    if seen.namespace and seen.namespace.store_label != str(row.id):
        told = seen.namespace.store_label or "nothing"
        yield f"the namespace's label urumi.dev/store says {told}", "the store's id"
    for each in seen.records:
        if each.release != seen.name:
            yield f"the release {each.release} in {seen.name}", "no release but the store's own"
    ready = row.state is _S.READY
    deployed = [each for each in _own(seen) if each.status == _DEPLOYED]
    if ready and len(deployed) != 1:
        yield f"{len(deployed)} deployed records of its release", "exactly one"
    if seen.claims - CLAIMS or (ready and seen.claims != CLAIMS):
        yield f"claims: {', '.join(sorted(seen.claims)) or 'none'}", ", ".join(sorted(CLAIMS))


def _own(seen: InCell) -> list[Record]:
    return [each for each in seen.records if each.release == seen.name]


def _true(row: Row, seen: InCell, invariant: str) -> Iterator[Finding]:
    """Whether all is as READY and SUSPENDED say: of the newest intent, and rolled out."""
    if not row.generation == row.applied_generation == row.observed_generation:
        told = (
            f"{row.state} at generation {row.generation}, applied {row.applied_generation}, "
            f"observed {row.observed_generation}"
        )
        yield finding(row, invariant, told, "all three the same")
        return
    if row.runs is not (row.state is _S.READY):
        told = f"{row.state}, and its pods are {'wanted' if row.runs else 'not wanted'}"
        yield finding(row, invariant, told, "a state that says what is wanted", after_pass=True)
        return
    if (wrong := _wrong_release(row, seen)) is not None:
        told, expected = wrong
        yield finding(row, invariant, f"{row.state}, and {told}", expected)
        return
    for component in COMPONENTS:
        workload = seen.workloads.get(component)
        if workload is None:
            told = f"{component} is missing"
        elif workload.generation != row.generation:
            told = f"{component} is at generation {workload.generation}"
        elif not workload.rolled_out:
            told = f"{component} has {workload.detail}"
        else:
            continue
        expected = f"rolled out at generation {row.generation}, or not {row.state} any more"
        yield finding(row, invariant, f"{row.state}, and {told}", expected, after_pass=True)
        return


def _wrong_release(row: Row, seen: InCell) -> tuple[str, str] | None:
    newest = max(_own(seen), key=lambda each: each.revision, default=None)
    if newest is None:
        return None  # no release at all is for one-release-per-store to say
    if (newest.status, newest.revision) != (_DEPLOYED, row.release_revision):
        return f"its newest record is {newest.status} {newest.revision}", f"deployed {row.release_revision}"
    # A store without credentials on record was installed before records carried a digest.
    if newest.digest != row.release_digest and row.credentials_uid:
        return f"its record has the digest {newest.digest or '(none)'}", f"{row.release_digest}"
    return None


def _credentials(row: Row, seen: InCell) -> Iterator[Finding]:
    if row.credentials_uid is None or row.state is _S.DELETING:
        return
    if seen.credentials is None:
        told = "no Secret store-credentials-1"
    elif seen.credentials.uid != row.credentials_uid:
        told = f"the Secret has the uid {seen.credentials.uid}"
    elif not seen.credentials.immutable:
        told = "the Secret can be changed"
    else:
        return
    yield finding(row, catalogue.CREDENTIALS_KEPT, told, f"an immutable Secret {row.credentials_uid}")
