"""WeChat's API, as far as a mini program's subscription messages need it.

https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/
The secret travels in bodies where WeChat takes it there; what must stand in an address is
never repeated in an error or a log.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import structlog

from foundation.errors import DomainError, Kind
from foundation.runner import Context

log = structlog.get_logger()

_MARGIN: Final = timedelta(minutes=5)
"""Before its end a token is not used any more: WeChat lets two overlap that long."""
_LEAST: Final = timedelta(seconds=30)
_TOKEN_ERRORS: Final = frozenset({40001, 40014, 41001, 42001})
_LATER: Final = frozenset({-1, 45009, 45011, 44990})
"""Busy, or asked too often."""
_OURS: Final = frozenset({40013, 40125})
"""Our own name or secret is wrong."""


class WeChatUnavailable(DomainError):
    """WeChat does not answer, or is busy, or does not know us."""

    kind, code, title = Kind.UNAVAILABLE, "wechat-unavailable", "WeChat does not answer"
    title_zh = "微信服务暂时不可用"


class WeChatOff(DomainError):
    """This installation has no mini program."""

    kind, code, title = Kind.UNAVAILABLE, "wechat-off", "WeChat is not set up here"
    title_zh = "未开通微信服务"


class BadWeChatCode(DomainError):
    """The code of `wx.login` is wrong, spent, or too old."""

    kind, code, title = Kind.INVALID, "bad-wechat-code", "WeChat does not know this code"
    title_zh = "微信登录凭证无效"


class WeChatRefused(DomainError):
    """WeChat does not send this message; `answer` is its error code."""

    kind, code, title = Kind.INVALID, "wechat-refused", "WeChat refused the message"
    title_zh = "微信拒绝发送该消息"

    def __init__(self, answer: int) -> None:
        super().__init__(f"errcode {answer}", answer=answer)
        self.answer = answer


class WeChatClient:
    """Keeps the access token of this process. Other processes have the same (`stable_token`)."""

    def __init__(self, context: Context) -> None:
        self._settings = context.settings.wechat
        self._clock = context.clock
        self._timeout = context.settings.messages.timeout.total_seconds()
        self._token = ""
        self._good_until = datetime.min.replace(tzinfo=UTC)
        self._fetching = asyncio.Lock()

    async def openid(self, code: str) -> str:
        """Who `wx.login` in the mini program gave `code` to.

        Raises:
            WeChatOff, BadWeChatCode, WeChatUnavailable: see there.
        """
        query = self._credentials() | {
            "js_code": code,
            "grant_type": "authorization_code",
        }
        answer = await self._ask("GET", "/sns/jscode2session", query=query)
        if (error := _error(answer)) in _LATER | _TOKEN_ERRORS | _OURS:
            raise WeChatUnavailable(f"errcode {error}")
        openid = answer.get("openid")
        if error or not isinstance(openid, str) or not 0 < len(openid) <= 128:
            raise BadWeChatCode
        return openid

    async def send(self, openid: str, template_id: str, data: Mapping[str, str], page: str) -> None:
        """Send one subscription message.

        A token that WeChat has taken back is replaced once.

        Raises:
            WeChatRefused: this message, to this person.
            WeChatUnavailable: anything, now.
        """
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": template_id,
            "data": {name: {"value": value} for name, value in data.items()},
        }
        if page:
            body["page"] = page
        token = ""
        for _ in range(2):
            token = await self._access_token(refused=token)
            answer = await self._ask(
                "POST",
                "/cgi-bin/message/subscribe/send",
                query={"access_token": token},
                body=body,
            )
            error = _error(answer)
            if error == 0:
                return
            if error not in _TOKEN_ERRORS:
                break
        if error in _LATER | _TOKEN_ERRORS:
            raise WeChatUnavailable(f"errcode {error}")
        raise WeChatRefused(error)

    async def _access_token(self, *, refused: str) -> str:
        """A token that is not `refused`. Asked for once, however many wait for it."""
        async with self._fetching:
            now = self._clock()
            if self._token != refused and now < self._good_until:
                return self._token
            # WeChat makes another one before its time a few times a day only.
            body = self._credentials() | {
                "grant_type": "client_credential",
                "force_refresh": bool(refused) and self._token == refused,
            }
            answer = await self._ask("POST", "/cgi-bin/stable_token", body=body)
            token, life = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not isinstance(life, int):
                log.warning("wechat.credentials.refused", errcode=_error(answer))
                raise WeChatUnavailable(f"errcode {_error(answer)}")
            self._token = token
            self._good_until = now + max(timedelta(seconds=life) - _MARGIN, _LEAST)
            return token

    def _credentials(self) -> dict[str, Any]:
        settings = self._settings
        if not settings.app_id or settings.app_secret is None:
            raise WeChatOff
        return {"appid": settings.app_id, "secret": settings.app_secret.get_secret_value()}

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        url = f"{self._settings.url.rstrip('/')}{path}"
        try:
            async with httpx.AsyncClient(timeout=self._timeout, trust_env=False) as client:
                answer = await client.request(method, url, params=query, json=body)
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError) as error:
            # The text of an error may repeat the address, and the secret in it.
            log.warning("wechat.unreachable", error=type(error).__name__)
            raise WeChatUnavailable(type(error).__name__) from None
        if not isinstance(found, dict):
            raise WeChatUnavailable(f"HTTP {answer.status_code}")
        return found


def _error(answer: Mapping[str, Any]) -> int:
    """`errcode`; 0 when all is well."""
    error = answer.get("errcode", 0)
    return error if isinstance(error, int) else -1
