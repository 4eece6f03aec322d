"""Which provider is chosen, and when `existing` may be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from dev.cluster import existing, providers
from dev.cluster.cluster import ClusterError
from dev.cluster.existing import Existing
from dev.cluster.kind import Kind
from dev.cluster.node.provider import Node
from dev.cluster.simulated import Simulated
from dev.machine.place import Place


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("URUMI_CONTEXT", raising=False)


def _kubeconfig(file: Path, *contexts: str, current: str = "") -> Path:
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": current,
                "contexts": [
                    {"name": one, "context": {"cluster": f"c-{one}", "user": "me"}} for one in contexts
                ],
                "clusters": [
                    {
                        "name": f"c-{one}",
                        "cluster": {"server": "https://x", "certificate-authority": "ca.crt"},
                    }
                    for one in contexts
                ],
                "users": [{"name": "me", "user": {"token": f"of {file.name}"}}],
            }
        )
    )
    return file


@pytest.fixture
def fits(monkeypatch):
    """Say which providers fit, by their reasons not to."""

    def set_reasons(*, kind: str | None, node: str | None, simulated: str | None) -> None:
        monkeypatch.setattr(Kind, "unfit", lambda _: kind)
        monkeypatch.setattr(Node, "unfit", lambda _: node)
        monkeypatch.setattr(Simulated, "unfit", lambda _: simulated)

    return set_reasons


class TestChoice:
    def test_kind_comes_first_where_it_fits(self, fits):
        fits(kind=None, node=None, simulated=None)
        assert providers.choose(None).name == "kind"

    def test_a_node_where_there_is_no_docker(self, fits):
        fits(kind="no Docker", node=None, simulated=None)
        assert providers.choose(None).name == "node"

    def test_simulated_where_no_pod_can_be_real(self, fits):
        fits(kind="no Docker", node="not root", simulated=None)
        assert providers.choose("").name == "simulated"

    def test_nothing_fits_says_why_each(self, fits):
        fits(kind="no Docker", node="not root", simulated="no Go")
        with pytest.raises(ClusterError, match=r"(?s)kind: no Docker.*node: not root.*simulated: no Go"):
            providers.choose(None)

    def test_a_kubeconfig_alone_is_not_on_purpose(self, fits, monkeypatch):
        fits(kind=None, node=None, simulated=None)
        monkeypatch.setenv("KUBECONFIG", "/some/file")
        assert providers.choose(None).name == "kind"

    def test_a_kubeconfig_with_its_context_is(self, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", "/some/file")
        monkeypatch.setenv("URUMI_CONTEXT", "shop")
        assert providers.choose(None).name == "existing"

    def test_one_named_is_given_even_where_it_does_not_fit(self, fits):
        fits(kind="no Docker", node=None, simulated="no Go")
        assert providers.choose("kind").name == "kind"

    def test_an_unknown_name_lists_the_known(self):
        with pytest.raises(ClusterError, match=r"'minikube'.*existing, kind, node, simulated"):
            providers.choose("minikube")


class TestExisting:
    def test_without_kubeconfig_it_says_what_to_set(self):
        assert "set KUBECONFIG" in str(Existing().unfit())

    def test_a_foreign_context_is_refused_and_the_way_named(self, tmp_path, monkeypatch):
        file = _kubeconfig(tmp_path / "config", "production", current="production")
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(ClusterError, match="URUMI_CONTEXT=production"):
            Existing().up(Place(tmp_path / "place"), lambda _: None)
        assert not (tmp_path / "place" / "kubeconfig").exists()

    def test_it_is_taken_when_named_on_purpose(self, tmp_path, monkeypatch):
        file = _kubeconfig(tmp_path / "config", "production", current="production")
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setenv("URUMI_CONTEXT", "production")
        assert Existing().unfit() is None

    @pytest.mark.parametrize("context", ["urumi-simulated", "urumi-node", "kind-urumi-0a1b2c3d"])
    def test_our_own_context_needs_no_naming(self, tmp_path, monkeypatch, context):
        monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path / "config", context, current=context)))
        assert Existing().unfit() is None

    def test_an_unknown_context_lists_the_known(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path / "config", "a", "b")))
        monkeypatch.setenv("URUMI_CONTEXT", "c")
        assert "'c'" in str(Existing().unfit())
        assert "a, b" in str(Existing().unfit())

    def test_a_file_that_is_no_kubeconfig_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "config").write_text("contexts: [1]")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        assert "is not a kubeconfig" in str(Existing().unfit())

    def test_only_the_chosen_context_is_copied_with_absolute_paths(self, tmp_path, monkeypatch):
        first = _kubeconfig(tmp_path / "first", "a", current="a")
        second = _kubeconfig(tmp_path / "second", "a", "b", current="b")
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(second)]))
        monkeypatch.setenv("URUMI_CONTEXT", "b")
        monkeypatch.setattr(existing, "answers", lambda kubeconfig, patience: True)
        monkeypatch.setattr(existing.build, "helm", lambda say: Path("/helm"))
        place = Place(tmp_path / "place")
        place.root.mkdir()
        cluster = Existing().up(place, lambda _: None)
        written = yaml.safe_load(cluster.kubeconfig.read_text())
        assert [one["name"] for one in written["contexts"]] == ["b"]
        assert written["current-context"] == "b"
        assert written["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")
        assert written["users"][0]["user"]["token"] == "of first"  # the first file that has the name wins
        assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
        assert cluster.parts == ()


def test_no_go_makes_simulated_unfit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no `go`" in str(Simulated().unfit())
