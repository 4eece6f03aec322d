"""Settings to adapters to use cases: the one place that knows which parts are real.

Nothing connects and no client is loaded before the first request needs it (the framework
imports a function before it forks). Warm instances keep what was built.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from control_plane import shutdown
from control_plane.domain.billing_events import BILLING_EVENTS
from control_plane.domain.events import INTENTS
from control_plane.domain.invariants.limits import Limits
from control_plane.plan_file import plans
from control_plane.ports.customers import Accounts
from control_plane.ports.dead_letters import DeadLetters
from control_plane.ports.orphans import OrphanDesk
from control_plane.ports.people import Departures, Provider
from control_plane.ports.registry import Registry
from control_plane.settings import (
    BillingEventSettings,
    ConsoleSettings,
    CreateStoreSettings,
    DoctorSettings,
    OperatorSettings,
    ProvisionSettings,
    ReconcileSettings,
    VaultSettings,
)
from control_plane.use_cases.announce import Announce
from control_plane.use_cases.bill_store import BillStore
from control_plane.use_cases.change_store import ChangeStore
from control_plane.use_cases.claim_credentials import ClaimCredentials
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.create_token import CreateToken
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.end_terms import EndTerms
from control_plane.use_cases.examine import Examine
from control_plane.use_cases.hostnames import Hostnames
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.look import Look
from control_plane.use_cases.make_login_link import MakeLoginLink
from control_plane.use_cases.provision import FAILURE_LIMIT, Provision
from control_plane.use_cases.quarantine import Quarantine
from control_plane.use_cases.receive_billing_event import ReceiveBillingEvent
from control_plane.use_cases.receive_billing_notice import ReceiveBillingNotice
from control_plane.use_cases.receive_message import ReceiveMessage
from control_plane.use_cases.recognise import Recognise
from control_plane.use_cases.reconcile import Reconcile
from control_plane.use_cases.record_billing_fact import RecordBillingFact
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.requeue_dead_letter import RequeueDeadLetter
from control_plane.use_cases.settle_subscriptions import SettleSubscriptions
from control_plane.use_cases.sign_in import SignIn
from control_plane.use_cases.tell_events import TellEvents

if TYPE_CHECKING:
    from control_plane.adapters.oidc_identities import OidcIdentities
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_vault import PostgresVault

# ruff: noqa: PLC0415 - adapters are imported where they are wired, so that no function loads another's clients

# A request holds its account's row: whoever stops in the middle must not hold it for long.
_OF_A_REQUEST = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}


# Whoever stops between two statements lets go of a store's row before those who wait for it give up.
_OF_A_WORKER = {"idle_in_transaction_session_timeout": "5s"}


@dataclass(frozen=True)
class ForCustomers:
    """What customers ask for, whichever way they come."""

    recognise: Recognise
    accounts: Accounts
    create_store: CreateStore
    change_store: ChangeStore
    claim_credentials: ClaimCredentials
    make_login_link: MakeLoginLink


@dataclass(frozen=True)
class Api(ForCustomers):
    """What the REST API calls."""

    create_token: CreateToken


@dataclass(frozen=True)
class Console(ForCustomers):
    """What the console calls."""

    sign_in: SignIn
    departures: Departures
    provider: Provider | None = None  # None: nobody signs in with one here


@dataclass(frozen=True)
class OperatorDesk:
    """What an operator's commands call."""

    letters: DeadLetters
    requeue: RequeueDeadLetter


@cache
def api(settings: CreateStoreSettings) -> Api:
    """For `functions/create_store`."""
    from control_plane.adapters.oidc_identities import OidcIdentities

    parts = _for_customers(settings, _customers_database(settings), OidcIdentities(settings.oidc_issuers))
    return Api(**vars(parts), create_token=CreateToken(parts.accounts))


@cache
def console(settings: ConsoleSettings) -> Console:
    """For `functions/console`."""
    from control_plane.adapters.oidc_identities import OidcIdentities
    from control_plane.adapters.postgres_people import PostgresDepartures

    database = _customers_database(settings)
    identities = OidcIdentities(settings.oidc_issuers)
    parts = _for_customers(settings, database, identities)
    return Console(
        **vars(parts),
        sign_in=SignIn(parts.accounts),
        departures=PostgresDepartures(database),
        provider=_provider(settings, identities),
    )


def _customers_database(settings: CreateStoreSettings | ConsoleSettings) -> Database:
    from control_plane.adapters.postgres_database import Database

    return Database(
        settings.database_url,
        connections=settings.threads,
        parameters=_OF_A_REQUEST,
        ca=settings.database_ca,
    )


