"""The wire as an AsyncAPI 3.1.0 document, from the platform's point of view.

Source: https://www.asyncapi.com/docs/reference/specification/v3.1.0, and the MQTT bindings.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from foundation.wire.base import Message, Signed

REF: Final = "#/components/schemas/{model}"


def document(kinds: Sequence[type[Message]]) -> dict[str, Any]:
    """The whole document, ready to be written as YAML or JSON."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "linli: door stations",
            "version": "1",
            "description": "What door stations and platform say over MQTT 3.1.1. "
            "`wire.md` has the rules, keys and signatures.",
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {_id(kind): _channel(kind) for kind in kinds},
        "operations": {_operation_id(kind): _operation(kind) for kind in kinds},
        "components": {
            "securitySchemes": {
                "station": {
                    "type": "userPassword",
                    "description": "user name 通讯码, one-time password (see `wire.md`)",
                }
            },
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": _schemas(kinds),
        },
    }


def _servers() -> dict[str, Any]:
    listeners = {
        "tls": ("{host}:8883", "secure-mqtt", "MQTT over TLS"),
        "tcp": ("{host}:1883", "mqtt", "MQTT over TCP, for a closed network"),
        "websocket": ("{host}:8083", "ws", "MQTT over WebSocket, path /mqtt"),
    }
    return {
        name: {
            "host": host,
            "protocol": protocol,
            "protocolVersion": "3.1.1",
            "description": description,
            "variables": {"host": {"default": "127.0.0.1"}},
            "security": [{"$ref": "#/components/securitySchemes/station"}],
        }
        for name, (host, protocol, description) in listeners.items()
    }


def _channel(kind: type[Message]) -> dict[str, Any]:
    route = kind.ROUTE
    return {
        "address": f"v1/{{mac12}}/{route.way}/{route.lane}/{route.name}",
        "parameters": {"mac12": {"description": "MAC address, 12 lower-case hex digits"}},
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
    }


def _operation(kind: type[Message]) -> dict[str, Any]:
    route = kind.ROUTE
    return {
        "action": "receive" if route.way == "up" else "send",
        "channel": {"$ref": f"#/channels/{_id(kind)}"},
        "messages": [{"$ref": f"#/channels/{_id(kind)}/messages/{kind.__name__}"}],
        "bindings": {"mqtt": {"qos": route.qos, "retain": False, "bindingVersion": "0.2.0"}},
    }


def _message(kind: type[Message]) -> dict[str, Any]:
    summary, _, more = (kind.__doc__ or "").strip().partition("\n\n")
    description = "\n".join(line.strip() for line in more.splitlines()).strip()
    return {
        "name": kind.ROUTE.name,
        "title": kind.__name__,
        "summary": " ".join(summary.split()),
        **({"description": description} if description else {}),
        "contentType": "application/json",
        "payload": {"$ref": REF.format(model=kind.__name__)},
    }


def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a body as it travels: a signed one always has its signature."""
    schema = kind.model_json_schema(ref_template=REF)
    if issubclass(kind, Signed):
        del schema["properties"]["mac"]["default"]
        schema["properties"]["mac"]["pattern"] = "^[0-9a-f]{64}$"
        schema["required"] = ["mac", *schema.get("required", [])]
    return schema


def _schemas(kinds: Sequence[type[Message]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in kinds:
        schema = schema_of(kind)
        found |= schema.pop("$defs", {})
        found[kind.__name__] = schema
    made: dict[str, Any] = _draft_7(found)
    return made


def _draft_7(schema: Any) -> Any:
    """The same schema in AsyncAPI's dialect, JSON Schema draft 7: tuples are written otherwise."""
    if isinstance(schema, list):
        return [_draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _draft_7(value) for key, value in schema.items()}
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
        made["additionalItems"] = False
    return made


def _id(kind: type[Message]) -> str:
    return f"{kind.ROUTE.way}_{kind.ROUTE.name}"


def _operation_id(kind: type[Message]) -> str:
    return ("hear_" if kind.ROUTE.way == "up" else "say_") + kind.ROUTE.name
