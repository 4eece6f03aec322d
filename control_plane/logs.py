"""Logs: one JSON object a line as Cloud Logging reads it, columns on a terminal.

Event names are static; what varies stands in fields.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure() -> None:
    """Set structlog up for this process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    columns = sys.stdout.isatty()
    processors: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if columns
        else [structlog.processors.format_exc_info, _cloud_logging, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )


def trace_fields(header: str | None) -> dict[str, str]:
    """The trace of an `X-Cloud-Trace-Context` header, under the name that Cloud Logging joins by."""
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    trace = (header or "").partition("/")[0]
    if not trace or not project:
        return {}
    return {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}"}


def _cloud_logging(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event["severity"] = event.pop("level").upper()
    event["message"] = event.pop("event")
    if trace := event.pop("exception", None):
        event["stack_trace"] = trace  # the name that Error Reporting looks for
    return event