def _for_customers(
    settings: CreateStoreSettings | ConsoleSettings, database: Database, identities: OidcIdentities
) -> ForCustomers:
    from control_plane.adapters.login_links import LoginLinks
    from control_plane.adapters.postgres_accounts import PostgresAccounts
    from control_plane.adapters.pubsub_events import PubSubEvents
    from control_plane.adapters.sealer import Sealer

    sealer = Sealer(settings.sealing_keys)
    accounts = PostgresAccounts(database, sealer, plans().accounts, wake_seconds=settings.wake_seconds)
    announce = Announce(PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host))
    return ForCustomers(
        Recognise(identities),
        accounts,
        CreateStore(accounts, announce, Hostnames(settings.base_domain), plans(), settings.new_stores_cell),
        ChangeStore(accounts, announce, plans()),
        ClaimCredentials(accounts),
        MakeLoginLink(accounts, LoginLinks(json.loads(settings.login_keys))),
    )


def _provider(settings: ConsoleSettings, identities: OidcIdentities) -> Provider | None:
    """The first issuer with whom people sign in, where browsers can come back to us."""
    issuer = next((each for each in settings.oidc_issuers if each.sign_in), None)
    if issuer is None or settings.public_url is None:
        return None
    from control_plane.adapters.oidc_sign_in import PURPOSE, OidcSignIn
    from control_plane.adapters.sealed_texts import SealedTexts

    secret = json.loads(settings.oidc_client_secrets).get(issuer.issuer)
    keys = SealedTexts(settings.sealing_keys, PURPOSE)
    return OidcSignIn(issuer, secret, settings.public_url, identities, keys)


@cache
def provision(settings: ProvisionSettings) -> Provision:
    """For `functions/provision`."""
    from control_plane.adapters.helm_records import HelmRecords
    from control_plane.adapters.helm_releases import HelmReleases
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_cluster import KubernetesCluster
    from control_plane.adapters.postgres_vault import PostgresVault
    from control_plane.adapters.postgres_work import PostgresWork
    from control_plane.adapters.pubsub_events import PubSubEvents
    from control_plane.adapters.random_credentials import RandomCredentials
    from control_plane.adapters.sealer import Sealer

    kubeconfig = _kubeconfig(settings)
    kubernetes = KubernetesApi(kubeconfig)
    releases = HelmReleases(
        settings.helm,
        settings.chart,
        kubeconfig,
        HelmRecords(kubernetes),
        seconds=settings.helm_seconds,
    )
    shutdown.at_shutdown(releases.stop)
    work = PostgresWork(_database(settings), settings.cell)
    cluster = KubernetesCluster(kubernetes, settings.cell_identity.model_dump(exclude_none=True))
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    install = Install(
        work,
        cluster,
        releases,
        RandomCredentials(),
        PostgresVault(_database(settings), Sealer(settings.sealing_keys)),
        plans().stores,
        settings.lease_seconds,
        json.loads(settings.cell_values),
    )
    return Provision(work, cluster, events, install, settings.cell, settings.lease_seconds)


@cache
def receive_message(settings: ProvisionSettings) -> ReceiveMessage:
    """For `functions/provision`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_orphans import KubernetesOrphans
    from control_plane.adapters.postgres_dead_letters import PostgresParking
    from control_plane.adapters.postgres_orphans import PostgresOrphans

    database = _database(settings)
    orphans = PostgresOrphans(database, settings.cell)
    quarantine = Quarantine(orphans, KubernetesOrphans(KubernetesApi(_kubeconfig(settings))))
    return ReceiveMessage(provision(settings), quarantine, PostgresParking(database))


@cache
def reconcile(settings: ReconcileSettings) -> Reconcile:
    """For `functions/reconcile`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_workloads import KubernetesWorkloads
    from control_plane.adapters.postgres_billing import PostgresBilling
    from control_plane.adapters.postgres_cleaning import PostgresCleaning
    from control_plane.adapters.postgres_dead_letters import PostgresParking
    from control_plane.adapters.postgres_fleet import PostgresFleet
    from control_plane.adapters.postgres_orphans import PostgresOrphans
    from control_plane.adapters.postgres_outbox import PostgresOutbox
    from control_plane.adapters.postgres_store_events import PostgresStoreEvents
    from control_plane.adapters.postgres_terms import PostgresTerms
    from control_plane.adapters.pubsub_dead_letters import PubSubDeadTopic
    from control_plane.adapters.pubsub_events import PubSubEvents

    database = _database(settings)
    fleet = PostgresFleet(database)
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    dead_topics = [
        PubSubDeadTopic(settings.pubsub_project_id, settings.pubsub_emulator_host, source)
        for source in (INTENTS, BILLING_EVENTS)
    ]
    workloads = KubernetesWorkloads(KubernetesApi(_kubeconfig(settings)))
    return Reconcile(
        fleet,
        RelayOutbox(fleet, PostgresOutbox(database), events, settings.wake_seconds),
        TellEvents(PostgresStoreEvents(database), events),
        EndTerms(PostgresTerms(database), plans().stores, json.loads(settings.cell_values)),
        SettleSubscriptions(PostgresBilling(database), _bill_store(settings)),
        JudgeRollouts(fleet, workloads),
        workloads,
        DrainDeadLetters(dead_topics, PostgresParking(database)),
        CleanUp(PostgresCleaning(database)),
        PostgresOrphans(database, settings.cell),
        shutdown.ProcessClock(),
        settings.cell,
        settings.pass_seconds,
        settings.lease_seconds,
    )


