"""What a kind of message is: its words, what it is muted with, and what fills it in.

Parameters are text from people: names, reasons. They become one line of plain text without
anything that could forge a second line, turn the direction of reading, or hide.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from string import Formatter
from typing import Final

from business_api.language import Language
from business_api.messages.models import Channel
from foundation.errors import DomainError, Kind

LONGEST: Final = 200
"""Characters of one parameter; the rest is cut off."""

_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class UnknownMessage(DomainError):
    """There is no such kind of message in the catalogue, or its key is not one."""

    kind, code, title = Kind.INVALID, "unknown-message", "There is no such kind of message"
    title_zh = "没有该类消息"


class WrongParams(DomainError):
    """A message lacks a parameter, or has one that its words do not use."""

    kind, code, title = Kind.INVALID, "wrong-message-params", "The message cannot be filled in"
    title_zh = "消息参数不正确"


class Group(StrEnum):
    """What a person mutes together."""

    HOME = "home"  # 房屋与住户
    WORK = "work"  # 工作待办


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages, with `{parameter}` where one goes."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """In one language."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True)
class Template:
    """One kind of message.

    `channels` are used besides the app unless the person has turned them off; a channel
    that is not among them cannot be turned on. Urgent ones ignore quiet hours. `refs` are
    parameters that no words use: ids by which the app opens the right page.
    """

    group: Group
    title: Words
    body: Words
    channels: frozenset[Channel] = frozenset()
    urgent: bool = False
    refs: frozenset[str] = frozenset()

    @cached_property
    def params(self) -> frozenset[str]:
        """What it must be told with: neither more nor less."""
        texts = (self.title.zh, self.title.en, self.body.zh, self.body.en)
        return self.refs.union(*map(placeholders, texts))

    def filled(self, params: Mapping[str, str]) -> dict[str, str]:
        """Clean parameters, all that are needed.

        Raises:
            WrongParams: one is missing, or not known.
        """
        if params.keys() != self.params:
            wrong = sorted(params.keys() ^ self.params)
            raise WrongParams("missing or unknown: " + ", ".join(wrong)[:200])
        return {name: one_line(value) for name, value in params.items()}

    def render(self, params: Mapping[str, str], language: Language) -> tuple[str, str]:
        """Title and body.

        Raises:
            WrongParams: it was told when the words needed other parameters.
        """
        try:
            return (
                self.title.of(language).format_map(params),
                self.body.of(language).format_map(params),
            )
        except KeyError as error:
            raise WrongParams(f"missing: {error}") from None


def placeholders(text: str) -> set[str]:
    """The names of the parameters in `text`."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def one_line(text: str) -> str:
    """`text` without control, format and half characters, in one line of bounded length."""
    visible = "".join(
        " " if unicodedata.category(character) in _HIDDEN else character
        for character in text[: 4 * LONGEST]
    )
    return " ".join(visible.split())[:LONGEST]
