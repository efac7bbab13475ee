"""Where the bytes are: a folder, or an S3 bucket (obstore)."""

from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from foundation.errors import DomainError, Kind
from foundation.settings_outside import Files

if TYPE_CHECKING:
    from obstore.store import S3Config  # exists for type checkers only

Variant = Literal["files", "thumbnails"]

_CHUNK: Final = 256 * 1024


class StoreAway(DomainError):
    """The store of files does not answer."""

    kind, code, title = Kind.UNAVAILABLE, "file-store-away", "Files cannot be reached now"
    title_zh = "文件存储不可用，请稍后再试"


class Store:
    """Puts, gets and deletes files by id; opened when it is first used."""

    def __init__(self, files: Files, data_dir: Path) -> None:
        self._settings = files, data_dir

    @cached_property
    def _store(self) -> ObjectStore:
        return _open(*self._settings)

    async def put(self, variant: Variant, file_id: UUID, source: Path) -> None:
        """Store a file from the disk, in parts if it is long.

        Raises:
            StoreAway: it cannot be written now.
        """
        try:
            await obstore.put_async(self._store, _path(variant, file_id), source)
        except BaseError as error:
            raise StoreAway(type(error).__name__) from None

    async def read(
        self, variant: Variant, file_id: UUID, start: int, end: int
    ) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`; the first piece is there at once.

        Raises:
            StoreAway: it cannot be read now, or is not there.
        """
        try:
            found = await obstore.get_async(
                self._store, _path(variant, file_id), options={"range": (start, end)}
            )
        except BaseError as error:
            raise StoreAway(type(error).__name__) from None
        return _pieces(found)

    async def delete(self, variant: Variant, file_id: UUID) -> None:
        """Delete; it is no error when there is nothing.

        Raises:
            StoreAway: it cannot be deleted now.
        """
        try:
            await obstore.delete_async(self._store, _path(variant, file_id))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise StoreAway(type(error).__name__) from None


def _open(files: Files, data_dir: Path) -> ObjectStore:
    if files.bucket is None:
        return LocalStore(data_dir / "files", mkdir=True)
    plain = files.endpoint is not None and files.endpoint.startswith("http://")
    config: S3Config = {"virtual_hosted_style_request": files.virtual_hosted}
    if files.endpoint:
        config["endpoint"] = files.endpoint
    if files.region:
        config["region"] = files.region
    if files.access_key and files.secret_key:
        config["access_key_id"] = files.access_key
        config["secret_access_key"] = files.secret_key.get_secret_value()
    return S3Store(files.bucket, config=config, client_options={"allow_http": plain})


def _path(variant: Variant, file_id: UUID) -> str:
    return f"{variant}/{file_id.hex[-2:]}/{file_id.hex}"


async def _pieces(found: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=_CHUNK):
        yield bytes(piece)