@cache
def receive_billing_event(settings: BillingEventSettings) -> ReceiveBillingEvent:
    """For `functions/billing_event`, of the topic."""
    from control_plane.adapters.postgres_dead_letters import PostgresParking

    return ReceiveBillingEvent(_record_billing_fact(settings), PostgresParking(_database(settings)))


@cache
def receive_stripe_notice(settings: BillingEventSettings) -> ReceiveBillingNotice | None:
    """For `functions/billing_event`, of Stripe's webhook; None where there is none."""
    from control_plane.adapters.postgres_billing import PostgresBilling
    from control_plane.adapters.stripe_notices import StripeNotices
    from control_plane.adapters.stripe_subscriptions import StripeSubscriptions

    if settings.stripe_webhook_secret is None:
        return None
    key = settings.stripe_api_key
    source = StripeSubscriptions(key, settings.stripe_api_base) if key else None
    return ReceiveBillingNotice(
        StripeNotices(settings.stripe_webhook_secret, source),
        PostgresBilling(_database(settings)),
        _record_billing_fact(settings),
    )


@cache
def _record_billing_fact(settings: BillingEventSettings) -> RecordBillingFact:
    from control_plane.adapters.postgres_billing import PostgresBilling
    from control_plane.adapters.pubsub_events import PubSubEvents

    database = _database(settings)
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    return RecordBillingFact(
        PostgresBilling(database, settings.wake_seconds),
        _bill_store(settings),
        Announce(events),
    )


def _bill_store(settings: BillingEventSettings | ReconcileSettings) -> BillStore:
    return BillStore(plans().stores, Hostnames(settings.base_domain), settings.new_stores_cell)


@cache
def operator(settings: OperatorSettings) -> OperatorDesk:
    """For the commands of an operator."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_dead_letters import PostgresDeadLetters
    from control_plane.adapters.pubsub_events import PubSubEvents

    letters = PostgresDeadLetters(Database(settings.database_url, connections=2))
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    return OperatorDesk(letters, RequeueDeadLetter(letters, events))


@cache
def vault(settings: VaultSettings) -> PostgresVault:
    """For `urumi keys seal-again`."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_vault import PostgresVault
    from control_plane.adapters.sealer import Sealer

    return PostgresVault(Database(settings.database_url, connections=1), Sealer(settings.sealing_keys))


@cache
def doctor(settings: DoctorSettings) -> Examine:
    """For `urumi doctor`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_examination import KubernetesExamination
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_examination import READ_ONLY, PostgresExamination

    limits = Limits(failures=FAILURE_LIMIT)
    database = PostgresExamination(
        Database(settings.database_url, connections=1, parameters=READ_ONLY),
        settings.cell,
        waiting=limits.waiting,
        deliveries=limits.deliveries,
        announcements=limits.announcements,
    )
    cell = KubernetesExamination(KubernetesApi(settings.kubeconfig))
    return Examine(Look(database, cell, limits, plans().stores), time)


@cache
def orphans(settings: DoctorSettings) -> OrphanDesk:
    """For `urumi orphans`."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_orphans import PostgresOrphans

    return PostgresOrphans(Database(settings.database_url, connections=1), settings.cell)


@cache
def registry(database_url: str) -> Registry:
    """For an operator's commands about accounts and people."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_registry import PostgresRegistry

    return PostgresRegistry(Database(database_url, connections=1))


@cache
def _database(settings: ProvisionSettings | ReconcileSettings | BillingEventSettings) -> Database:
    from control_plane.adapters.postgres_database import Database

    return Database(
        settings.database_url,
        connections=settings.threads,
        parameters=_OF_A_WORKER,
        ca=settings.database_ca,
    )


def _kubeconfig(settings: ProvisionSettings | ReconcileSettings) -> str:
    """The one that is given, or one for the cell's endpoint on Google Cloud."""
    if settings.cell_endpoint is None:
        return str(settings.kubeconfig)
    from control_plane.adapters import google_cell

    return google_cell.kubeconfig(settings.cell_endpoint)
