"""The station's side of REG/1: proving who it is, believing one platform, knowing its secret.

The first platform that answers is believed from then on: every later answer must be signed
with the same key (trust on first use). Every answer must echo the nonce of the question.
"""

import base64
import secrets
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from device_emulator.board import Board
from device_emulator.effects import AskTime, Enrol
from device_emulator.identity import Identity
from device_emulator.inputs import ContactFailed
from device_emulator.journal import Journal
from foundation.errors import DomainError
from foundation.wire import enroll
from foundation.wire.base import BadMessage, BadSignature
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, Registration, TimeAnswer
from foundation.wire.keys import DeviceKeys

AREA: Final = "registration"
TIMER: Final = "enrol"

_CLOCK_GOOD: Final = 2_000
"""Milliseconds by which the clock may be off without being moved."""
_UNHURRIED: Final = 60_000
"""How often a station asks that cannot do anything about the answer."""
_SOON: Final = 300
_COMPARISONS: Final = 20
"""Most in one power-up: who sits on the line gets so many tries at one in a million."""


class Heard(StrEnum):
    """What an answer of the platform means for the station."""

    REGISTERED = "registered"  # with a secret that is new to us
    CONFIRMED = "confirmed"  # registered, as we knew
    WAITING = "waiting"  # unregistered, or a number to compare
    SHUT_OUT = "shut_out"  # not registered any more: forget
    CONFLICT = "conflict"
    SUSPENDED = "suspended"
    NOTHING = "nothing"  # not for us, or not believed


