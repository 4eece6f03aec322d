"""Settings to adapters to use cases: the one place that knows which parts are real.

Nothing connects and no client is loaded before the first request needs it (the framework
imports a function before it forks). Warm instances keep what was built.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from control_plane import shutdown
from control_plane.domain.invariants.limits import Limits
from control_plane.ports.customers import Stores, Tokens
from control_plane.ports.dead_letters import DeadLetters
from control_plane.ports.orphans import OrphanDesk
from control_plane.settings import (
    CreateStoreSettings,
    DoctorSettings,
    OperatorSettings,
    ProvisionSettings,
    ReconcileSettings,
)
from control_plane.use_cases.clean_up import CleanUp
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.delete_store import DeleteStore
from control_plane.use_cases.drain_dead_letters import DrainDeadLetters
from control_plane.use_cases.examine import Examine
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.look import Look
from control_plane.use_cases.provision import FAILURE_LIMIT, Provision
from control_plane.use_cases.quarantine import Quarantine
from control_plane.use_cases.receive_message import ReceiveMessage
from control_plane.use_cases.reconcile import Reconcile
from control_plane.use_cases.relay_outbox import RelayOutbox
from control_plane.use_cases.requeue_dead_letter import RequeueDeadLetter

if TYPE_CHECKING:
    from control_plane.adapters.postgres_database import Database

# ruff: noqa: PLC0415 - adapters are imported where they are wired, so that no function loads another's clients


@dataclass(frozen=True)
class Api:
    """What the REST API calls."""

    tokens: Tokens
    stores: Stores
    create_store: CreateStore
    delete_store: DeleteStore


@dataclass(frozen=True)
class OperatorDesk:
    """What an operator's commands call."""

    letters: DeadLetters
    requeue: RequeueDeadLetter


@cache
def api(settings: CreateStoreSettings) -> Api:
    """For `functions/create_store`."""
    from control_plane.adapters.postgres_outbox import PostgresOutbox
    from control_plane.adapters.postgres_stores import PostgresStores
    from control_plane.adapters.pubsub_events import PubSubEvents
    from control_plane.adapters.token_file import TokenFile

    database = _database(settings)
    stores, outbox = PostgresStores(database, wake_seconds=settings.wake_seconds), PostgresOutbox(database)
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    return Api(
        TokenFile(settings.api_tokens_file),
        stores,
        CreateStore(stores, outbox, events, settings.cell, settings.base_domain),
        DeleteStore(stores, outbox, events),
    )


@cache
def provision(settings: ProvisionSettings) -> Provision:
    """For `functions/provision`."""
    from control_plane.adapters.helm_records import HelmRecords
    from control_plane.adapters.helm_releases import HelmReleases
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_cluster import KubernetesCluster
    from control_plane.adapters.postgres_work import PostgresWork
    from control_plane.adapters.pubsub_events import PubSubEvents
    from control_plane.adapters.random_credentials import RandomCredentials

    kubernetes = KubernetesApi(settings.kubeconfig)
    releases = HelmReleases(
        settings.helm,
        settings.chart,
        settings.kubeconfig,
        HelmRecords(kubernetes),
        seconds=settings.helm_seconds,
    )
    shutdown.at_shutdown(releases.stop)
    work = PostgresWork(_database(settings))
    cluster = KubernetesCluster(kubernetes, settings.cell_identity.model_dump(exclude_none=True))
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    install = Install(work, cluster, releases, RandomCredentials(), events, settings.lease_seconds)
    return Provision(work, cluster, events, install, settings.lease_seconds)


@cache
def receive_message(settings: ProvisionSettings) -> ReceiveMessage:
    """For `functions/provision`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_orphans import KubernetesOrphans
    from control_plane.adapters.postgres_dead_letters import PostgresParking
    from control_plane.adapters.postgres_orphans import PostgresOrphans

    database = _database(settings)
    orphans = PostgresOrphans(database, settings.cell)
    quarantine = Quarantine(orphans, KubernetesOrphans(KubernetesApi(settings.kubeconfig)))
    return ReceiveMessage(provision(settings), quarantine, PostgresParking(database))


@cache
def reconcile(settings: ReconcileSettings) -> Reconcile:
    """For `functions/reconcile`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_workloads import KubernetesWorkloads
    from control_plane.adapters.postgres_cleaning import PostgresCleaning
    from control_plane.adapters.postgres_dead_letters import PostgresParking
    from control_plane.adapters.postgres_fleet import PostgresFleet
    from control_plane.adapters.postgres_orphans import PostgresOrphans
    from control_plane.adapters.postgres_outbox import PostgresOutbox
    from control_plane.adapters.pubsub_dead_letters import PubSubDeadTopic
    from control_plane.adapters.pubsub_events import PubSubEvents

    database = _database(settings)
    fleet = PostgresFleet(database)
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    dead_topic = PubSubDeadTopic(settings.pubsub_project_id, settings.pubsub_emulator_host)
    workloads = KubernetesWorkloads(KubernetesApi(settings.kubeconfig))
    return Reconcile(
        fleet,
        RelayOutbox(fleet, PostgresOutbox(database), events, settings.wake_seconds),
        JudgeRollouts(fleet, workloads),
        workloads,
        DrainDeadLetters(dead_topic, PostgresParking(database)),
        CleanUp(PostgresCleaning(database)),
        PostgresOrphans(database, settings.cell),
        shutdown.ProcessClock(),
        settings.cell,
        settings.pass_seconds,
        settings.lease_seconds,
    )


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
    return Examine(Look(database, KubernetesExamination(KubernetesApi(settings.kubeconfig)), limits), time)


@cache
def orphans(settings: DoctorSettings) -> OrphanDesk:
    """For `urumi orphans`."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_orphans import PostgresOrphans

    return PostgresOrphans(Database(settings.database_url, connections=1), settings.cell)


@cache
def _database(settings: CreateStoreSettings | ProvisionSettings | ReconcileSettings) -> Database:
    from control_plane.adapters.postgres_database import Database

    return Database(settings.database_url, connections=settings.threads)
