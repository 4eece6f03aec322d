"""The rows that a first boot is told in: which two moments each lies between. No row waits for no other:
those of the two pods run side by side."""

from __future__ import annotations

from bench.boot import LOOKING, STEPPING, Boot

WHOLE = "POST -> READY in the row"
FROM_HELM = "helm started -> all pods Ready"
_WHOLES = {WHOLE: ("posted", "row ready"), FROM_HELM: ("helm started", "pods ready")}

_BETWEEN = {
    "POST -> accepted": ("posted", "accepted"),
    "accepted -> provision begun": ("accepted", "begun"),
    "begun -> helm started": ("begun", "helm started"),
    "helm started -> its first request": ("helm started", "helm first request"),
    "helm, first request -> last": ("helm first request", "helm last request"),
    "helm started -> database applied": ("helm started", "database applied"),
    "database: applied -> scheduled": ("database applied", "database PodScheduled"),
    "database: scheduled -> sandbox": ("database PodScheduled", "database sandbox"),
    "database: sandbox -> container": ("database sandbox", "database started"),
    "database: first start": ("database started", "server begun"),
    "database: server -> first TCP answer": ("server begun", "server answers"),
    "database: first TCP answer -> pod Ready seen": ("server answers", "database Ready"),
    "storefront: applied -> scheduled": ("storefront applied", "storefront PodScheduled"),
    "storefront: scheduled -> sandbox": ("storefront PodScheduled", "storefront sandbox"),
    "storefront: sandbox -> web": ("storefront sandbox", "web started"),
    "storefront: web -> agent": ("web started", "agent started"),
    "agent: container -> its first word": ("agent started", "agent speaks"),
    "agent: first word -> it installs (waits for the database)": ("agent speaks", "agent installs"),
}
_LAST = {
    "agent: looks, and asks pages; with all rounds in vain": ("agent looks", "agent ready"),
    "agent Ready -> pod Ready seen (probe lag)": ("agent ready", "storefront Ready"),
    "last pod Ready -> row READY (reconcile lag)": ("pods ready", "row ready"),
}
_LAGS = {
    "  web: the image's plugins and themes (overlaps)": ("web started", "apache begun"),
    "  database answers -> agent installs (overlaps)": ("server answers", "agent installs"),
    "  database Ready seen -> agent installs (overlaps)": ("database Ready", "agent installs"),
    "  agent installs -> agent Ready (overlaps)": ("agent installs", "agent ready"),
    "  probe lag: agent Ready -> readiness probe says yes": ("agent ready", "agent's readiness probe"),
    "  probe lag: readiness probe -> pod Ready seen": ("agent's readiness probe", "storefront Ready"),
}
_OTHERS = (
    "database held back by its CPU limit", "web held back by its CPU limit",
    "agent held back by its CPU limit", "API requests of Helm (count)", "rounds of the agent (count)",
    "pages turned away before READY (count)",
)  # fmt: skip

WHOLES = tuple(_WHOLES)
STEPS = (*_BETWEEN, *(f"agent: {task}" for task in STEPPING), *_LAST)
DETAILS = (*_LAGS, *(f"  agent: {task} (overlaps)" for task in LOOKING), *(f"  {name}" for name in _OTHERS))


def rows(boot: Boot) -> dict[str, float | None]:
    """Seconds of each row, in the order of the table; counts where the name says so."""
    found = {name: boot.between(*ends) for name, ends in {**_WHOLES, **_BETWEEN}.items()}
    found |= {f"agent: {task}": boot.spans.get(task) for task in STEPPING}
    found |= {f"  agent: {task} (overlaps)": boot.spans.get(task) for task in LOOKING}
    found |= {name: boot.between(*ends) for name, ends in {**_LAST, **_LAGS}.items()}
    return found | {f"  {name}": boot.spans.get(name) for name in _OTHERS}
