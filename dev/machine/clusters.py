"""The place's cluster: started and stopped through its provider, and the credentials of who works in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from dev.cluster.cluster import Cluster, ClusterError, Provider
from dev.machine.errors import MachineError
from dev.machine.place import Place


def choose(place: Place) -> Provider:
    """The provider that CLUSTER names, else the place's from last time, else the first that fits.

    Raises MachineError.
    """
    from dev.cluster.providers import choose as choose_provider  # noqa: PLC0415 - slow, and `status` needs none of it

    try:
        return choose_provider(os.environ.get("CLUSTER") or _note(place).provider)
    except ClusterError as error:
        raise MachineError(str(error)) from error


def up(place: Place, provider: Provider, say: Callable[[str], None]) -> tuple[Cluster, Mapping[str, Path]]:
    """Start or reuse the cluster; the place's earlier one of another provider is stopped first.

    Returns it and the kubeconfig of each identity in it. Raises MachineError.
    """
    from dev.cluster import platform  # noqa: PLC0415 - as above

    earlier = _note(place).provider
    if earlier and earlier != provider.name:
        say(f"cluster: {provider.name} takes the place of {earlier}")
        down(place, say)
    # Before it starts, so that `down` finds the provider when `up` is killed half-way.
    _write(place, _Note(provider.name, _note(place).parts if earlier == provider.name else ()))
    try:
        cluster = provider.up(place, say)
        _write(place, _Note(provider.name, cluster.parts))
        return cluster, platform.up(place, cluster, say)
    except ClusterError as error:
        raise MachineError(str(error)) from error


def down(place: Place, say: Callable[[str], None]) -> None:
    """Stop the place's cluster, if it ever had one, and keep its data."""
    _have(place, say, lambda provider: provider.down(place))


def forget(place: Place, say: Callable[[str], None]) -> None:
    """Remove what the cluster's provider keeps of the place elsewhere, if the place ever had a cluster."""
    _have(place, say, lambda provider: provider.forget(place))


def parts(place: Place) -> tuple[str, ...]:
    """The names of the cluster's processes, as it was started last."""
    return _note(place).parts


def _have(place: Place, say: Callable[[str], None], end: Callable[[Provider], object]) -> None:
    from dev.cluster.providers import choose as choose_provider  # noqa: PLC0415 - as above

    if name := _note(place).provider:
        try:
            end(choose_provider(name))
        except ClusterError as error:
            say(f"cluster {name}: {error}")


class _Note(NamedTuple):
    provider: str | None
    parts: tuple[str, ...]


def _write(place: Place, note: _Note) -> None:
    _file(place).write_text(json.dumps(note._asdict()))


def _note(place: Place) -> _Note:
    try:
        note = json.loads(_file(place).read_text())
        return _Note(note["provider"], tuple(note["parts"]))
    except (FileNotFoundError, ValueError, KeyError):
        return _Note(None, ())


def _file(place: Place) -> Path:
    return place.data / "cluster.json"
