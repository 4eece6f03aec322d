"""What these tests need of the machine."""

from __future__ import annotations

import shutil

from images import debian
from images.definitions import ImageError

_PROGRAMS = {"ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux"}


def missing() -> str | None:
    """Why the tests cannot run here, and what to do; None if they can."""
    try:
        debian.check()
    except ImageError as error:
        return str(error)
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            return f"{program} is missing: 'apt-get install {package}' on Debian or Ubuntu"
    return None
