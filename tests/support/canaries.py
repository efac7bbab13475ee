"""Numbers that belong to nobody, and looking for them in every form they could leak in."""

import base64
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property


def id_number(seventeen: str) -> str:
    """A resident's number with its check digit (ISO 7064 MOD 11-2)."""
    rest = 0
    for digit in seventeen:
        rest = (rest + int(digit)) * 2 % 11
    return seventeen + "0123456789X"[(12 - rest) % 11]


@dataclass
class Canaries:
    """Texts that must be found nowhere."""

    texts: tuple[str, ...]

    @cached_property
    def _forms(self) -> dict[bytes, str]:
        return {form: text for text in self.texts for form in _forms(text)}

    def found(self, where: Iterable[tuple[str, bytes]]) -> list[str]:
        """Where each was found: `{place}: {form}`; the contents of workbooks are unpacked."""
        return [
            f"{place}: {form!r}"
            for name, content in where
            for place, plain in _unpacked(name, content)
            for form in self._forms
            if form in plain
        ]


def _forms(text: str) -> Iterator[bytes]:
    for plain in (text.encode(), text.encode("utf-16-le")):
        yield plain
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
        for shift in range(3):  # base64 of a longer text: the number can begin at any place
            coded = base64.b64encode(bytes(shift) + plain)
            yield coded[shift + 1 if shift else 0 : -4 if len(plain + bytes(shift)) % 3 else None]


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for inner in archive.namelist():
                yield f"{name}/{inner}", archive.read(inner)
