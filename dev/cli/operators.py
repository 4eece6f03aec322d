"""What an operator's commands work with: the platform of the environment, or else the one of this place."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from dev.cli.failures import UNREACHABLE, USAGE, CommandError
from dev.machine import environment
from dev.machine.place import Place

if TYPE_CHECKING:
    from control_plane.ports.registry import Registry
    from control_plane.settings import DoctorSettings

_NEEDED = ("URUMI_OPERATOR_DATABASE_URL", "URUMI_OPERATOR_KUBECONFIG")
_CELL = "URUMI_CELL"


def settings() -> DoctorSettings:
    """How to read the platform. Raises CommandError where it was never started."""
    from control_plane.settings import DoctorSettings  # noqa: PLC0415 - costs what `urumi --help` need not pay

    given = any(name in os.environ for name in _NEEDED)
    # Never the database of one platform and the cluster of another.
    known = dict(os.environ) if given else environment.read(Place.from_environment())
    missing = [name for name in _NEEDED if name not in known]
    if missing and given:
        raise CommandError(f"{missing[0]} is not set: both of {' and '.join(_NEEDED)} are needed")
    if missing:
        raise CommandError("the platform was never started here: `urumi up` starts it", UNREACHABLE)
    values = {name: known[name] for name in _NEEDED}
    return DoctorSettings.model_validate({**values, _CELL: known.get(_CELL, "local")})


@contextmanager
def registry(values: Mapping[str, str] | None = None) -> Iterator[Registry]:
    """Accounts and people; `values` instead of the environment. What goes wrong becomes a CommandError."""
    from control_plane import bootstrap  # noqa: PLC0415 - as above
    from control_plane.domain.errors import TemporaryError  # noqa: PLC0415 - as above
    from control_plane.domain.registry import RegistryError  # noqa: PLC0415 - as above

    name = _NEEDED[0]
    known = values or (os.environ if name in os.environ else environment.read(Place.from_environment()))
    if name not in known:
        raise CommandError("the platform was never started here: `urumi up` starts it", UNREACHABLE)
    try:
        yield bootstrap.registry(known[name])
    except RegistryError as error:
        raise CommandError(str(error)) from error
    except TemporaryError as error:
        raise CommandError(f"{error}: `urumi status` shows what runs", UNREACHABLE) from error


def an_id(text: str) -> UUID:
    """An id that somebody typed. Raises CommandError."""
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no id: write it as it is shown", USAGE) from error


def user() -> str:
    """Who gives the command, for the record."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
