"""Provider `existing`: a cluster that somebody else runs, used on purpose only."""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import build
from dev.cluster.cluster import Cluster, ClusterError, Say
from dev.cluster.reach import answers
from dev.machine.place import Place
from dev.machine.private_files import write_private

_OURS = re.compile(r"urumi-simulated|urumi-node|kind-urumi-[0-9a-f]{8}")
"""Contexts that our own providers make."""

_LISTS = {"contexts": "context", "clusters": "cluster", "users": "user"}
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class Existing:
    """The cluster of one context of KUBECONFIG; never started or stopped by us."""

    name = "existing"

    def unfit(self) -> str | None:
        try:
            _chosen()
        except ClusterError as error:
            return str(error)
        return None

    def up(self, place: Place, say: Say) -> Cluster:
        context, text = _chosen()
        helm = build.helm(say)
        write_private(place.kubeconfig, text)
        if not answers(place.kubeconfig, patience=0):
            raise ClusterError(
                f"the cluster of context {context!r} does not answer: is it up, and do you reach it?"
            )
        say(f"using the existing cluster of context {context!r}")
        return Cluster(self.name, place.kubeconfig, helm, "real", ())

    def down(self, place: Place) -> None:
        """Nothing: it is somebody else's."""

    def forget(self, place: Place) -> None:
        """Nothing, as above."""


def meant() -> bool:
    """Whether the environment asks for an existing cluster without naming the provider."""
    return bool(os.environ.get("KUBECONFIG") and os.environ.get("URUMI_CONTEXT"))


def _chosen() -> tuple[str, str]:
    """The context to use and a kubeconfig of it alone. Raises ClusterError if there is none to use."""
    files = [Path(name).absolute() for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if not files:
        raise ClusterError("set KUBECONFIG to the file that says how to reach the cluster")
    merged = _merged([file for file in files if file.exists()])
    if not merged["contexts"]:
        raise ClusterError(f"there is no context in {os.environ['KUBECONFIG']} (KUBECONFIG)")
    named = os.environ.get("URUMI_CONTEXT")
    context = named or merged["current-context"]
    if context not in merged["contexts"]:
        known = ", ".join(sorted(merged["contexts"]))
        raise ClusterError(f"KUBECONFIG has no context {context!r}: set URUMI_CONTEXT to one of {known}")
    if not named and not _OURS.fullmatch(context):
        raise ClusterError(
            f"context {context!r} is not one that this project made, and stores would be put into its "
            f"cluster: if you mean it, set URUMI_CONTEXT={context}"
        )
    return context, _alone(merged, context)


def _merged(files: list[Path]) -> dict[str, Any]:
    """All files as one, the first that has a name winning, as kubectl does it; paths made absolute."""
    merged: dict[str, Any] = {"current-context": "", **{section: {} for section in _LISTS}}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text()) or {}
            merged["current-context"] = merged["current-context"] or content.get("current-context") or ""
            for section, kind in _LISTS.items():
                for entry in content.get(section) or []:
                    merged[section].setdefault(entry["name"], _absolute(entry[kind], file.parent))
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise ClusterError(f"{file} (KUBECONFIG) is not a kubeconfig: {error!r}") from error
    return merged


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    found = copy.deepcopy(entry)
    for key in _PATHS:
        if found.get(key):
            found[key] = str(folder / found[key])
    command = found.get("exec", {}).get("command", "")
    if "/" in command:
        found["exec"]["command"] = str(folder / command)
    return found


def _alone(merged: dict[str, Any], context: str) -> str:
    chosen = merged["contexts"][context]
    names = {"contexts": context, "clusters": chosen.get("cluster"), "users": chosen.get("user")}
    kept: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": context}
    for section, kind in _LISTS.items():
        name = names[section]
        if name not in merged[section]:
            raise ClusterError(f"context {context!r} of KUBECONFIG names {kind} {name!r}, which is not there")
        kept[section] = [{"name": name, kind: merged[section][name]}]
    return yaml.safe_dump(kept, sort_keys=False)
