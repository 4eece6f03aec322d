"""Reads a provider's schema out of the package that a code generator made of it.

The packages `cdktn-provider-…` carry, for each resource, JavaScript whose classes repeat the provider's
schema: what is optional, required and computed in comments, types and nesting in the code. Read as text,
never run. What they do not carry: validators, conflicts, defaults, which change makes a thing anew, and which
arguments are write-only.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

Type = Any
"""A type in Terraform's own JSON: "string", ["list", "string"], ["list", ["object", {…}]]."""

Block = dict[str, Any]
"""{"attributes": {name: {"type", "optional", "required", "computed"}}, "blocks": {name: {"nesting", …}}}"""

_CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
_KIND = re.compile(r'static tfResourceType = "(\w+)"')
_FIELD = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n", re.MULTILINE)
_INNER = re.compile(r'new (?:\w+\.)?(\w+)\(this, "\w+"(?:, (?:true|false))?\)')
_GETTER = re.compile(
    r"(tolist\()?(?:this|\(this)\.get(\w+)Attribute\('\w+'\)|interpolationForAttribute\('\w+'\)"
)
_FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"^    synthesizeHclAttributes\(\) \{\n(.*?)^    \}$", re.MULTILINE | re.DOTALL)
_SHAPE = re.compile(
    r'^ +(\w+): \{\n +value: .*\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)"',
    re.MULTILINE,
)
_PLAIN: dict[str, Type] = {
    "String": "string", "Number": "number", "Boolean": "bool", "List": ["list", "string"],
    "NumberList": ["list", "number"], "StringMap": ["map", "string"], "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"], "AnyMap": ["map", "string"], "StringMapList": ["list", ["map", "string"]],
    "BooleanList": ["list", "bool"], "StringList": ["list", "string"],
}  # fmt: skip
_CONFIGURED = ("TerraformResource", "TerraformDataSource", "TerraformProvider", "TerraformEphemeralResource")


class SchemaError(Exception):
    """The package is not written as we know it."""


@dataclass(frozen=True)
class _Field:
    optional: bool
    required: bool
    computed: bool
    code: str


_OPTIONAL = _Field(optional=True, required=False, computed=False, code="")


@dataclass(frozen=True)
class _Shape:
    is_block: bool = False
    nesting: str = "simple"  # or list, set, map, struct
    held: str = ""  # string, stringList, or the name of a class


@dataclass
class _Class:
    name: str
    base: str
    kind: str | None
    fields: dict[str, _Field] = field(default_factory=dict)
    shapes: dict[str, _Shape] = field(default_factory=dict)


def extract(wheel: Path, *, blocks: bool = True) -> dict[str, Any]:
    """Everything that `wheel` says: {"provider": block, "resources": {type: block}, "data": {type: block}}.

    `blocks`: whether the provider writes nested things as blocks; else as attributes. Raises SchemaError.
    """
    found: dict[str, Any] = {"provider": None, "resources": {}, "data": {}}
    for source in _sources(wheel):
        classes = {one.name: one for one in _classes(source)}
        for one in classes.values():
            if one.kind is None:
                continue
            block = _block(one, classes, (), blocks=blocks)
            if one.base == "TerraformProvider":
                found["provider"] = block
            elif one.base == "TerraformDataSource":
                found["data"][one.kind] = block
            elif one.base == "TerraformResource":
                found["resources"][one.kind] = block
    if found["provider"] is not None:
        found["provider"]["attributes"].pop("alias", None)  # Terraform's own word, not the provider's
    if found["provider"] is None or not found["resources"]:
        raise SchemaError(f"{wheel.name} has no provider or no resources")
    return found


def _sources(wheel: Path) -> Iterator[str]:
    """The JavaScript of each folder of the package."""
    with zipfile.ZipFile(wheel) as archive:
        inner = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        if len(inner) != 1:
            raise SchemaError(f"{wheel.name} has {len(inner)} inner packages instead of one")
        folders: dict[str, list[str]] = defaultdict(list)
        with archive.open(inner[0]) as packed, tarfile.open(fileobj=packed, mode="r|gz") as files:
            for member in files:
                parts = Path(member.name).parts
                if parts[:2] == ("package", "lib") and len(parts) > 3 and parts[-1].endswith(".js"):
                    content = cast(IO[bytes], files.extractfile(member)).read()
                    # Behind it stands the source once more, in base64.
                    folders[parts[2]].append(content.partition(b"\n//# sourceMappingURL=")[0].decode())
    for folder in sorted(folders):
        yield "\n".join(folders[folder])


