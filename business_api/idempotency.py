"""`Idempotency-Key`: a POST that creates happens once, however often it is sent.

The key is claimed in a row of its own before the act; the answer is written into that row
in the act's own transaction, so that act and answer commit together or not at all. Who
sends the same request again gets the stored answer; who sends another one under the same
key is told so (422); who sends it while the first is under way waits (409). A failed act
gives its key back. A claim whose process died is taken over after a minute, and the late
holder, should it live after all, rolls back.

For acts that are rows, and wake-ups after them: those are kept back until COMMIT. An act
that speaks to the outside world (opening a door) keeps its own key (`OpenCommand`).
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.deps import Ctx, CurrentActor
from business_api.idempotency_models import IdempotencyRecord
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.wake import held

LEASE: Final = timedelta(minutes=1)
KEPT: Final = timedelta(hours=24)
"""How long an answer can be had again; then `housekeeping` forgets the key."""

_ATTEMPTS: Final = 3


class KeyReused(DomainError):
    """The key was used before, for another request."""

    kind, code, title = Kind.INVALID, "key-reused", "The Idempotency-Key belongs to another request"
    title_zh = "幂等键已用于其他请求"


class RequestInFlight(DomainError):
    """The same request is being worked on; send it again in a moment."""

    kind, code, title = Kind.CONFLICT, "request-in-flight", "The same request is under way"
    title_zh = "相同请求正在处理"


class Once:
    """One POST and its key, if it has one."""

    def __init__(
        self, context: Context, actor: Actor, route: str, key: str | None, request_hash: str
    ) -> None:
        self._context = context
        self._actor = actor
        self._route = route
        self._key = key
        self._hash = request_hash

    async def __call__(
        self,
        act: Callable[[], Awaitable[BaseModel]],
        *,
        status: int = 201,
        whole: bool = True,
        secret: bool = False,
    ) -> Response:
        """Do `act` and answer with what it returns, or give the answer it gave before.

        Args:
            act: what is to happen once.
            status: of the answer, when it goes well.
            whole: `act` and the stored answer commit together. False for an act that must
                not run inside a transaction, because what it notes of a failure has to
                stay (a wrong code is counted): its answer is stored after it, and a crash
                between the two lets a later repeat find out by itself that it happened.
            secret: the answer holds one (a first password): it is stored sealed.

        Raises:
            KeyReused, RequestInFlight: see there; and whatever `act` raises.
        """
        if self._key is None:
            return _response(status, (await act()).model_dump_json())
        record = await self._claim(self._key)
        if record.status is not None:
            return _response(record.status, self._stored(record), replayed=True)
        try:
            body = await self._act_and_store(act, record, status, whole=whole, secret=secret)
        except BaseException:
            await IdempotencyRecord.filter(id=record.id, status=None).delete()
            raise
        return _response(status, body)

    async def _act_and_store(
        self,
        act: Callable[[], Awaitable[BaseModel]],
        record: IdempotencyRecord,
        status: int,
        *,
        whole: bool,
        secret: bool,
    ) -> str:
        mine = IdempotencyRecord.filter(id=record.id, status=None)
        if not whole:
            body = (await act()).model_dump_json()
            await mine.update(status=status, response=self._to_store(record, body, secret=secret))
            return body
        with held():
            async with in_transaction():
                body = (await act()).model_dump_json()
                response = self._to_store(record, body, secret=secret)
                if not await mine.update(status=status, response=response):
                    raise RequestInFlight("the claim was taken over")
        return body

    def _to_store(self, record: IdempotencyRecord, body: str, *, secret: bool) -> dict[str, str]:
        if not secret:
            return {"body": body}
        sealed = self._context.keyring.seal(body.encode(), f"idempotency/{record.id}")
        return {"sealed": base64.b64encode(sealed).decode()}

    def _stored(self, record: IdempotencyRecord) -> str:
        if "sealed" not in record.response:
            return str(record.response["body"])
        sealed = base64.b64decode(record.response["sealed"])
        return self._context.keyring.unseal(sealed, f"idempotency/{record.id}").decode()

    async def _claim(self, key: str) -> IdempotencyRecord:
        """The row to fill in, or the filled one. The unique index decides who is first."""
        now = self._context.clock()
        for _ in range(_ATTEMPTS):
            try:
                return await IdempotencyRecord.create(
                    actor_id=self._actor.account_id,
                    route=self._route,
                    key=key,
                    request_hash=self._hash,
                    created_at=now,
                )
            except IntegrityError:
                known = await IdempotencyRecord.get_or_none(
                    actor_id=self._actor.account_id, route=self._route, key=key
                )
            if known is None:
                continue
            if known.request_hash != self._hash:
                raise KeyReused
            if known.status is not None:
                return known
            if known.created_at > now - LEASE:
                raise RequestInFlight
            await IdempotencyRecord.filter(id=known.id, status=None).delete()
        raise RequestInFlight


async def _key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=80,
            pattern=r"^[\x21-\x7e]+$",
            description="Any unique text; the same request under it happens once.",
        ),
    ] = None,
) -> str | None:
    return key


RequestKey = Annotated[str | None, Depends(_key)]
"""The caller's name for this request, if it gave it one."""


async def _once(request: Request, context: Ctx, actor: CurrentActor, key: RequestKey) -> Once:
    # Keyed: a body may hold a password, and its plain hash would let it be guessed.
    secret = context.keyring.derive("idempotency")
    text = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    request_hash = hmac.digest(secret, text + await request.body(), hashlib.sha256).hex()
    return Once(context, actor, request.scope["route"].operation_id, key, request_hash)


OnceOnly = Annotated[Once, Depends(_once)]


def _response(status: int, body: str, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, status_code=status, headers=headers, media_type="application/json")
