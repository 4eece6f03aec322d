"""Random lives of stores: orders, deletions, doubled and stale deliveries, deaths, outages, passes.

Whatever happens, moves stay allowed and READY stays true; and when the trouble ends, every
accepted store arrives somewhere by itself.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control_plane.domain.rollout import COMPONENTS
from control_plane.domain.store import MOVES, StoreState
from tests.use_cases.platform import Platform

_S = StoreState
_ARRIVED = {_S.READY, _S.FAILED, _S.DELETED}
_indexes = st.integers(min_value=0, max_value=99)


class _Killed(BaseException):
    """SIGKILL: nothing catches it."""


class StoreLife(RuleBasedStateMachine):
    """The platform, and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.platform = Platform()
        self.ids: list[UUID] = []

    def _pick(self, index: int) -> UUID | None:
        return self.ids[index % len(self.ids)] if self.ids else None

    @rule()
    def create(self) -> None:
        self.ids.append(self.platform.create(f"shop-{uuid4().hex[:8]}").id)

    @rule(index=_indexes)
    def delete(self, index: int) -> None:
        if store_id := self._pick(index):
            self.platform.purge(store_id)

    @rule(index=_indexes, times=st.integers(1, 3))
    def deliver(self, index: int, times: int) -> None:
        if store_id := self._pick(index):
            for _ in range(times):
                self.platform.deliver(store_id)

    @rule(index=_indexes, after=st.integers(1, 9))
    def deliver_to_a_worker_that_is_killed(self, index: int, after: int) -> None:
        if store_id := self._pick(index):
            self._kill_after(after, lambda: self.platform.deliver(store_id))

    @rule(after=st.integers(1, 12))
    def run_a_pass_that_is_killed(self, after: int) -> None:
        self._kill_after(after, self.platform.run_pass)

    @rule()
    def run_pass(self) -> None:
        self.platform.run_pass()

    @rule(index=_indexes, ready=st.booleans())
    def pods(self, index: int, ready: bool) -> None:
        if store_id := self._pick(index):
            self.platform.cell.pods(store_id, ready=ready)

    @rule(reachable=st.booleans(), down=st.booleans())
    def weather(self, reachable: bool, down: bool) -> None:
        self.platform.cell.reachable, self.platform.events.down = reachable, down

    @rule(seconds=st.sampled_from([1.0, 40.0, 100.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.platform.clock.later(seconds)

    @rule()
    def removals_finish(self) -> None:
        self.platform.cell.finish_removals()

    def _kill_after(self, calls: int, work: Any) -> None:
        """Let the `calls`-th use of a port be the process's last moment."""
        left = calls
        originals: list[tuple[Any, str, Any]] = []

        def wrap(owner: Any, name: str) -> None:
            original = getattr(owner, name)

            def last(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise _Killed
                return original(*arguments, **named)

            originals.append((owner, name, owner.__dict__.get(name)))
            object.__setattr__(owner, name, last)

        platform = self.platform
        for owner in (platform.work, platform.fleet, platform.cluster, platform.releases, platform.outbox):
            for name in [each for each in dir(owner) if not each.startswith("_")]:
                if callable(getattr(owner, name)) and name not in ("deadline", "tables", "cell"):
                    wrap(owner, name)
        try:
            work()
        except _Killed:
            pass
        finally:
            for owner, name, before in originals:
                if before is None:
                    object.__delattr__(owner, name)
                else:
                    object.__setattr__(owner, name, before)

    @invariant()
    def moves_are_allowed(self) -> None:
        for entries in self.platform.tables.audit.values():
            for entry in entries:
                if entry.from_state and entry.from_state is not entry.to_state:
                    assert entry.to_state in MOVES[entry.from_state]

    @invariant()
    def failed_says_why(self) -> None:
        assert all(row.reason for row in self.platform.tables.rows.values() if row.state is _S.FAILED)

    @invariant()
    def ready_was_applied_and_observed(self) -> None:
        for row in self.platform.tables.rows.values():
            if row.state is _S.READY:
                assert row.generation == row.applied_generation == row.observed_generation
                found = self.platform.cell.of(row.id)
                assert found
                assert {each.generation for each in found.seen.workloads.values()} == {row.generation}
                assert set(found.seen.workloads) == set(COMPONENTS)

    @invariant()
    def passwords_are_made_once(self) -> None:
        assert self.platform.credentials.made <= len(self.ids)

    def teardown(self) -> None:
        """The trouble ends: unaided, everything arrives."""
        platform = self.platform
        platform.cell.reachable, platform.events.down = True, False
        for _ in range(60):
            platform.clock.later(31)
            platform.run_pass()
            for intent in platform.events.published:
                platform.deliver(intent.store_id)
            platform.events.published.clear()
            for store_id in self.ids:
                platform.cell.pods(store_id, ready=True)
            platform.cell.finish_removals()
        platform.clock.later(31)
        platform.run_pass()
        rows = platform.tables.rows.values()
        assert {row.id for row in rows} == set(self.ids)
        assert all(row.state in _ARRIVED for row in rows), [(row.state, row.reason) for row in rows]
        assert platform.outbox.unpublished(platform.lease, older_than=2, limit=9) == []
        deleted = {row.id for row in rows if row.state is _S.DELETED}
        assert not deleted & {each.store_id for each in platform.cell.namespaces.values()}


TestStoreLife = StoreLife.TestCase
TestStoreLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
