"""What kwok does to pods, claims and the node, and when: its configuration."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.cluster import ClusterError

SETTINGS = Path(__file__).parent / "settings"


def pod_delay() -> float:
    """Seconds from a pod's place on the node to Ready: `URUMI_POD_DELAY`, else 2. Raises ClusterError."""
    text = os.environ.get("URUMI_POD_DELAY") or "2"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86_400:
        raise ClusterError(
            f"URUMI_POD_DELAY must be a number of seconds from 0 to 86400, such as 0.5; it is {text!r}"
        )
    return seconds


def configuration(shipped: Path, delay: float) -> str:
    """kwok's configuration: the Stages it ships, the claims' own, and pods Ready after `delay` seconds."""
    stages = [stage for file in sorted(shipped.glob("*.yaml")) for stage in _stages(file)]
    for stage in stages:
        if stage["metadata"]["name"] == "pod-ready":
            stage["spec"]["delay"] = {"durationMilliseconds": round(delay * 1000)}
    settings = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        # kwok fills in none of these where one is given. Pods: ten times the usual 4, so that a hundred
        # stores at once do not wait for kwok.
        "options": {
            "podPlayStageParallelism": 40,
            "nodePlayStageParallelism": 1,
            "nodeLeaseParallelism": 1,
            "podsOnNodeSyncParallelism": 1,
        },
    }
    return yaml.safe_dump_all([settings, *stages, *_stages(SETTINGS / "claim-stages.yaml")])


def _stages(file: Path) -> list[dict[str, Any]]:
    return [stage for stage in yaml.safe_load_all(file.read_text()) if stage]
