"""Pub/Sub pushes an intent here; the cluster is made to match the store's row."""

import functions_framework
from cloudevents.http.event import CloudEvent

from control_plane import bootstrap
from control_plane.adapters.pubsub_events import intent_of
from control_plane.entrypoints import event_endpoint
from control_plane.settings import ProvisionSettings, from_environment

SETTINGS = from_environment(ProvisionSettings)


@functions_framework.cloud_event
@event_endpoint
def provision(event: CloudEvent) -> None:
    """Read which store, work on it. Returning acknowledges the message."""
    intent = intent_of(event.get_data())
    bootstrap.provision(SETTINGS)(intent.store_id, cause=f"message {event['id']}")
