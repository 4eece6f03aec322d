"""What is in the image, what is not, and what it says of itself."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from dev.cluster import go
from images import build
from images.functions import definition, dep5
from images.functions.definition import FUNCTIONS
from tests.functions_image.conftest import Image

CHECKOUT = Path(__file__).resolve().parents[2]
MOST = 350_000_000  # bytes, unpacked
USER = 65532
UNCHECKED = 1  # of bytecode's flags: it is as good as its source, and nobody compares


def files(root: Path) -> list[Path]:
    return [one for one in root.rglob("*") if one.is_file() and not one.is_symlink()]


def locked() -> dict[str, str]:
    """The locked requirements, by their normal names."""
    found = re.findall(
        r"^([A-Za-z0-9._-]+)==([^ \\]+)", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE
    )
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def components(image: Image) -> dict[str, dict[str, Any]]:
    bill = json.loads(build.bill_of(image.archive).read_text())
    return {one["purl"]: one for one in bill["components"]}


def test_it_is_small(ours: Image, figure: Callable[[str], None]) -> None:
    parts = {"all": ours.root, "environment": ours.root / "app/venv", "helm": ours.root / "usr/local/bin"}
    sizes = {name: sum(one.stat().st_size for one in files(part)) for name, part in parts.items()}
    figure("unpacked: " + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.items()))
    assert sizes["all"] < MOST


def test_it_has_every_locked_requirement_and_no_other(image: Image) -> None:
    (site,) = image.root.glob("app/venv/lib/python3*/site-packages")
    installed = {
        re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions(path=[str(site)])
    }
    assert installed == locked()
    assert len(installed) > 50


def test_what_functions_read_beside_their_code_is_there(image: Image) -> None:
    functions = CHECKOUT / "functions"
    read = [one for one in files(functions) if one.suffix not in (".py", ".pyc")]
    assert functions / "create_store/templates/docs.css" in read
    there = image.root / "app/functions"
    assert [one for one in read if not (there / one.relative_to(functions)).is_file()] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "**/bin/pip*", "**/site-packages/pip", "**/site-packages/setuptools", "**/tests", "**/ensurepip",
        "**/*.a", "**/*.pyi", "**/RECORD", "app/dev", "**/.git", "**/.venv",
    ],
)  # fmt: skip
def test_what_nobody_needs_to_run_it_is_not_there(image: Image, pattern: str) -> None:
    assert list(image.root.glob(pattern)) == []


@pytest.mark.parametrize(
    "pattern",
    ["usr/bin/*sh", "usr/bin/apt*", "usr/bin/dpkg*", "usr/bin/perl*", "usr/sbin/useradd", "etc/hostname"],
)
def test_ours_has_nothing_to_install_or_to_look_around_with(ours: Image, pattern: str) -> None:
    assert list(ours.root.glob(pattern)) == []


def test_nothing_gives_a_right_and_only_tmp_can_be_written(image: Image) -> None:
    every = [(one, one.lstat()) for one in image.root.rglob("*") if not one.is_symlink()]
    assert [one for one, found in every if stat.S_ISREG(found.st_mode) and found.st_mode & 0o6000] == []
    writable = [
        str(one.relative_to(image.root))
        for one, found in every
        if found.st_mode & 0o002 or USER in (found.st_uid, found.st_gid)
    ]
    assert writable == ["tmp"]


def test_all_python_is_compiled_and_no_time_is_compared(image: Image) -> None:
    sources = [one for part in ("app", "usr") for one in (image.root / part).rglob("*.py")]
    assert len(sources) > 5000
    for source in sources:
        compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
        assert len(compiled) == 1, source
        assert int.from_bytes(compiled[0].read_bytes()[4:8], "little") == UNCHECKED, source


def test_servers_are_known_by_debians_certificates(image: Image) -> None:
    folder = image.root / "etc/ssl/certs"
    assert (folder / "ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100  # where Go looks
    assert len(list(folder.glob("*.0"))) > 100  # and Python


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.run["Labels"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    prefix = "org.opencontainers.image."
    assert labels[prefix + "title"] == "Urumi control plane"
    assert labels[prefix + "version"].removeprefix("v") == project["version"]  # of a release it is the tag
    assert labels[prefix + "licenses"] == project["license"]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert labels[prefix + "revision"].removesuffix("-dirty") == commit
    assert image.run["User"] == f"{USER}:{USER}"
    assert image.run["Cmd"] == ["python", "-m", "control_plane.launcher"]


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (
            "https://somebody:secret@example.com/urumi/control-plane.git",
            "https://example.com/urumi/control-plane.git",
        ),
        ("git@example.com:urumi/control-plane.git", ""),
        ("/srv/control-plane", ""),
        ("", ""),
    ],
)
def test_its_source_is_an_address_without_a_password(
    origin: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definition, "_git", lambda *arguments: origin if "remote" in arguments else "")
    assert definition.labels().get("org.opencontainers.image.source", "") == source


def test_the_bill_of_materials_is_one_by_its_schema_and_lies_in_the_image(ours: Image) -> None:
    bill = build.bill_of(ours.archive).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert (ours.root / "usr/local/share/urumi/bill.cdx.json").read_text() == bill


def test_the_bill_of_materials_names_all_that_is_in_the_image(ours: Image) -> None:
    found = components(ours)
    python = {f"pkg:pypi/{name}@{version}" for name, version in locked().items()}
    records = (ours.root / "var/lib/dpkg/status").read_text()
    debian = {name.split("@")[0] for name in found if name.startswith("pkg:deb/debian/")}
    assert {name for name in found if name.startswith("pkg:pypi/")} == python
    assert debian == {
        f"pkg:deb/debian/{name}" for name in re.findall(r"^Package: (\S+)", records, re.MULTILINE)
    }
    assert {"pkg:deb/debian/libc6", "pkg:deb/debian/python3.11-minimal"} <= debian
    helm = found[f"pkg:golang/helm.sh/helm/v4@{go.required('helm.sh/helm/v4')}"]
    assert helm["hashes"]
    assert any(name.startswith("pkg:golang/k8s.io/client-go@") for name in found)


def test_the_bill_of_materials_has_the_licences_of_debians_packages(ours: Image) -> None:
    debian = {
        name.split("@")[0]: one for name, one in components(ours).items() if name.startswith("pkg:deb/")
    }
    found = {name: [licence_of(each) for each in one["licenses"]] for name, one in debian.items()}
    assert found["pkg:deb/debian/zlib1g"] == ["Zlib"]
    assert "Apache-2.0" in found["pkg:deb/debian/libssl3"]
    assert found["pkg:deb/debian/libc6"] == [dep5.UNKNOWN]
    named = [name for name, licences in found.items() if licences != [dep5.UNKNOWN]]
    assert len(named) > len(found) / 2, found


def licence_of(choice: dict[str, dict[str, str]]) -> str:
    return choice["license"].get("id") or choice["license"]["name"]


def test_the_document_of_licences_has_every_module_that_is_in_helm(ours: Image) -> None:
    modules = {
        name.removeprefix("pkg:golang/") for name in components(ours) if name.startswith("pkg:golang/")
    }
    text = (CHECKOUT / "docs/licences.md").read_text().partition("compiled into Helm")[2].partition("## ")[0]
    written = {
        f"{name}@{version}"
        for name, version in re.findall(r"^\| (\S+) \| (v[0-9]\S+) \|", text, re.MULTILINE)
    }
    assert {unquote(each).lower() for each in modules} == {each.lower() for each in written}


def test_the_records_of_debian_are_true(ours: Image) -> None:
    """Whoever looks for holes goes by names and versions; some files of them are left out of the image."""
    folder = ours.root / "var/lib/dpkg/info"
    names = re.findall(r"^Package: (\S+)", (folder.parent / "status").read_text(), re.MULTILINE)
    assert "Status: install ok installed" in (folder.parent / "status").read_text()
    for name in names:
        (listed,) = {*folder.glob(f"{name}.list"), *folder.glob(f"{name}:*.list")}
        assert listed.read_text()
    assert not {"bash", "dash", "dpkg", "perl-base"} & set(names)


def test_the_same_inputs_give_the_same_bytes(
    ours: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but Debian's packages is made once more: the environment from its index, our layers, the whole."""
    for packages in build.cache().glob("functions-packages-*.tar"):
        shutil.copy(packages, tmp_path)
    monkeypatch.setattr(build, "cache", lambda: tmp_path)
    again = build.archive(FUNCTIONS, print)
    assert again.name == ours.archive.name
    assert again.read_bytes() == ours.archive.read_bytes()
    assert build.bill_of(again).read_bytes() == build.bill_of(ours.archive).read_bytes()
