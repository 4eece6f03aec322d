"""What tests begin with: valid things, unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from control_plane.domain.accounts import TokenShown
from control_plane.domain.life import Purge
from control_plane.domain.rollout import COMPONENTS, NamespaceState, Observation, Standing, Workload
from control_plane.domain.store import Actor, Desired, NewStore, Notice, Store, StoreState
from control_plane.plan_file import plans
from control_plane.use_cases.create_store import Order
from control_plane.use_cases.create_token import digest_of

CELL = "local"
BASE_DOMAIN = "shops.example:8000"
CUSTOMER = UUID("11111111-1111-4111-8111-111111111111")
STRANGER = UUID("22222222-2222-4222-8222-222222222222")
STORE = UUID("33333333-3333-4333-8333-333333333333")
ACTOR = Actor("tester", "request 1")
PLANS = plans().stores
LIMITS = plans().accounts
STANDARD = PLANS["standard"]
TOKENS = {CUSTOMER: "urumi_customers-token", STRANGER: "urumi_strangers-token"}


def a_new_store(**changes: Any) -> NewStore:
    """An order with its platform identity, as `Stores.add` takes it; each with a name of its own."""
    store_id = changes.get("id") or uuid4()
    name = changes.get("name") or f"shop-{store_id.hex[:8]}"
    new = NewStore(
        id=store_id,
        customer_id=CUSTOMER,
        name=name,
        title="Anna's Töpferei",
        admin_email="anna@example.com",
        plan="standard",
        hostname=f"{name}-{store_id.hex[-4:]}.{BASE_DOMAIN}",
        cell=CELL,
    )
    return replace(new, **changes)


@dataclass(frozen=True)
class Gone:
    """The store is to go at once, whatever its name."""

    action: str = "purge asked"

    def __call__(self, store: Store, now: datetime) -> Store:
        """See `Asked`."""
        return Purge(store.name)(store, now)


def an_order(**changes: Any) -> Order:
    """What a customer asks for."""
    return replace(
        Order("pottery", "Anna's Töpferei", "anna@example.com", "standard"),
        **changes,
    )


def a_store(**changes: Any) -> Store:
    """A store as its row would say it: QUEUED, generation 1."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    store = Store(
        id=STORE,
        customer_id=CUSTOMER,
        name="pottery",
        title="Anna's Töpferei",
        admin_email="anna@example.com",
        plan="standard",
        desired=Desired.RUNNING,
        generation=1,
        applied_generation=0,
        observed_generation=0,
        state=StoreState.QUEUED,
        reason=None,
        chart_version=None,
        cell=UUID(int=1),
        hostname=f"pottery-ab2c.{BASE_DOMAIN}",
        release_revision=None,
        release_digest=None,
        failures=0,
        created_at=now,
        updated_at=now,
        ready_at=None,
        credentials_uid=None,
        admin_number=1,
        holds=frozenset(),
        removal_at=None,
        former_hostname=None,
        former_until=None,
        notice=Notice.NONE,
        billed=False,
        applied_plan=None,
    )
    return replace(store, **changes)


def a_standing(**changes: Any) -> Standing:
    """A row in motion: PROVISIONING, its first generation in the cluster, ten seconds old."""
    standing = Standing(
        store_id=STORE,
        generation=1,
        applied_generation=1,
        state=StoreState.PROVISIONING,
        runs=True,
        reason=None,
        seconds=10.0,
    )
    return replace(standing, **changes)


def workloads(generation: int = 1, *, rolled_out: bool = True) -> Mapping[str, Workload]:
    """All workloads of a store, stamped with a generation."""
    detail = "1 of 1 pods ready" if rolled_out else "0 of 1 pods ready"
    return {component: Workload(generation, rolled_out, detail) for component in COMPONENTS}


def an_observation(**changes: Any) -> Observation:
    """A store whose pods are all there and ready, at generation 1."""
    return replace(Observation(NamespaceState.ACTIVE, workloads()), **changes)


def shown_by(customer: UUID) -> TokenShown:
    """What a customer with one of `TOKENS` shows."""
    return TokenShown(digest_of(TOKENS[customer]))
