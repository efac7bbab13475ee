"""`docs/wire.md` and `docs/asyncapi.yaml`, made from the wire models. For developers.

`python -m foundation.wire_docs` writes both; `--check` fails when a file is not what would
be written. What the documents say stands in the docstrings and field descriptions of
`foundation.wire`; only the rules are here.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

from pydantic import BaseModel

import foundation.wire
from foundation.wire.base import Message, Signed
from foundation.wire.enroll import (
    ANSWER,
    REQUEST,
    TIME,
    EnrollAnswer,
    EnrollRequest,
    MqttAddress,
    Registration,
    TimeAnswer,
    seal,
    sign,
)
from foundation.wire.event_types import TYPES
from foundation.wire_asyncapi import document, schema_of

DOCS: Final = Path(__file__).parents[1] / "docs"
HTTP: Final = (EnrollRequest, EnrollAnswer, Registration, MqttAddress, TimeAnswer)

HEAD: Final = """\
# What stations and platform say to each other

Made by `make docs` from `foundation/wire`; do not edit. `asyncapi.yaml` says the same to
machines.

## How it travels

MQTT 3.1.1. Every station owns the topics `v1/{mac12}/…`, `mac12` being its MAC address as 12
lower-case hex digits: it publishes below `up/`, and subscribes to exactly two filters, state
`v1/{mac12}/dn/s/#` at QoS 1 and commands `v1/{mac12}/dn/c/#` at QoS 0. Class `s` is state, to
which a station converges however late; class `c` is live commands, never stored, never retained,
never late. Payloads are JSON objects in UTF-8; unknown fields are ignored, absent ones have their
default.

**Login.** `client_id` = mac12, `clean_session` = 1, keep-alive 10-120 s, will absent or exactly
`v1/{mac12}/up/s/lwt` without retain; user name = 通讯码; password = `base64(ts "|" nonce "|"
HMAC-SHA256(K_auth, "mqtt|mac12|code|ts|nonce"))` with `ts` in Unix seconds (two minutes to either
side) and `nonce` 16 hex digits, used once.

**Keys.** From the 32-byte secret of the station by HKDF-SHA256 without salt, 32 bytes each:
K_auth, K_cmd, K_dn, K_up with the labels `auth`, `cmd`, `dn`, `up`. One key, one purpose.

**Signature.** `mac` = hex of HMAC-SHA256(key, `"v1|" mac12 "|" name "|" body`), `name` the last
part of the topic and `body` the JSON object without `mac`, as it was sent: keys sorted, no
spaces, UTF-8 unescaped. Fields that a receiver does not know are signed too.

## The rules of opening a door

- **R1** Opening exists only as `dn/c/cmd`, QoS 0, never retained. Nothing else opens a door.
- **R2** The broker never retains and never stores a command; a station drops whatever arrives
  with the retain flag.
- **R3** The platform sends only to a live session, else answers "offline" at once. Nothing is
  queued, nothing is repeated by itself: whoever wants again presses again, and that is another
  command.
- **R4** A command names its session (`sess`, random, chosen by the station at each connect), a
  counter that grows inside it, and a deadline in the station's own uptime; it is signed with
  K_cmd. Nothing captured before a reconnect can work, and no wall clock is involved.
- **R5** The station checks in this order: retained? session, signature (constant time), `id`
  among the last 64 (then the stored answer again, and nothing opens), counter, deadline not
  passed and not more than 15 s ahead, then lockdown, the door, hold 1-30 s, at most one in 2 s.
  Counter and ring are written before the relay moves, and the intent is in the journal.
- **R6** It answers with a signed `res` and one of the codes below.
- **R7** The platform says `executed` only for the station's own `ok`; `refused` with its code;
  `offline` when nothing was sent; `unknown` when no answer came in time. The journal event with
  the same `cmd_id` settles an `unknown` later.
