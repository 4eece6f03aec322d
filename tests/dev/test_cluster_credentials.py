"""When a function's credentials are taken as they are, and what a kubeconfig of ours says."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
import yaml

from dev.cluster import credentials, kubeconfig
from dev.cluster.api import Api, RefusedError
from dev.machine.place import Place
from dev.machine.private_files import write_private

CLUSTER = kubeconfig.trusting("https://127.0.0.1:6443", b"PEM")
YEAR = 365 * 86400


def _token(*, age: float, life: float = YEAR) -> str:
    claims = {"iat": time.time() - age, "exp": time.time() - age + life}
    return f"header.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def asked(monkeypatch):
    """The paths that the API server, which takes every token, was asked for."""
    paths: list[str] = []
    monkeypatch.setattr(Api, "create", lambda self, path, content: paths.append(path))
    return paths


def _keep(place: Place, token: str, cluster: kubeconfig.Entry = CLUSTER) -> None:
    write_private(credentials.file(place, "provision"), kubeconfig.with_token("provision", cluster, token))


def test_a_young_token_that_the_server_takes_is_kept(place, asked):
    _keep(place, _token(age=YEAR * 0.49))
    api = credentials.bearer(place, "provision", CLUSTER)
    assert api
    assert (api.server, api.ca) == ("https://127.0.0.1:6443", "PEM")
    assert asked == ["/apis/authentication.k8s.io/v1/selfsubjectreviews"]


def test_a_token_is_renewed_when_half_its_life_is_gone(place, asked):
    _keep(place, _token(age=YEAR * 0.51))
    assert credentials.bearer(place, "provision", CLUSTER) is None
    _keep(place, _token(age=1801, life=3600))
    assert credentials.bearer(place, "provision", CLUSTER) is None
    assert asked == []


def test_a_token_for_another_server_is_not_shown_to_it(place, asked):
    _keep(place, _token(age=0), kubeconfig.trusting("https://127.0.0.1:6444", b"PEM"))
    assert credentials.bearer(place, "provision", CLUSTER) is None
    assert asked == []


def test_a_token_that_the_server_refuses_is_no_good(place, monkeypatch):
    def refuse(self: Api, path: str, content: object) -> None:
        raise RefusedError("401")

    monkeypatch.setattr(Api, "create", refuse)
    _keep(place, _token(age=0))
    assert credentials.bearer(place, "provision", CLUSTER) is None


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_no_file_or_half_of_one_is_no_credentials(place, asked, text):
    if text is not None:
        credentials.file(place, "provision").write_text(text)
    assert credentials.bearer(place, "provision", CLUSTER) is None


def test_a_made_kubeconfig_is_read_back(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig.with_token("me", CLUSTER, "secret"))
    assert kubeconfig.cluster_of(file) == CLUSTER
    assert kubeconfig.token_of(file) == "secret"
    assert yaml.safe_load(file.read_text())["current-context"] == "me"


def test_the_cluster_is_that_of_the_current_context(tmp_path: Path):
    file = tmp_path / "kubeconfig"
    content = {
        "current-context": "b",
        "contexts": [{"name": n, "context": {"cluster": f"c-{n}", "user": "me"}} for n in "ab"],
        "clusters": [{"name": f"c-{n}", "cluster": {"server": f"https://{n}"}} for n in "ab"],
    }
    file.write_text(yaml.safe_dump(content))
    assert kubeconfig.cluster_of(file) == {"server": "https://b"}