def _classes(source: str) -> Iterator[_Class]:
    shapes = {f"{name[0].upper()}{name[1:]}": _shapes(body) for name, body in _FUNCTION.findall(source)}
    for name, base, body in _CLASS.findall(source):
        kind = _KIND.search(body)
        one = _Class(name, base, kind[1] if kind and base in _CONFIGURED else None)
        pieces = _FIELD.split(body)
        for attribute, computed, optional, required, code in zip(*[iter(pieces[1:])] * 5, strict=True):
            one.fields[attribute] = _Field(optional == "true", required == "true", computed == "true", code)
        method = _METHOD.search(body)
        own = shapes.pop(name.removesuffix("OutputReference"), {})
        one.shapes = _shapes(method[1]) if method else own
        yield one
    for name, left in shapes.items():  # only a function: what is nested in a provider's own configuration
        yield _Class(f"{name}OutputReference", "ComplexObject", None, dict.fromkeys(left, _OPTIONAL), left)


def _shapes(code: str) -> dict[str, _Shape]:
    return {
        attribute: _Shape(is_block == "true", nesting, held)
        for attribute, is_block, nesting, held in _SHAPE.findall(code)
    }


def _block(one: _Class, classes: dict[str, _Class], above: tuple[str, ...], *, blocks: bool) -> Block:
    block: Block = {"attributes": {}, "blocks": {}}
    for name, each in one.fields.items():
        shape = one.shapes.get(name, _Shape())
        if shape.is_block and blocks:
            inner, many = _inner(each, shape, classes)
            if inner.name in above:  # one resource of the 1,374 is written as if it were inside itself
                continue
            block["blocks"][name] = {
                "nesting": "single" if shape.nesting == "struct" else shape.nesting,
                "block": _block(inner, classes, (*above, one.name), blocks=blocks),
                "least": int(each.required),
                "most": 0 if many or shape.nesting == "struct" else 1,
            }
        elif shape.is_block:
            inner, many = _inner(each, shape, classes)
            block["attributes"][name] = {
                "nesting": shape.nesting if many else "single",
                "nested": _block(inner, classes, (*above, one.name), blocks=blocks)["attributes"],
                **_told(each),
            }
        else:
            block["attributes"][name] = _attribute(name, each, shape, classes)
    return block


def _attribute(name: str, each: _Field, shape: _Shape, classes: dict[str, _Class]) -> dict[str, Any]:
    return {"type": _type(name, each, shape, classes), **_told(each)}


def _told(each: _Field) -> dict[str, bool]:
    told = {"optional": each.optional, "required": each.required, "computed": each.computed}
    return {word: True for word, so in told.items() if so}


def _type(name: str, each: _Field, shape: _Shape, classes: dict[str, _Class]) -> Type:
    made, got = _INNER.search(each.code), _GETTER.search(each.code)
    if (made and made[1] not in _PLAIN) or (made is None and shape.is_block):
        return _nested_type(name, each, shape, classes)
    written = made[1] if made else got[2] if got else shape.held[:1].upper() + shape.held[1:]
    if written is None:
        return "dynamic"
    if written not in _PLAIN:
        raise SchemaError(f"{name}: its type is written in an unknown way: {each.code[:200]}")
    plain = _PLAIN[written]
    is_set = shape.nesting == "set" or (got is not None and got[1] is not None)
    return ["set", plain[1]] if isinstance(plain, list) and plain[0] == "list" and is_set else plain


def _nested_type(name: str, each: _Field, shape: _Shape, classes: dict[str, _Class]) -> Type:
    inner, many = _inner(each, shape, classes)
    members = {
        key: _type(key, value, inner.shapes.get(key, _Shape()), classes)
        for key, value in inner.fields.items()
    }
    is_set = shape.nesting == "set" or f'(this, "{name}", true)' in each.code
    # What newer providers have as one nested object; older ones know lists only.
    if shape.nesting == "struct" or not (many or is_set or shape.nesting == "list"):
        return ["object", members]
    return ["set" if is_set else "list", ["object", members]]


def _inner(each: _Field, shape: _Shape, classes: dict[str, _Class]) -> tuple[_Class, bool]:
    """The class of a nested thing, and whether there may be many."""
    made = _INNER.search(each.code)
    name = made[1] if made else shape.held
    for exact in (name, f"{name}OutputReference"):
        if exact in classes and classes[exact].base == "ComplexObject":
            return classes[exact], False
    for ending in ("List", "Map"):
        other = f"{name.removesuffix(ending)}OutputReference"
        if name.endswith(ending) and other in classes:
            return classes[other], True
    raise SchemaError(f"there is no class for {name}")
