"""`python -m dev.terraform fmt` complains about files out of form; `identities` writes the README's table."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from dev.cluster.cluster import ClusterError
from dev.machine.place import CHECKOUT
from dev.terraform import place
from dev.terraform.applied import applied
from dev.terraform.document import rewritten
from dev.terraform.identities import table
from dev.terraform.stand_in import terraform
from dev.terraform.working_copy import initialised

ROOT = CHECKOUT / "infra/terraform"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _fmt() -> int:
    try:
        program = place.terraform(_say)
    except ClusterError as error:
        sys.exit(f"error: {error}")
    return subprocess.run([program, "fmt", "-check", "-diff", "-recursive"], cwd=ROOT, check=False).returncode


def _identities() -> int:
    with tempfile.TemporaryDirectory() as folder, terraform(ROOT, _say) as program:
        root = initialised(program, ROOT, Path(folder))
        made = table(applied(program, root, "prod"))
    readme = ROOT / "README.md"
    readme.write_text(rewritten(readme.read_text(), made))
    return 0


COMMANDS = {"fmt": _fmt, "identities": _identities}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python -m dev.terraform {'|'.join(COMMANDS)}")
    sys.exit(COMMANDS[sys.argv[1]]())
