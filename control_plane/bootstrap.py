"""Settings to adapters to use cases: the one place that knows which parts are real.

Nothing connects and no client is loaded before the first request needs it (the framework
imports a function before it forks). Warm instances keep what was built.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from control_plane import shutdown
from control_plane.ports.customers import Stores, Tokens
from control_plane.settings import CreateStoreSettings, ProvisionSettings, ReconcileSettings
from control_plane.use_cases.create_store import CreateStore
from control_plane.use_cases.delete_store import DeleteStore
from control_plane.use_cases.install import Install
from control_plane.use_cases.judge_rollouts import JudgeRollouts
from control_plane.use_cases.provision import Provision
from control_plane.use_cases.reconcile import Reconcile
from control_plane.use_cases.relay_outbox import RelayOutbox

# ruff: noqa: PLC0415 - adapters are imported where they are wired, so that no function loads another's clients


@dataclass(frozen=True)
class Api:
    """What the REST API calls."""

    tokens: Tokens
    stores: Stores
    create_store: CreateStore
    delete_store: DeleteStore


@cache
def api(settings: CreateStoreSettings) -> Api:
    """For `functions/create_store`."""
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_outbox import PostgresOutbox
    from control_plane.adapters.postgres_stores import PostgresStores
    from control_plane.adapters.pubsub_events import PubSubEvents
    from control_plane.adapters.token_file import TokenFile

    database = Database(settings.database_url, connections=settings.threads)
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
    from control_plane.adapters.postgres_database import Database
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
    work = PostgresWork(Database(settings.database_url, connections=settings.threads))
    cluster = KubernetesCluster(kubernetes, settings.cell_identity.model_dump(exclude_none=True))
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    install = Install(work, cluster, releases, RandomCredentials(), events, settings.lease_seconds)
    return Provision(work, cluster, events, install, settings.lease_seconds)


@cache
def reconcile(settings: ReconcileSettings) -> Reconcile:
    """For `functions/reconcile`."""
    from control_plane.adapters.kubernetes_api import KubernetesApi
    from control_plane.adapters.kubernetes_workloads import KubernetesWorkloads
    from control_plane.adapters.postgres_database import Database
    from control_plane.adapters.postgres_fleet import PostgresFleet
    from control_plane.adapters.postgres_outbox import PostgresOutbox
    from control_plane.adapters.pubsub_events import PubSubEvents

    database = Database(settings.database_url, connections=settings.threads)
    fleet = PostgresFleet(database)
    events = PubSubEvents(settings.pubsub_project_id, settings.pubsub_emulator_host)
    workloads = KubernetesWorkloads(KubernetesApi(settings.kubeconfig))
    return Reconcile(
        fleet,
        RelayOutbox(fleet, PostgresOutbox(database), events, settings.wake_seconds),
        JudgeRollouts(fleet, workloads),
        workloads,
        shutdown.ProcessClock(),
        settings.cell,
        settings.pass_seconds,
        settings.lease_seconds,
    )
