"""The documents are made from the models, whole, and consistent in themselves."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from foundation import wire_docs
from foundation.wire.event_types import TYPES
from foundation.wire.events import Event
from foundation.wire_asyncapi import schema_of


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(wire_docs.asyncapi())
    return found


@pytest.mark.parametrize(
    ("name", "made"), [("wire.md", wire_docs.markdown), ("asyncapi.yaml", wire_docs.asyncapi)]
)
def test_they_are_up_to_date(name, made):
    assert (wire_docs.DOCS / name).read_text() == made(), "run `make docs`"


def test_every_field_says_what_it_means():
    silent = []
    for kind in (*wire_docs.messages(), *wire_docs.HTTP):
        schema = schema_of(kind)
        for name, part in {kind.__name__: schema, **schema.get("$defs", {})}.items():
            for field, says in part.get("properties", {}).items():
                if not says.get("description"):
                    silent.append(f"{name}.{field}")
    assert sorted(set(silent)) == []


def test_every_event_type_has_the_form_of_one():
    for name in TYPES:
        Event(seq=1, boot=0, ts=0, type=name)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_reference_leads_somewhere(document):
    found = set(references(document))
    assert found
    for reference in found:
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


def test_asyncapi_says_who_speaks_where(document):
    assert document["asyncapi"] == "3.1.0"
    operations = document["operations"]
    assert len(operations) == len(document["channels"]) == len(wire_docs.messages())
    command = operations["say_cmd"]
    assert command["action"] == "send"
    assert command["bindings"]["mqtt"] == {"qos": 0, "retain": False, "bindingVersion": "0.2.0"}
    assert document["channels"]["dn_cmd"]["address"] == "v1/{mac12}/dn/c/cmd"
    assert operations["hear_hello"]["action"] == "receive"


def test_a_signed_message_always_has_its_signature(document):
    schemas = document["components"]["schemas"]
    assert "mac" in schemas["Command"]["required"]
    assert "prefixItems" not in yaml.safe_dump(document), "AsyncAPI's dialect has no such word"


def test_wire_md_names_every_message_and_key():
    text = wire_docs.markdown()
    for kind in wire_docs.messages():
        assert f"### {kind.__name__}\n" in text
    assert "| `v1/{mac12}/dn/c/cmd` | 0 | K_cmd |" in text
    assert "| `v1/{mac12}/dn/s/evtack` | 1 | K_dn |" in text
    assert "| `v1/{mac12}/up/s/res` | 1 | K_up |" in text
