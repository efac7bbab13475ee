"""`GET /developer/messages`: what the local provider has kept, for eyes at this machine only.

Not part of the API: no client has a use for it, and with a real provider it is not there.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from business_api import phones
from business_api.actors import NotFound
from business_api.deps import Ctx
from business_api.language import Language, language_of
from business_api.sms import local
from business_api.sms.local import LocalMessage
from business_api.this_machine import from_this_machine

router = APIRouter(include_in_schema=False)

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #bbb;vertical-align:top}"
    "td:not(:last-child){white-space:nowrap}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Refresh": "5",
}
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "title": "开发者短信",
        "about": "本机未接入短信服务商：短信不会发出，只显示在这里。每 5 秒刷新。",
        "none": "还没有短信。",
        "at": "时间",
        "to": "号码",
        "text": "内容",
    },
    "en": {
        "title": "Messages for developers",
        "about": "No provider is set up: messages are not sent, only shown here. "
        "Refreshed every 5 seconds.",
        "none": "No messages yet.",
        "at": "Time",
        "to": "Number",
        "text": "Text",
    },
}


@router.get("/developer/messages")
async def messages(
    request: Request, context: Ctx, lang: Annotated[Language | None, Query()] = None
) -> HTMLResponse:
    """The page. A name that merely points here (DNS rebinding) is not this machine."""
    chosen = context.settings.sms
    if (
        chosen.provider != "local"
        or not chosen.developer_page  # a proxy here would lend everybody this machine's address
        or not from_this_machine(request, context)
        or (request.url.hostname or "") not in _HOSTS
    ):
        raise NotFound
    language = lang or language_of(request)
    page = _page(await local.latest(context), language)
    return HTMLResponse(page, headers={**_HEADERS, "Content-Language": language})


def _page(kept: list[LocalMessage], language: Language) -> str:
    words = {name: escape(text) for name, text in _WORDS[language].items()}
    rows = "".join(
        f"<tr><td>{message.sent_at.astimezone(_ZONE):%m-%d %H:%M:%S}</td>"
        f"<td>{escape(phones.masked(message.phone))}</td>"
        f"<td>{escape(message.text)}</td></tr>"
        for message in kept
    )
    head = f"<tr><th>{words['at']}</th><th>{words['to']}</th><th>{words['text']}</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{words['title']}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{words['title']}</h1><p>{words['about']}</p>"
        f"{table if kept else '<p>' + words['none'] + '</p>'}</body></html>"
    )
