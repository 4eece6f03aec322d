"""What we use of others, and under which licence: `python -m dev.licences` writes docs/licences.md.

Python packages say it in their metadata, which is read as they are installed. Go modules say it in files,
whose texts are recognised: Go must be there, and fetches what it lacks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from dev import gateway, vendored
from dev.cluster import go
from dev.cluster.cluster import ClusterError

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT = CHECKOUT / "docs" / "licences.md"

# Other spellings of SPDX's names.
_SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# Locked for other systems, so that no metadata is here to be read: what it was when they were locked.
_ELSEWHERE = {("colorama", "0.4.6"): "BSD-3-Clause"}
# Words that only this licence has, in one line and in small letters.
_TEXTS = {
    "Apache-2.0": r"apache license,? version 2\.0",
    "MPL-2.0": r"mozilla public license,? version 2\.0",
    "MIT": r"permission is hereby granted, free of charge, to any person",
    "ISC": r"permission to use, copy, modify, and(/or)? distribute this software for any purpose",
    "BSD-3-Clause": r"redistribution and use in source and binary forms.*?neither the names?",
}
_BSD_2 = r"redistribution and use in source and binary forms"
_FILES = re.compile(r"(LICEN[CS]E|COPYING)([.-].*)?", re.IGNORECASE)
# What `go list` prints: path, version and folder of a module.
_OF_A_PACKAGE = (
    "{{with .Module}}{{if not .Main}}{{.Path}} "
    "{{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}} {{.Dir}}{{end}}{{end}}"
)
_DIRECT = "{{if not (or .Main .Indirect)}}{{.Path}} {{.Version}} {{.Dir}}{{end}}"

_HEAD = """\
# Licences of what we use

Written by `python -m dev.licences` from what is locked; `tests/dev/test_licences.py` compares. They are given
as packages declare them and as texts were recognised: a list to look things up in, and no lawyer's opinion.
What is in the images of a store (WordPress, WooCommerce, MariaDB, Debian's packages) is in no table; those of
Debian's packages in the functions' image stand in its bill of materials. Nor is Terraform, with which
`dev/terraform` checks and which is given to nobody: its own licence is BUSL-1.1.
"""


@dataclass(frozen=True)
class Used:
    """One package or module."""

    name: str
    version: str
    licence: str


class UnknownLicenceError(Exception):
    """Something says nothing of its licence that we understand."""


def python_packages(lock: str) -> list[Used]:
    """What a lock file has, as it is installed. Raises UnknownLicenceError."""
    text = (CHECKOUT / lock).read_text()
    locked = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE)
    return [Used(name, version, _declared(name, version)) for name, version in locked]


def _declared(name: str, version: str) -> str:
    if licence := _ELSEWHERE.get((name, version)):
        return licence
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        raise UnknownLicenceError(
            f"{name} {version} is not installed: say in dev/licences.py what it is"
        ) from None
    expressions = about.get_all("License-Expression") or about.get_all("License") or [""]
    said = str(expressions[0]).strip().partition("\n")[0]
    if said in ("", "UNKNOWN") or "://" in said:
        classifiers = about.get_all("Classifier") or []
        said = " OR ".join(
            each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")
        )
    if not said:
        raise UnknownLicenceError(f"{name} {version} declares no licence")
    return _SPELLINGS.get(said, said)


def helms_modules() -> list[Used]:
    """What is compiled into Helm. Raises UnknownLicenceError, ClusterError."""
    return _modules(go.run(["list", "-deps", "-f", _OF_A_PACKAGE, "helm.sh/helm/v4/cmd/helm"]))


def gateways_modules() -> list[Used]:
    """What is compiled into the stores' gateway. Raises as above."""
    return _modules(go.run(["list", "-deps", "-f", _OF_A_PACKAGE, "."], folder=gateway.MODULE))


def tools_modules() -> list[Used]:
    """The modules of the cluster's tools themselves, and what ours are made with. Raises as above."""
    return _modules(
        go.run(["list", "-m", "-f", _DIRECT, "all"]) + go.run(["list", "-f", _OF_A_PACKAGE, "tool"])
    )


def _modules(lines: str) -> list[Used]:
    found = (line.split(" ") for line in sorted(set(lines.splitlines())) if line.count(" ") == 2)
    return [Used(name, version, recognised(Path(folder))) for name, version, folder in found]


def recognised(folder: Path) -> str:
    """The licences whose texts are in the top of a module's folder. Raises UnknownLicenceError."""
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and _FILES.fullmatch(file.name)]
    found = {licence for file in files for licence in _in_text(file.read_text(errors="replace"))}
    if not found:
        raise UnknownLicenceError(f"no licence is recognised in {folder.name}")
    return " AND ".join(sorted(found))


def _in_text(text: str) -> Iterator[str]:
    words = re.sub(r"[\s*#>]+", " ", text).lower()
    found = [licence for licence, pattern in _TEXTS.items() if re.search(pattern, words)]
    if "BSD-3-Clause" not in found and re.search(_BSD_2, words):
        found.append("BSD-2-Clause")
    yield from found


def tables() -> Mapping[str, list[Used]]:
    """All of it, by heading."""
    run = python_packages("requirements.txt")
    return {
        "Python: what the functions run on": run,
        "Python: what only developers and CI need": [
            each for each in python_packages("requirements-dev.txt") if each not in run
        ],
        "JavaScript: what the console's pages load": [
            Used(each.name, each.version, each.licence) for each in vendored.PACKAGES
        ],
        "Go: what is compiled into Helm, which is in the functions' image": helms_modules(),
        "Go: what is compiled into the stores' gateway": gateways_modules(),
        "Go: the other tools of the local cluster, themselves": tools_modules(),
    }


def table(used: list[Used]) -> str:
    """As Markdown."""
    rows = "".join(f"| {each.name} | {each.version} | {each.licence} |\n" for each in used)
    return f"| name | version | licence |\n|---|---|---|\n{rows}"


def main() -> int:
    """The command line."""
    try:
        parts = [f"## {heading}\n\n{table(used)}" for heading, used in tables().items()]
    except (UnknownLicenceError, ClusterError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    DOCUMENT.write_text("\n".join((_HEAD, *parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
