"""What an operator's commands work with: the platform of the environment, or else the one of this place."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

from dev.cli.failures import UNREACHABLE, CommandError
from dev.machine import environment
from dev.machine.place import Place

if TYPE_CHECKING:
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


def user() -> str:
    """Who gives the command, for the record."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
