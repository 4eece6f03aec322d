"""What the documents say and the code can tell: names of tests, links, versions, rings, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import go
from dev.cluster.node import provider
from dev.machine.place import CHECKOUT
from tests.rings import RINGS

DOCUMENTS = sorted(
    [
        *CHECKOUT.glob("*.md"),
        *CHECKOUT.glob("docs/**/*.md"),
        *(
            CHECKOUT / folder / "README.md"
            for folder in ("chart", "dev/cluster", "images", "infra/terraform", "platform")
        ),
    ]
)
MODULES = {
    "kube-apiserver": "k8s.io/kubernetes",
    "helm": "helm.sh/helm/v4",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "containerd": "github.com/containerd/containerd/v2",
    "CNI": "github.com/containernetworking/plugins",
    "CoreDNS": "github.com/coredns/coredns",
    "sig-storage-lib-external-provisioner": "sigs.k8s.io/sig-storage-lib-external-provisioner/v13",
}


def _text(name: str) -> str:
    return (CHECKOUT / name).read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: str(one.relative_to(CHECKOUT)))
def test_every_test_and_every_document_that_is_named_is_there(document: Path):
    text = document.read_text()
    named = {CHECKOUT / test for test in re.findall(r"`(tests/[\w/.]+)`", text)}
    linked = {
        document.parent / link.partition("#")[0]
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text)
        if "://" not in link
    }
    assert [str(one) for one in sorted(named | linked) if not one.exists()] == []


def test_each_claim_of_the_readme_has_a_test():
    claims = _text("README.md").partition("## What holds")[2].partition("\nNot yet there")[0]
    rows = [row for row in claims.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row and "`make test-" not in row] == []


def test_every_ring_is_in_the_contributors_table_and_in_the_architecture():
    table = _text("CONTRIBUTING.md")
    (line,) = [row for row in _text("docs/architecture.md").splitlines() if row.startswith("| `tests/`")]
    for ring in RINGS:
        assert f"   | {ring.name} | `" in table
        assert re.search(rf"\b{ring.name}\b", line), ring.name


def test_the_readme_names_the_go_and_the_packages_that_are_needed():
    readme = _text("README.md")
    assert f"Go {go._needed()} or newer" in readme
    packages = re.search(r"packages more\s+\(([^;]+);", readme)
    assert packages
    assert re.findall(r"`([^`]+)`", packages[1]) == sorted(provider._PROGRAMS.values())


def _versions() -> Iterator[tuple[str, str]]:
    """Each tool of the cluster's table with its version."""
    table = _text("dev/cluster/README.md").partition("| tool | version |")[2]
    for row in table.splitlines():
        if found := re.match(r"\| ([\w-]+)[^|]* \| (?:Kubernetes )?([\d.]+)", row):
            yield found[1], found[2]


def test_the_clusters_tools_have_the_versions_that_are_pinned():
    assert dict(_versions()) == {
        tool: go.required(module).removeprefix("v") for tool, module in MODULES.items()
    }


def test_the_manual_has_every_sentence_that_an_agent_can_say():
    reasons = re.findall(r"case \w+ = '((?:[^'\\]|\\.)*)';", _text("images/store/lib/Agent/Reason.php"))
    assert len(reasons) > 10
    manual = _text("docs/operating.md")
    for reason in reasons:
        assert '"{}"'.format(reason.replace("\\'", "'")) in manual
