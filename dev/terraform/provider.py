"""A stand-in for a provider: it serves a schema and says yes to what fits it. It makes nothing.

Terraform itself compares with the schema. What it leaves to providers is that nobody sets what only they can
say; that is all that is looked for here.

`provider.py SCHEMA.json SOCKET`, run by the Python of an environment of its own (its libraries want an older
protobuf than ours). Serves until its standard input ends. Terraform finds it by TF_REATTACH_PROVIDERS, so
that nothing is downloaded and no lock file appears.
"""

# ruff: noqa: ARG002, N802 - the methods are the protocol's

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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


class SchemaOnly(rpc.ProviderServicer):  # type: ignore[misc]
    """What `fmt`, `validate` and tests with a mocked provider need; every other call is refused."""

    def __init__(self, written: dict[str, Any]) -> None:
        self._written = written
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
        values = msgpack.unpackb(request.config.msgpack, strict_map_key=False)
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

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


def main(schema: str, socket: str) -> None:
    """Serve the schema in that file on that Unix socket."""
    lengths = [
        (f"grpc.max_{way}_message_length", _NO_LIMIT) for way in ("send", "receive")
    ]  # Google's schema is larger than 4 MiB
    server = grpc.server(futures.ThreadPoolExecutor(8), options=lengths)
    rpc.add_ProviderServicer_to_server(SchemaOnly(json.loads(Path(schema).read_bytes())), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(grace=0).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
