"""Pub/Sub pushes an intent here; the cluster is made to match the store's row."""

import functions_framework
from cloudevents.http.event import CloudEvent

from control_plane import bootstrap
from control_plane.adapters.pubsub_events import pushed
from control_plane.entrypoints import event_endpoint
from control_plane.settings import ProvisionSettings, from_environment

SETTINGS = from_environment(ProvisionSettings)


@functions_framework.cloud_event
@event_endpoint
def provision(event: CloudEvent) -> None:
    """Read the message, act on it. Returning acknowledges it."""
    bootstrap.receive_message(SETTINGS)(pushed(event["id"], event.get_data()))
