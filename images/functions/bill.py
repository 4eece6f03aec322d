"""The bill of materials of the functions' image: what its root has of Debian, of Python, and in Helm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.exceptions import InvalidSpdxLicenseException
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from dev.cluster import go
from images.functions import dep5
from images.functions.definition import HELM

_HELM_MODULE = "helm.sh/helm/v4"
_LABEL = "org.opencontainers.image.{}"
_TIME = datetime.fromtimestamp(1, UTC)  # as that of the image, so that the same image has the same bill


def of(root: Path, labels: Mapping[str, str]) -> bytes:
    """The bill as CycloneDX 1.6 in JSON: the same bytes for the same root."""
    parts = sorted([*_debian(root), *_python(root), *_helm(root / HELM)], key=lambda one: str(one.bom_ref))
    whole = Component(
        name=labels[_LABEL.format("title")],
        version=labels[_LABEL.format("version")],
        type=ComponentType.CONTAINER,
        bom_ref="image",
        licenses=[LicenseFactory().make_from_string(labels[_LABEL.format("licenses")])],
    )
    bom = Bom(components=parts)
    bom.metadata.component = whole
    bom.metadata.timestamp = _TIME
    bom.register_dependency(whole, parts)
    names = "\n".join(str(one.purl) for one in parts)
    bom.serial_number = uuid5(NAMESPACE_URL, names)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode()


def _debian(root: Path) -> Iterator[Component]:
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', (root / "etc/os-release").read_text(), re.MULTILINE))
    for record in (root / "var/lib/dpkg/status").read_text().strip().split("\n\n"):
        fields = dict(re.findall(r"^(\S+): (.*)", record, re.MULTILINE))
        if fields["Status"] == "install ok installed":
            place = {"arch": fields["Architecture"], "distro": f"{release['ID']}-{release['VERSION_ID']}"}
            name = fields["Package"]
            purl = PackageURL("deb", "debian", name, fields["Version"], place)
            yield _library(purl, name, [_debians(each) for each in _copyright(root, name)])


def _copyright(root: Path, package: str) -> list[str]:
    file = root / "usr/share/doc" / package / "copyright"
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        return [dep5.UNKNOWN]
    return dep5.licences(file.read_text(errors="replace"))


def _debians(name: str) -> License:
    """A licence by Debian's name for it, which is not always SPDX's."""
    try:
        return LicenseFactory().make_with_id(name)
    except InvalidSpdxLicenseException:
        return LicenseFactory().make_with_name(name)


def _python(root: Path) -> Iterator[Component]:
    for folder in sorted(root.glob("app/venv/lib/python3*/site-packages")):
        for one in distributions(path=[str(folder)]):
            name = re.sub(r"[-_.]+", "-", one.name).lower()
            named = _licence(one)
            licences = [LicenseFactory().make_from_string(named)] if named else []
            yield _library(PackageURL("pypi", None, name, one.version), name, licences)


def _licence(one: Distribution) -> str | None:
    """As the project names it in one line: an expression, or at least a text."""
    for field in ("License-Expression", "License"):
        if field in one.metadata and "\n" not in (named := one.metadata[field]):
            return named
    return None


def _helm(binary: Path) -> Iterator[Component]:
    """Helm and every Go module in it, as the binary itself says."""
    version = go.required(_HELM_MODULE)
    helm = _module(_HELM_MODULE, version)
    helm.type = ComponentType.APPLICATION
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    helm.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    yield helm
    modules: list[tuple[str, str]] = []
    for line in go.run(["version", "-m", str(binary)]).splitlines():
        match line.split("\t"):
            case [_, "dep", path, module_version, *_]:
                modules.append((path, module_version))
            case [_, "=>", path, module_version, *_]:  # what the module before it was replaced by
                modules[-1] = (path, module_version)
    for path, module_version in modules:
        if path != _HELM_MODULE:
            yield _module(path, module_version)


def _module(path: str, version: str) -> Component:
    space, _, name = path.rpartition("/")
    return _library(PackageURL("golang", space or None, name, version), path)


def _library(purl: PackageURL, name: str, licences: Iterable[License] = ()) -> Component:
    """One part, whose address is its reference, too."""
    return Component(
        name=name,
        version=purl.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=licences,
    )
