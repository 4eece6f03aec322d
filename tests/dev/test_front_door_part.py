"""How the front door is started, how it finds its server, and what it says by itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from dev.cluster import kubeconfig
from dev.front_door import configuration, pages, server
from dev.front_door.part import command
from dev.front_door.server import Server, UnknownServerError
from dev.machine.place import CHECKOUT

PACKAGE = CHECKOUT / "dev" / "front_door"


def test_it_needs_the_standard_library_only():
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.startswith("dev.front_door") or name.split(".")[0] in sys.stdlib_module_names, (
                    name
                )


def test_the_projects_own_kubeconfigs_are_understood(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(
        kubeconfig.with_token("one", kubeconfig.trusting("https://127.0.0.1:6443", b"PEM"), "secret")
    )
    assert server.of_kubeconfig(file) == Server("https://127.0.0.1:6443", "PEM", "secret")


@pytest.mark.parametrize(
    "content", ["a: yaml", "{}", "[]", json.dumps({"current-context": "a", "contexts": []})]
)
def test_another_kubeconfig_is_refused_by_name(tmp_path, content):
    (tmp_path / "odd").write_text(content)
    with pytest.raises(UnknownServerError, match="odd is no kubeconfig in JSON with a token"):
        server.of_kubeconfig(tmp_path / "odd")


def test_a_pod_asks_with_its_own_service_account(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_POD", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(UnknownServerError, match="no kubeconfig is given, and this is no pod"):
        server.of_pod()
    (tmp_path / "ca.crt").write_text("PEM")
    (tmp_path / "token").write_text("secret\n")
    assert server.of_pod() == Server("https://[fd00::1]:443", "PEM", "secret")


def test_its_command_line_is_understood(tmp_path):
    argv = command(sys.executable, tmp_path / "missing", tmp_path / "folder", 1)
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"ERROR the front door cannot start: {tmp_path / 'missing'} is no kubeconfig"
    )
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("name", pages.files())
def test_each_page_is_a_whole_answer_and_tells_nothing(name):
    head, body = pages.files()[name].split("\r\n\r\n")
    fields = dict(line.split(": ") for line in head.split("\r\n")[1:])
    assert int(fields["Content-Length"]) == len(body.encode())
    assert ("Retry-After" in fields) == name.startswith(("502", "503", "504"))
    for word in ("haproxy", "kubernetes", "urumi", "pod", "backend", "upstream"):
        assert word not in body.lower()


def test_every_status_of_its_own_has_a_page():
    denied = {
        int(line.split("deny_status ")[1][:3])
        for line in configuration.configuration(3, 4).splitlines()
        if "deny_status" in line
    }
    assert {pages.file(status) for status in denied} <= pages.files().keys()
