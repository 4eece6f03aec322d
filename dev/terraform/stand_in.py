"""Terraform with stand-ins for its providers, so that it needs neither their registry nor a cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cluster import Say
from dev.terraform import place

_TYPE = re.compile(r"\w+_\w+")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it said."""

    code: int
    said: str


@dataclass(frozen=True)
class Terraform:
    """The pinned program, and where it finds its providers."""

    program: Path
    environment: Mapping[str, str]
    applied: Path
    """What the stand-ins were told to make, change and remove: a line of JSON each (provider.py)."""
    failing: Path
    """Names the types of resources that the stand-ins fail to make and change."""

    def run(self, folder: Path, *arguments: str) -> Outcome:
        """`terraform ARGUMENTS` in a folder."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)


@contextmanager
def terraform(root: Path, say: Say) -> Iterator[Terraform]:
    """Terraform, with a stand-in serving for each provider until the block ends.

    They serve the types that files below `root` name: each command reads the whole schema anew.
    """
    program = place.terraform(say)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="terraform-")))
        applied, failing = folder / "applied", folder / "failing"
        applied.touch()
        failing.touch()
        reach = {
            f"hashicorp/{name}": stack.enter_context(_serving(name, root, folder, say))
            for name in place.PROVIDERS
        }
        configuration = folder / "terraform.rc"
        configuration.write_text("disable_checkpoint = true\n")
        yield Terraform(
            program,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TF_CLI_CONFIG_FILE": str(configuration),
                "TF_IN_AUTOMATION": "1",
                "TF_CLI_ARGS": "-no-color",
                "GOGC": "400",  # a run lasts seconds: memory is cheaper than collecting it
                "TF_REATTACH_PROVIDERS": json.dumps(reach),
            },
            applied,
            failing,
        )


@contextmanager
def _serving(name: str, root: Path, folder: Path, say: Say) -> Iterator[dict[str, object]]:
    """How Terraform reaches the stand-in for provider `name`, in the words of TF_REATTACH_PROVIDERS."""
    whole = json.loads(place.schema(name, say).read_bytes())
    written = {word for file in root.rglob("*.tf") for word in _TYPE.findall(file.read_text())}
    for kind in ("resources", "data"):
        whole[kind] = {type_: whole[kind][type_] for type_ in written & whole[kind].keys()}
    schema, socket = folder / f"{name}.json", folder / f"{name}.sock"
    schema.write_text(json.dumps(whole))
    argv: list[str | Path] = [place.python("provider", say), "-P", place.HERE / "provider.py"]
    argv += [schema, socket, folder / "applied", folder / "failing"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serving:
        assert serving.stdin is not None  # noqa: S101 - for the type checker
        assert serving.stdout is not None  # noqa: S101
        if serving.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the stand-in for the provider {name} did not start")
        yield {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": serving.pid,
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
        serving.stdin.close()
