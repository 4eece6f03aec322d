"""What every cluster provider offers, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from dev.machine.place import Place

Say = Callable[[str], None]
"""Takes one line of progress for the person who waits."""


class ClusterError(Exception):
    """The cluster cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers, and how to reach it."""

    provider: str
    kubeconfig: Path  # what the functions use
    helm: Path  # the pinned Helm 4
    pods: Literal["real", "simulated"]
    parts: tuple[str, ...]  # processes it started, by their name in dev.machine.processes
    front_door: int = 8088  # the port of 127.0.0.1 at which stores answer, where any do
    values: Mapping[str, Any] = field(default_factory=dict)  # chart values that all its stores share


class Provider(Protocol):
    """One way to have a cluster on this machine."""

    @property
    def name(self) -> str:
        """The word that chooses it: `CLUSTER=name`."""

    def unfit(self) -> str | None:
        """Why it cannot run on this machine and what to do about it; None if it can."""

    def up(self, place: Place, say: Say) -> Cluster:
        """Start the cluster or reuse what runs, also after any part of it was killed.

        Raises ClusterError.
        """

    def down(self, place: Place) -> None:
        """Stop what `up` started and keep its data. Safe to call when nothing runs."""

    def forget(self, place: Place) -> None:
        """Remove, after `down`, what it keeps of the place outside of the place's folder.

        Raises ClusterError.
        """
