"""What people type about a store: validated alike wherever it comes in, and described for documents."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

NAME = r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$"
# What WordPress takes for an address: another one it would drop without a word.
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = rf"^[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@({_LABEL}\.)+{_LABEL}$"
TEXT = r"^[^\u0000]*$"


def text(value: str) -> str:
    """Text that can be kept as it is. Raises ValueError."""
    if "\x00" in value:
        raise ValueError("the character U+0000 cannot be kept: leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair is not text: leave it out") from error
    return value


def _name(value: str) -> str:
    if not re.fullmatch(NAME[:-1], value):
        raise ValueError("use 3 to 40 of a-z, 0-9 and '-', beginning and ending with a letter or digit")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(_EMAIL[:-1], value):
        raise ValueError("this is not an e-mail address: write it as name@example.com")
    return value


# Patterns are for the document; what checks them has words for people.
StoreName = Annotated[
    str,
    Field(
        min_length=3,
        max_length=40,
        description="The first part of the host name; yours alone among your live stores",
        examples=["teapots"],
        json_schema_extra={"pattern": NAME},
    ),
    AfterValidator(_name),
]
Title = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="What shoppers read; any text",
        examples=["Teapots & more"],
        json_schema_extra={"pattern": TEXT},
    ),
    AfterValidator(text),
]
AdminEmail = Annotated[
    str,
    Field(
        max_length=254,
        description="Of the shop's administrator",
        examples=["owner@example.com"],
        json_schema_extra={"pattern": _EMAIL},
    ),
    AfterValidator(_email),
]
