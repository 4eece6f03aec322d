"""What a Debian package's copyright file says of licences, where a machine can read it (DEP 5)."""

from __future__ import annotations

import re

UNKNOWN = "NOASSERTION"
"""SPDX's word for a licence of which nothing is said here."""

_FORMAT = re.compile(r"^Format(-Specification)?: \S*(copyright-format|dep5?)\S*$", re.MULTILINE)
_FIELD = re.compile(r"^(Files|License):[ \t]*(.*)$", re.MULTILINE)
_NAME = r"[A-Za-z0-9][\w.+-]*(?: with [\w.+-]+(?: [\w.+-]+){0,3} exception)?"
# Not a licence's first sentence, which some write where its name belongs.
_NAMES = re.compile(rf"{_NAME}(?:,? (?:and|or) {_NAME}|, {_NAME})*")


def licences(text: str) -> list[str]:
    """The licences of a package's files as Debian names them, sorted, each once.

    Has UNKNOWN in it where no name is given, and is that alone where the file was written for people only.
    """
    head, *paragraphs = re.split(r"\n[ \t]*\n", text.strip())
    if not _FORMAT.search(head):
        return [UNKNOWN]
    found = {_name(fields) for fields in map(_fields, paragraphs) if "files" in fields}
    return sorted(found) or [UNKNOWN]


def _fields(paragraph: str) -> dict[str, str]:
    """What a paragraph has of the two fields, the first line of each."""
    return {name.lower(): " ".join(value.split()) for name, value in _FIELD.findall(paragraph)}


def _name(fields: dict[str, str]) -> str:
    named = fields.get("license", "")
    return named if _NAMES.fullmatch(named) else UNKNOWN
