"""The keys a station made at its first power-up. They never leave its flash."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_emulator.memory import Memory
from foundation.wire import enroll

AREA: Final = "identity"


@dataclass(frozen=True, slots=True)
class Identity:
    """`sign` proves who the station is, `box` opens what is sealed to it."""

    sign: Ed25519PrivateKey
    box: X25519PrivateKey

    @classmethod
    def of(cls, memory: Memory) -> Self:
        """Read the keys, or make them when there are none."""
        kept = memory.read(AREA)
        if "sign" in kept and "box" in kept:
            sign, box = (base64.b64decode(str(kept[name])) for name in ("sign", "box"))
            return cls(
                Ed25519PrivateKey.from_private_bytes(sign),
                X25519PrivateKey.from_private_bytes(box),
            )
        made = cls(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())
        memory.put(AREA, "sign", base64.b64encode(made.sign.private_bytes_raw()).decode())
        memory.put(AREA, "box", base64.b64encode(made.box.private_bytes_raw()).decode())
        return made

    @property
    def pk(self) -> str:
        """Both public keys, as enrolment wants them."""
        return enroll.public_keys(self.sign, self.box)

    def secret(self, label: str) -> bytes:
        """32 bytes for one local purpose, the same as long as the keys are."""
        return hmac.digest(self.box.private_bytes_raw(), label.encode(), hashlib.sha256)