class Registrar:
    """See the module."""

    def __init__(self, board: Board, journal: Journal, identity: Identity) -> None:
        self._board, self._journal, self._identity = board, journal, identity
        kept = board.memory.read(AREA)
        self.server_pk: str | None = kept.get("server_pk")
        self._comparing: dict[str, str] = kept.get("comparing") or {}
        """`mine` and, once it is known, `theirs`: the shares of the comparison number."""
        self._comparisons = 0
        self.number: str | None = kept.get("number")
        """The six digits to compare with the console's, while somebody must confirm."""
        self.registration: Registration | None = None
        self.keys: DeviceKeys | None = None
        if "registration" in kept:
            self._take(Registration.model_validate(kept["registration"]))
        self.user_code: str | None = None
        self.status = "registered" if self.registration else ""
        """What the platform said last; `mistrusted` when it was not the one we know."""
        self._nonce = ""
        self._failures = 0

    @property
    def secret_ver(self) -> int:
        """The version of the secret held, 0 for none."""
        return self.registration.secret_ver if self.registration else 0

    def contact(self, *, after: int = 0, ask_time: bool = False) -> None:
        """Ask where we stand, now or `after` milliseconds; first for the time if in doubt."""
        self._ask_time = ask_time or not self._board.clock_set
        if after:
            self._board.after(TIMER, after)
        else:
            self.expired()

    def expired(self) -> None:
        """Ask now."""
        self._nonce = secrets.token_hex(16)
        if self._ask_time:
            self._board.emit(AskTime(self._nonce))
        else:
            self._enrol()
        self._board.after(TIMER, _UNHURRIED)  # in case no answer ever comes

    def timed(self, answer: TimeAnswer) -> None:
        """The platform told the time: set the clock by it and go on to enrol."""
        if not self._ask_time or not self._believed(enroll.TIME, answer):
            return
        self._ask_time = False
        off = answer.ts_ms - self._board.unix_ms
        self._board.set_clock(off if abs(off) > _CLOCK_GOOD else 0)
        if abs(off) > _CLOCK_GOOD:
            self._journal.add("clock.step", duration_ms=min(abs(off), 2**53))
        self._enrol()

    def answered(self, answer: EnrollAnswer) -> Heard:
        """The platform said where we stand."""
        if not self._believed(enroll.ANSWER, answer):
            return Heard.NOTHING
        self._failures, self._nonce = 0, ""
        self.status = answer.status
        self._board.cancel(TIMER)
        poll = self._board.jitter(answer.poll * 1000)
        match answer.status:
            case "registered":
                return self._registered(answer)
            case "unregistered" | "confirm":
                self.contact(after=poll)
                return self._waiting(answer)
            case "mac_conflict":
                self.contact(after=max(poll, self._board.jitter(_UNHURRIED)))
                return Heard.CONFLICT
            case "suspended":
                self.contact(after=max(poll, self._board.jitter(_UNHURRIED // 2)))
                return Heard.SUSPENDED
            case "unbound":
                # Called again at once: with `held` 0 it tells the platform that we forgot.
                self.contact(after=self._board.jitter(1000))
                return Heard.SHUT_OUT

    def failed(self, why: ContactFailed) -> None:
        """No usable answer: again later, after what the platform asks for, or 1, 2, 4…60 s."""
        self._board.counts["enrol_failed"] += 1
        config = self._board.config
        wait = min(config.backoff << min(self._failures, 16), config.backoff_max)
        self._failures += 1
        if why.retry_after is not None:
            wait = max(wait, min(why.retry_after, 3600) * 1000)
        # A request that the platform calls wrong may only be late: look at the clock.
        wrong = 400 <= why.status < 500 and why.status != 429
        self.contact(after=self._board.jitter(wait), ask_time=wrong)

    def forget(self) -> None:
        """Forget secret and number; who we are and whom we believe stays."""
        self.registration = self.keys = None
        self._board.memory.drop(AREA, "registration")
        self._stop_comparing()

    def _enrol(self) -> None:
        body: dict[str, object] = {
            "mac": self._board.mac,
            "model": self._board.config.model,
            "fw": self._board.config.fw,
            "pk": self._identity.pk,
            "ts": self._board.unix_ms // 1000,
            "nonce": self._nonce,
            "boot": self._board.boot,
            "held": self.secret_ver,
        }
        if self.registration is None:
            body |= self._shares()
        sig = enroll.sign(self._identity.sign, enroll.REQUEST, body)
        self._board.emit(Enrol(EnrollRequest.model_validate(body | {"sig": sig})))

    def _registered(self, answer: EnrollAnswer) -> Heard:
        try:
            plain = enroll.unseal(self._identity.box, answer.sealed or "")
            registration = Registration.model_validate_json(plain)
            secret = base64.b64decode(registration.secret, validate=True)
        except (DomainError, ValidationError, ValueError):
            self.failed(ContactFailed())
            return Heard.NOTHING
        if len(secret) != 32:
            self.failed(ContactFailed())
            return Heard.NOTHING
        before, self.user_code = self.registration, None
        self._stop_comparing()
        if registration == before:
            return Heard.CONFIRMED
        self._take(registration)
        self._board.memory.put(AREA, "registration", registration.model_dump(mode="json"))
        return Heard.REGISTERED

    def _waiting(self, answer: EnrollAnswer) -> Heard:
        self.user_code = answer.user_code
        if answer.status == "confirm":
            self._compare(answer.share, answer.number)
        elif "theirs" in self._comparing:
            self._stop_comparing()  # what was revealed binds us no more
        if self.registration is None:
            return Heard.WAITING
        return Heard.SHUT_OUT

    def _shares(self) -> dict[str, object]:
        """What we say of the number to compare: bound to our share first, then all of it."""
        if not self._comparing:
            if self._comparisons >= _COMPARISONS:
                return {}
            self._comparisons += 1
            self._keep({"mine": secrets.token_hex(16)})
        mine = self._comparing["mine"]
        told: dict[str, object] = {"commit": enroll.commitment(mine)}
        return told | {"reveal": mine} if "theirs" in self._comparing else told

    def _compare(self, theirs: str | None, number: str | None) -> None:
        """Show the number only if we come to the same one: it proves whose keys were used.

        The platform's share counts as it was before it knew ours: another one was chosen
        to fit. Who is no party to this says so with `unregistered`, and all begins anew.
        """
        if theirs is None or not self._comparing:
            self.status = "mistrusted"
            return
        if "theirs" not in self._comparing:
            self._keep(self._comparing | {"theirs": theirs})
            self.contact(after=self._board.jitter(_SOON))
            return
        own = self._number() if theirs == self._comparing["theirs"] else None
        if own is None or number not in (None, own):
            self.status, self.number = "mistrusted", None
            self._board.memory.drop(AREA, "number")
        elif number is not None and number != self.number:
            self.number = number
            self._board.memory.put(AREA, "number", number)

    def _number(self) -> str:
        shares = self._comparing["mine"], self._comparing["theirs"]
        return enroll.comparison_number(self._identity.pk, self.server_pk or "", *shares)

    def _keep(self, comparing: dict[str, str]) -> None:
        self._comparing = comparing
        self._board.memory.put(AREA, "comparing", comparing)

    def _stop_comparing(self) -> None:
        if self._comparing or self.number:
            self.number, self._comparing = None, {}
            for name in ("comparing", "number"):
                self._board.memory.drop(AREA, name)

    def _believed(self, purpose: str, answer: EnrollAnswer | TimeAnswer) -> bool:
        """Whether this answers our question and comes from the platform we know."""
        if answer.nonce != self._nonce:
            return False  # of an earlier question, or somebody's else
        known = self.server_pk or answer.server_pk
        try:
            # Checked with the key we know: what the answer says its key is proves nothing.
            enroll.check(known, purpose, answer.model_dump(mode="json"), answer.sig)
        except (BadSignature, BadMessage):
            self.status = "mistrusted"
            self._board.counts["platform_mistrusted"] += 1
            self.failed(ContactFailed())
            return False
        if self.server_pk is None:
            self.server_pk = known
            self._board.memory.put(AREA, "server_pk", known)
        return True

    def _take(self, registration: Registration) -> None:
        self.registration = registration
        self.keys = DeviceKeys.of(base64.b64decode(registration.secret))
