"""What an instance may do: nothing but serve, and what it needs for that works."""

from __future__ import annotations

import json
from collections.abc import Callable

from dev.cluster import go
from tests.functions_image.cloud_run import Instance
from tests.functions_image.settings import settings

RELEASE = "store-3f2b8c1e-9d47-4a6b-8e05-1c7d2f9a0b34"  # of the chart's example
LOOK = """
import errno, json, os, pathlib, socket

def write(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
sets = {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "capabilities": sets == {"0" * 16},
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "links": [name for _, name in socket.if_nameindex()],
    "written": {path: write(path) for path in ("/app/x", "/app/venv/x", "/x", "/var/tmp/x", "/tmp/x")},
    "names": sorted(os.environ),
}))
"""
IMPORT_ALL = """
import importlib, pkgutil
import control_plane
names = [each.name for each in pkgutil.walk_packages(control_plane.__path__, "control_plane.")]
skipped = [name for name in names if name.startswith("control_plane.migrations.")]  # run by Alembic only
for name in set(names) - set(skipped):
    importlib.import_module(name)
print(len(names))
"""


def test_an_instance_has_no_right_and_writes_only_to_tmp(new: Callable[[], Instance]) -> None:
    status, printed = new().run("python", "-c", LOOK)
    assert status == 0, printed
    found = json.loads(printed)
    assert found["user"] == [65532, 65532, []]
    assert found["capabilities"]
    assert found["no_new_privileges"] == "1"
    assert found["links"] == ["lo"]
    assert found["written"].pop("/tmp/x") == "written"  # noqa: S108 - in the instance
    assert set(found["written"].values()) <= {"EROFS", "EACCES"}
    assert {"URUMI_HELM", "URUMI_CHART", "PATH"} <= {*found["names"]}


def test_more_memory_than_there_is_ends_it(new: Callable[[], Instance]) -> None:
    assert new().run("python", "-c", "x = b'x' * (350 << 20); print(len(x))") == (0, f"{350 << 20}\n")
    status, printed = new().run("python", "-c", "x = b'x' * (550 << 20); print(len(x))")
    assert (status, printed) == (137, "")


def test_what_is_written_to_tmp_counts_as_memory(new: Callable[[], Instance]) -> None:
    fill = "import os; os.write(os.open('/tmp/x', os.O_CREAT | os.O_WRONLY), b'x' * (300 << 20))"
    status, _ = new().run("python", "-c", fill)
    assert status == 137


def test_helm_runs_and_renders_the_chart(new: Callable[[], Instance]) -> None:
    status, version = new().run("helm", "version", "--template", "{{.Version}}")
    assert (status, version) == (0, go.required("helm.sh/helm/v4"))
    values = ("--namespace", RELEASE, "--values", "/app/chart/ci/minimal.yaml")
    status, rendered = new().run("helm", "template", RELEASE, "/app/chart", *values)
    assert status == 0, rendered
    assert "kind: StatefulSet" in rendered


def test_migrations_are_run_from_it(new: Callable[[], Instance]) -> None:
    status, printed = new().run("python", "-m", "control_plane.migrate", "--help")
    assert (status, "--cell" in printed) == (0, True)
    status, printed = new().run(
        "python", "-m", "control_plane.migrate", "--cell", "local", settings=settings("reconcile")
    )
    assert status == 1
    assert printed.startswith("the database could not be migrated:")
    assert "Traceback" not in printed


def test_the_credential_plugin_runs_from_it(new: Callable[[], Instance]) -> None:
    status, printed = new().run("/app/venv/bin/python", "-I", "-m", "control_plane.google_credentials")
    away = "the metadata server metadata.google.internal does not answer (gaierror)"
    assert (status, printed.strip()) == (1, away)


def test_every_module_of_ours_finds_what_it_imports_from_anywhere(new: Callable[[], Instance]) -> None:
    # From another folder than the image's, too: Helm starts what gives it tokens from where it likes.
    elsewhere = f"import os; os.chdir('/tmp')\n{IMPORT_ALL}"
    status, printed = new().run("python", "-c", elsewhere)
    assert status == 0, printed
    assert int(printed) > 80
