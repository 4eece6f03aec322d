"""What these tests need of the machine, beside what the store's images need."""

from __future__ import annotations

import shutil

from tests.images import needs


def missing() -> str | None:
    """Why the tests cannot run here, and what to do; None if they can."""
    for program, package in {"dpkg": "dpkg", "runc": "runc"}.items():
        if shutil.which(program) is None:
            return f"{program} is missing: 'apt-get install {package}' on Debian or Ubuntu"
    return needs.missing()
