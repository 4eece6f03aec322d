"""Cloud Scheduler, or a push from the topic `rollouts`, wakes one pass here."""

from dataclasses import asdict

import flask
import functions_framework
from flask.typing import ResponseReturnValue

from control_plane import bootstrap
from control_plane.entrypoints import cause, http_endpoint
from control_plane.settings import ReconcileSettings, from_environment

SETTINGS = from_environment(ReconcileSettings)


@functions_framework.http
@http_endpoint
def reconcile(_request: flask.Request) -> ResponseReturnValue:
    """Run a pass, or answer at once that one is running."""
    summary = bootstrap.reconcile(SETTINGS)(cause=cause())
    return asdict(summary)