"""


def messages() -> list[type[Message]]:
    """Every message that travels over MQTT: those of stations first, then by name."""
    for module in iter_modules(foundation.wire.__path__):
        import_module(f"{foundation.wire.__name__}.{module.name}")
    found = [kind for kind in _below(Message) if "ROUTE" in vars(kind)]
    return sorted(found, key=lambda kind: (kind.ROUTE.way != "up", kind.ROUTE.name))


def signed_with(kind: type[Message]) -> str:
    """Which key signs a message: it follows from where it travels."""
    if not issubclass(kind, Signed):
        return "-"
    if kind.ROUTE.way == "up":
        return "K_up"
    return "K_cmd" if kind.ROUTE.lane == "c" else "K_dn"


def markdown() -> str:
    """`docs/wire.md`."""
    return "\n".join(_sections()).rstrip() + "\n"


def asyncapi() -> str:
    """`docs/asyncapi.yaml`, AsyncAPI 3.1.0."""
    import yaml  # a tool of developers, not installed with the platform

    class Dumper(yaml.SafeDumper):
        """Text of several lines as it stands."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, text)
    made: str = yaml.dump(
        document(messages()), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return f"# Made by `make docs` from foundation/wire; do not edit.\n{made}"


def _below(kind: type[Message]) -> Iterator[type[Message]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _sections() -> Iterator[str]:
    yield HEAD
    yield "## Messages\n"
    yield "| message | direction | topic | QoS | signed with |"
    yield "|---|---|---|---|---|"
    for kind in messages():
        way = "station → platform" if kind.ROUTE.way == "up" else "platform → station"
        link = f"[{kind.__name__}](#{kind.__name__.lower()})"
        yield f"| {link} | {way} | `{_topic(kind)}` | {kind.ROUTE.qos} | {signed_with(kind)} |"
    yield ""
    nested: dict[str, Any] = {}
    for kind in messages():
        yield from _model(kind, f"`{_topic(kind)}`, QoS {kind.ROUTE.qos}.", nested)
    yield "## Parts of messages\n"
    for name, schema in nested.items():
        yield from _part(name, schema)
    yield "## Types of events\n"
    yield "A type that is not listed is stored as it is.\n"
    yield "| type | what happened |"
    yield "|---|---|"
    for name, meaning in TYPES.items():
        yield f"| `{name}` | {meaning} |"
    yield ""
    yield "## Registration (REG/1), over HTTPS\n"
    yield f"{_doc(import_module(EnrollRequest.__module__))}\n"
    yield f"**Signatures.** {_doc(sign)}"
    yield "Members that are absent are not in the JSON."
    yield f"The purposes are `{REQUEST}`, `{ANSWER}` and `{TIME}`.\n"
    yield f"**Sealing.** {_doc(seal).partition('Raises:')[0].strip()}"
    yield "The key is HKDF-SHA256 of the X25519 secret, salted with the ephemeral public key, label"
    yield "`linli|registration`; the ephemeral key is the associated data too. The box is base64 of"
    yield "ephemeral key (32 bytes), nonce (12), text.\n"
    for body in HTTP:
        yield from _model(body, "", {})


def _topic(kind: type[Message]) -> str:
    route = kind.ROUTE
    return f"v1/{{mac12}}/{route.way}/{route.lane}/{route.name}"


def _model(kind: type[BaseModel], where: str, nested: dict[str, Any]) -> Iterator[str]:
    schema = schema_of(kind)
    nested |= schema.pop("$defs", {})
    yield f"### {kind.__name__}\n"
    if where:
        yield f"{where}\n"
    yield f"{_doc(kind)}\n"
    yield from _table(schema)


def _part(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{schema.get('description', '')}\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
    else:
        yield from _table(schema)


def _table(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        default = "required" if name in required else _default(field)
        meaning = field.get("description", "").replace("|", "\\|")
        yield f"| `{name}` | {_type(field)} | {default} | {meaning} |"
    yield ""


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "absent" if value is None or value == "" else f"`{value}`"


def _type(field: dict[str, Any]) -> str:
    """The type and its limits, in words, from JSON Schema."""
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"] if each.get("type") != "null")
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return _array(field)
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes/no"}
    return names[field["type"]] + _limits(field)


def _array(field: dict[str, Any]) -> str:
    if "prefixItems" in field:
        return "[" + ", ".join(_type(each) for each in field["prefixItems"]) + "]"
    most, least = field.get("maxItems"), field.get("minItems", 0)
    count = f" ({least} to {most})" if most else ""
    return f"list of {_type(field['items'])}{count}"


def _limits(field: dict[str, Any]) -> str:
    said = []
    least, most = field.get("minimum"), field.get("maximum")
    if least is not None and most is not None:
        said.append(f"{least} to {_power(most)}")
    elif least is not None:
        said.append(f"from {least}")
    if "pattern" in field:
        said.append("`" + field["pattern"].replace("|", "\\|") + "`")
    elif "maxLength" in field:
        said.append(f"at most {field['maxLength']}")
    return f" ({', '.join(said)})" if said else ""


def _power(number: float) -> str:
    exponent = int(number).bit_length() - 1
    return f"2^{exponent}" if exponent > 20 and number == 1 << exponent else str(number)


def _doc(thing: object) -> str:
    """A docstring as Markdown: lines that begin with a word and a colon become a list."""
    lines = (line.strip() for line in (thing.__doc__ or "").strip().splitlines())
    return "\n".join(re.sub(r"^([a-z_]+): ", r"- `\1`: ", line) for line in lines)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = False
    for path, text in ((DOCS / "wire.md", markdown()), (DOCS / "asyncapi.yaml", asyncapi())):
        there = path.read_text() if path.exists() else ""
        if not check:
            path.write_text(text)
        elif there != text:
            stale = True
            difference = difflib.unified_diff(
                there.splitlines(), text.splitlines(), str(path), "as it should be", "", "", 1, ""
            )
            sys.stderr.write("\n".join([*difference, f"{path}: run `make docs`", ""]))
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
