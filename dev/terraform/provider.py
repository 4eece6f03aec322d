"""A stand-in for a provider: it serves a schema and says yes to what fits it. It makes nothing.

Terraform itself compares with the schema. What it leaves to providers is that nobody sets what only they can
say; that is all that is looked for here.

A real apply goes through, too: whatever is to be made, changed or removed is written down, a line of JSON
each, in the file APPLIED, and what only a cloud can say is a made-up value of its type. Types of resources
that the file FAILING names fail, and Terraform keeps of them what it would keep with Google's provider: the
new values of what was to be changed, and what was to be made as tainted.

`provider.py SCHEMA.json SOCKET APPLIED FAILING`, run by the Python of an environment of its own (its
libraries want an older protobuf than ours). Serves until its standard input ends. Terraform finds it by
TF_REATTACH_PROVIDERS, so that nothing is downloaded and no lock file appears.
"""

# ruff: noqa: ARG002, N802 - the methods are the protocol's

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack  # type: ignore[import-not-found]
from tf.gen import tfplugin_pb2 as pb  # type: ignore[import-not-found]
from tf.gen import tfplugin_pb2_grpc as rpc

_BLOCKS = pb.Schema.NestedBlock.NestingMode
_OBJECTS = pb.Schema.Object.NestingMode
_NO_LIMIT = -1
_UNKNOWN = msgpack.ExtType(0, b"\0")
"""How Terraform writes what is known after the apply."""


def _attribute(name: str, written: dict[str, Any]) -> Any:
    told = {word: written.get(word, False) for word in ("optional", "required", "computed")}
    if "nested" in written:
        nested = pb.Schema.Object(
            attributes=[_attribute(key, value) for key, value in written["nested"].items()],
            nesting=_OBJECTS.Value(written["nesting"].upper()),
        )
        return pb.Schema.Attribute(name=name, nested_type=nested, **told)
    return pb.Schema.Attribute(name=name, type=json.dumps(written["type"]).encode(), **told)


def _block(written: dict[str, Any]) -> Any:
    return pb.Schema.Block(
        attributes=[_attribute(name, value) for name, value in written["attributes"].items()],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_block(value["block"]),
                nesting=_BLOCKS.Value(value["nesting"].upper()),
                min_items=value["least"],
                max_items=value["most"],
            )
            for name, value in written["blocks"].items()
        ],
    )


def _schema(written: dict[str, Any]) -> Any:
    return pb.Schema(version=0, block=_block(written))


def _set_in_vain(block: dict[str, Any], values: Any) -> Iterator[str]:
    """Names of attributes that have a value here and may not."""
    if not isinstance(values, dict):
        return
    for name, attribute in block["attributes"].items():
        if values.get(name) is not None and not (attribute.get("optional") or attribute.get("required")):
            yield name
    for name, nested in block["blocks"].items():
        inside = values.get(name)
        for one in inside if isinstance(inside, list) else [inside]:
            yield from (f"{name}.{wrong}" for wrong in _set_in_vain(nested["block"], one))


def _completed(block: dict[str, Any], values: dict[str, Any], answer: Callable[[Any], Any]) -> dict[str, Any]:
    """The same values, with `answer(type)` for each that only a provider can say and that is missing."""
    complete = dict(values)
    for name, attribute in block["attributes"].items():
        missing = values[name] is None and attribute.get("computed")
        if missing or values[name] == _UNKNOWN:
            complete[name] = answer(attribute["type"])
    for name, nested in block["blocks"].items():
        inside = values[name]
        if isinstance(inside, list):
            complete[name] = [_completed(nested["block"], one, answer) for one in inside]
        elif isinstance(inside, dict):
            complete[name] = _completed(nested["block"], inside, answer)
    return complete


def _made_up(type_: Any) -> Any:
    if not isinstance(type_, list):
        return {"string": "made-up", "number": 1, "bool": False}[type_]
    kind, inner = type_
    if kind == "object":
        return {name: _made_up(each) for name, each in inner.items()}
    return {} if kind == "map" else [_made_up(inner)]


def _read(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False)


def _told(values: Any) -> Any:
    return pb.DynamicValue(msgpack=msgpack.packb(values))


class StandIn(rpc.ProviderServicer):  # type: ignore[misc]
    """What Terraform asks of a provider from `validate` to `apply`; every other call is refused."""

    def __init__(self, written: dict[str, Any], applied: Path, failing: Path) -> None:
        self._written = written
        self._applied = applied
        self._failing = failing
        self._answer = pb.GetProviderSchema.Response(
            provider=_schema(written["provider"]),
            resource_schemas={name: _schema(value) for name, value in written["resources"].items()},
            data_source_schemas={name: _schema(value) for name, value in written["data"].items()},
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return self._answer

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        values = _read(request.config)
        return pb.ValidateResourceConfig.Response(
            diagnostics=[
                pb.Diagnostic(
                    severity=pb.Diagnostic.ERROR,
                    summary="Value for unconfigurable attribute",
                    detail=f'Can\'t configure a value for "{name}": only the provider sets it.',
                )
                for name in _set_in_vain(self._written["resources"][request.type_name], values)
            ]
        )

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def ReadResource(self, request: Any, context: Any) -> Any:
        return pb.ReadResource.Response(new_state=request.current_state)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        values = _completed(self._written["data"][request.type_name], _read(request.config), _made_up)
        return pb.ReadDataSource.Response(state=_told(values))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        values = _read(request.proposed_new_state)
        if values is not None and _read(request.prior_state) is None:
            values = _completed(self._written["resources"][request.type_name], values, lambda _: _UNKNOWN)
        return pb.PlanResourceChange.Response(planned_state=_told(values))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        before, after = _read(request.prior_state), _read(request.planned_state)
        if after is not None:
            after = _completed(self._written["resources"][request.type_name], after, _made_up)
        with self._applied.open("a") as file:
            file.write(json.dumps({"type": request.type_name, "before": before, "after": after}) + "\n")
        answer = pb.ApplyResourceChange.Response(new_state=_told(after))
        if after is not None and request.type_name in self._failing.read_text().split():
            answer.diagnostics.add(
                severity=pb.Diagnostic.ERROR, summary=f"{request.type_name} was told to fail"
            )
        return answer

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


def main(schema: str, socket: str, applied: str, failing: str) -> None:
    """Serve the schema in that file on that Unix socket."""
    lengths = [
        (f"grpc.max_{way}_message_length", _NO_LIMIT) for way in ("send", "receive")
    ]  # Google's schema is larger than 4 MiB
    server = grpc.server(futures.ThreadPoolExecutor(8), options=lengths)
    rpc.add_ProviderServicer_to_server(
        StandIn(json.loads(Path(schema).read_bytes()), Path(applied), Path(failing)), server
    )
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(grace=0).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
