"""Files: taken by their content, made anew, shown to whom they concern, forgotten unused."""

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image
from pydantic import SecretStr

from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.files import attachments, claims, images, uploads
from business_api.files.errors import ImagesBusy, NoSuchFile
from business_api.files.models import StoredFile, UploadClaim
from business_api.files.store import Store
from foundation.ids import new_id
from foundation.settings_outside import Files
from tests.business_api.conftest import Api, Estate
from tests.support.until import until

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(range(256)) * 40


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480), **more: Any) -> bytes:
    out = io.BytesIO()
    mode = "RGB" if kind == "JPEG" else "RGBA"
    Image.new(mode, size, (200, 30, 60, 255)[: len(mode)]).save(out, kind, **more)
    return out.getvalue()


@pytest.fixture
async def lin(api: Api, park: Estate) -> dict[str, str]:
    await api.resident("lin", park.flat)
    return await api.headers("lin")


async def send(
    api: Api, headers: dict[str, str], body: bytes, name: str = "a.jpg"
) -> httpx.Response:
    return await api.client.post("/v1/files", content=body, headers=headers | {"File-Name": name})


async def test_an_image_comes_back_without_what_the_camera_wrote(
    api: Api, lin: dict[str, str]
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"  # Make
    exif[0x0112] = 6  # turned by 90°
    sent = picture(exif=exif, comment=b"SecretComment")
    assert b"SecretCamera" in sent

    answer = await send(api, lin, sent, "%E6%88%BF%E4%BA%A7%E8%AF%81.jpg")
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert file["name"] == "房产证.jpg"
    assert (file["kind"], file["media_type"]) == ("image", "image/jpeg")
    assert (file["width"], file["height"]) == (480, 640), "upright"

    back = await api.client.get(file["url"])
    assert back.status_code == 200
    assert back.headers["content-type"] == "image/jpeg"
    assert back.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in back.headers["content-security-policy"]
    assert b"Secret" not in back.content
    assert len(back.content) == file["size"]
    small = await api.client.get(file["thumbnail_url"])
    assert max(Image.open(io.BytesIO(small.content)).size) == images.THUMBNAIL


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
async def test_what_may_be_transparent_becomes_png(
    api: Api, lin: dict[str, str], kind: str
) -> None:
    file = (await send(api, lin, picture(kind))).json()
    assert file["media_type"] == "image/png"
    back = await api.client.get(file["url"])
    assert Image.open(io.BytesIO(back.content)).format == "PNG"


async def test_a_video_is_given_in_ranges(api: Api, lin: dict[str, str]) -> None:
    file = (await send(api, lin, MP4, "v.mp4")).json()
    assert (file["kind"], file["thumbnail_url"]) == ("video", None)
    part = await api.client.get(file["url"], headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == MP4[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(MP4)}"
    rest = await api.client.get(file["url"], headers={"Range": f"bytes={len(MP4) - 5}-"})
    assert rest.content == MP4[-5:]
    beyond = await api.client.get(file["url"], headers={"Range": f"bytes={len(MP4)}-"})
    assert beyond.status_code == 416
    odd = await api.client.get(file["url"], headers={"Range": "bytes=5-1"})
    assert odd.status_code == 416
    assert (await api.client.get(file["url"], headers={"Range": "lines=1-2"})).content == MP4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "unknown-file-type"),
        (b"MZ" + bytes(100), "unknown-file-type"),
        (b"<html><script>alert(1)</script></html>", "unknown-file-type"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "unknown-file-type"),
        (b"\xff\xd8\xff" + bytes(1000), "broken-file"),
        (picture()[:400], "broken-file"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 5000, "broken-file"),
    ],
)
async def test_what_it_is_not_is_refused(
    api: Api, lin: dict[str, str], body: bytes, code: str
) -> None:
    answer = await send(api, lin, body, "photo.jpg")
    assert answer.status_code == 422, answer.text
    assert code_of(answer) == code
    assert await StoredFile.all().count() == 0


async def test_a_bomb_of_pixels_is_not_decoded(
    api: Api, lin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "PIXELS", 640 * 480 - 1)
    answer = await send(api, lin, picture())
    assert code_of(answer) == "file-too-large"


async def test_25_megapixels_at_most(api: Api, lin: dict[str, str]) -> None:
    out = io.BytesIO()
    Image.new("1", (5001, 5000)).save(out, "PNG")
    assert code_of(await send(api, lin, out.getvalue())) == "file-too-large"


@pytest.mark.parametrize(
    ("kind", "mode", "size", "mebibytes"),
    [
        ("PNG", "RGBA", (5000, 5000), 430),
        ("JPEG", "RGB", (5000, 5000), 330),
        ("JPEG", "RGB", (24_000, 1000), 120),
    ],
)
def test_memory_for_an_image_is_bounded(
    tmp_path: Path, *, kind: str, mode: str, size: tuple[int, int], mebibytes: int
) -> None:
    """Without making it small first: 529, 429 and 309 MiB."""
    Image.new(mode, size, (1, 2, 3, 4)[: len(mode)]).save(tmp_path / "source", kind)
    script = (
        "import pathlib, re, sys; from business_api.files import images\n"
        "status = pathlib.Path('/proc/self/status')\n"  # rusage begins with our own peak
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', status.read_text())[1]) // 1024\n"
        "before, at = peak(), pathlib.Path(sys.argv[1])\n"
        "made = images._remake(at / 'source', at / 'target', at / 'small')\n"
        "print(peak() - before, max(made.width, made.height))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True, text=True
    )
    more, side = map(int, done.stdout.split())
    assert side == images.SIDE
    assert more < mebibytes


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "P"), ("PNG", "LA"), ("JPEG", "CMYK")])
async def test_long_images_of_any_mode_are_made_small_and_upright(
    api: Api, lin: dict[str, str], *, kind: str, mode: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90°
    out = io.BytesIO()
    Image.new(mode, (images.SIDE * 2, 100)).save(out, kind, exif=exif)
    file = (await send(api, lin, out.getvalue())).json()
    assert (file["width"], file["height"]) == (50, images.SIDE)


async def test_only_so_many_images_wait(
    api: Api, lin: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_WAITING", 1)
    (tmp_path / "source").write_bytes(picture(size=(3000, 3000)))
    paths = (tmp_path / "source", tmp_path / "target", tmp_path / "small")
    under_way = asyncio.ensure_future(images.remake(*paths))
    await asyncio.sleep(0)
    with pytest.raises(ImagesBusy):
        await images.remake(*paths)
    assert (await under_way).width == 3000
    monkeypatch.setattr(images, "_WAITING", 0)
    refused = await send(api, lin, picture())
    assert (refused.status_code, code_of(refused)) == (503, "images-busy")
    monkeypatch.undo()
    assert (await send(api, lin, picture())).status_code == 201


async def test_too_many_bytes_are_refused_as_they_come(api: Api, lin: dict[str, str]) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"%PDF-1.7\n" + bytes(16)
        while True:
            sent += 1
            yield bytes(1024 * 1024)

    answer = await api.client.post("/v1/files", content=endless(), headers=lin)
    assert answer.status_code == 422
    assert code_of(answer) == "file-too-large"
    assert sent < 30, "the rest was not read"


async def test_links_are_for_one_file_and_one_form_and_some_minutes(
    api: Api, lin: dict[str, str]
) -> None:
    file = (await send(api, lin, picture())).json()
    other = (await send(api, lin, picture())).json()
    url: str = file["url"]
    for forged in (
        url.replace(file["id"], other["id"]),
        url.replace("/files/", "/thumbnails/"),
        url.replace("until=", "until=9"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
    ):
        answer = await api.client.get(forged)
        assert answer.status_code == 404, forged
        assert code_of(answer) == "bad-link"
    api.time.ahead = timedelta(minutes=12)
    assert (await api.client.get(url)).status_code == 404


async def test_who_may_see_a_file(
    api: Api, park: Estate, elsewhere: Estate, lin: dict[str, str]
) -> None:
    await api.account("reviewer", Role.HOUSE_REVIEWER, park.site)
    await api.resident("neighbour", park.home)
    reviewer, neighbour = await api.headers("reviewer"), await api.headers("neighbour")
    file = (await send(api, lin, picture())).json()
    url = f"/v1/files/{file['id']}"

    async def statuses() -> list[int]:
        people = (lin, reviewer, neighbour, park.headers, elsewhere.headers)
        return [(await api.client.get(url, headers=who)).status_code for who in people]

    assert await statuses() == [200, 404, 404, 404, 404], "its sender alone"

    account = await StoredFile.get(id=file["id"])
    actor = await _actor(api, lin)
    await attachments.attach(
        actor,
        [account.id],
        to="certification/1",
        site=park.site,
        view=Permission.CERTIFICATION_VIEW,
    )
    assert await statuses() == [200, 200, 404, 200, 404]
    refused = await api.client.delete(url, headers=lin)
    assert code_of(refused) == "file-attached"


async def test_nobody_attaches_what_another_sent_or_twice(
    api: Api, park: Estate, lin: dict[str, str]
) -> None:
    await api.resident("thief", park.home)
    mine = UUID((await send(api, lin, picture())).json()["id"])
    actor, thief = await _actor(api, lin), await _actor(api, await api.headers("thief"))
    where = {"site": park.site, "view": Permission.CERTIFICATION_VIEW}
    for who, ids in ((thief, [mine]), (actor, [uuid4()])):
        with pytest.raises(NoSuchFile):
            await attachments.attach(who, ids, to="certification/1", **where)  # type: ignore[arg-type]
    await attachments.attach(actor, [mine, mine], to="certification/1", **where)  # type: ignore[arg-type]
    assert [row.id for row in await attachments.of("certification/1")] == [mine]
    with pytest.raises(NoSuchFile):
        await attachments.attach(actor, [mine], to="certification/2", **where)  # type: ignore[arg-type]


async def test_a_file_can_be_taken_back_and_is_forgotten_unused(
    api: Api, lin: dict[str, str]
) -> None:
    folder = api.context.settings.data_dir / "files"
    first, second = [(await send(api, lin, picture())).json() for _ in range(2)]
    assert len(_stored(folder)) == 4
    gone = await api.client.delete(f"/v1/files/{first['id']}", headers=lin)
    assert gone.status_code == 204
    assert (await api.client.get(first["url"])).status_code == 404
    assert len(_stored(folder)) == 2
    assert await uploads.forget_unused(api.context) == 0
    api.time.ahead = timedelta(hours=25)
    assert await uploads.forget_unused(api.context) == 1
    assert _stored(folder) == []
    assert await StoredFile.get_or_none(id=second["id"]) is None


async def test_no_more_unused_files_than_allowed(api: Api, lin: dict[str, str]) -> None:
    configure(api, unused_files=1)
    assert (await send(api, lin, MP4)).status_code == 201
    refused = await send(api, lin, MP4)
    assert refused.status_code == 429
    assert code_of(refused) == "too-many-files"


async def test_of_any_number_at_once_no_more_than_allowed(api: Api, lin: dict[str, str]) -> None:
    configure(api, unused_files=3)
    gate, begun, over = asyncio.Event(), 0, 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield b"%PDF-1.7\n" + bytes(16)
        await gate.wait()

    async def one() -> int:
        nonlocal over
        answer = await api.client.post("/v1/files", content=body(), headers=lin)
        over += 1
        return answer.status_code

    async with asyncio.TaskGroup() as group:
        sent = [group.create_task(one()) for _ in range(12)]
        await until(lambda: begun + over >= 12)
        gate.set()
    taken = [task.result() for task in sent].count(201)
    assert taken <= 3
    assert await StoredFile.all().count() == taken
    assert await UploadClaim.all().count() == 0


async def test_unused_bytes_are_limited_before_they_come(api: Api, lin: dict[str, str]) -> None:
    configure(api, unused_bytes=len(MP4) + 100)
    assert (await send(api, lin, MP4)).status_code == 201
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield MP4
        while True:
            sent += 1
            yield bytes(1024 * 1024)

    for body in (MP4, endless()):
        refused = await api.client.post("/v1/files", content=body, headers=lin)
        assert refused.status_code == 429
        assert code_of(refused) == "too-many-files"
    assert sent == 0
    assert (await send(api, lin, b"%PDF-1.7" + bytes(20))).status_code == 201, "it fits"


async def test_an_upload_that_fails_leaves_no_claim(api: Api, lin: dict[str, str]) -> None:
    configure(api, unused_files=1)
    for _ in range(2):
        assert code_of(await send(api, lin, b"\xff\xd8\xff" + bytes(1000))) == "broken-file"
        assert code_of(await send(api, lin, b"MZ" + bytes(100))) == "unknown-file-type"
    assert (await send(api, lin, MP4)).status_code == 201


async def test_a_claim_of_a_dead_process_is_forgotten_with_its_bytes(
    api: Api, lin: dict[str, str], tmp_path: Path
) -> None:
    configure(api, unused_files=1)
    actor = await _actor(api, lin)
    claim = await claims.begin(api.context, actor.account_id)
    (tmp_path / "half").write_bytes(MP4)
    await api.context.need(Store).put("files", claim.id, tmp_path / "half")
    assert code_of(await send(api, lin, MP4)) == "too-many-files"
    for method in ("GET", "DELETE"):
        found = await api.client.request(method, f"/v1/files/{claim.id}", headers=lin)
        assert code_of(found) == "no-such-file"
    where = {"to": "certification/1", "site": Site(), "view": Permission.CERTIFICATION_VIEW}
    with pytest.raises(NoSuchFile):
        await attachments.attach(actor, [claim.id], **where)  # type: ignore[arg-type]
    assert await uploads.forget_unused(api.context) == 0
    assert await UploadClaim.exists(id=claim.id)
    api.time.ahead = timedelta(hours=3)
    await uploads.forget_unused(api.context)
    assert not await UploadClaim.exists(id=claim.id)
    assert _stored(api.context.settings.data_dir / "files") == []
    assert (await send(api, await api.headers("lin"), MP4)).status_code == 201


async def test_files_in_a_bucket(api: Api, lin: dict[str, str]) -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        bucket = f"files-{new_id()}"  # the server's buckets outlive it in this process
        assert (await httpx.AsyncClient().put(f"{url}/{bucket}")).status_code == 200
        stored = Files(
            bucket=bucket,
            endpoint=url,
            region="us-east-1",
            access_key="test",
            secret_key=SecretStr("test"),
        )
        api.context.provide(Store, Store(stored, api.context.settings.data_dir))
        file = (await send(api, lin, MP4)).json()
        part = await api.client.get(file["url"], headers={"Range": "bytes=10-19"})
        assert part.content == MP4[10:20]
        assert (await api.client.get(file["url"])).content == MP4
        assert (await api.client.delete(f"/v1/files/{file['id']}", headers=lin)).status_code == 204
        listed = await httpx.AsyncClient().get(f"{url}/{bucket}")
        assert "<Key>" not in listed.text
        again = (await send(api, lin, MP4)).json()
    finally:
        server.stop()
    away = await api.client.get(again["url"])
    assert away.status_code == 503
    assert code_of(away) == "file-store-away"


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("exit 0", 201, None),
        ('grep -q EICAR "$1" && exit 1; exit 0', 422, "file-refused"),
        ("exit 2", 503, "scanner-away"),
        ("exec tail -f /dev/null", 503, "scanner-away"),
    ],
)
async def test_the_virus_scanner_is_asked(
    api: Api,
    lin: dict[str, str],
    tmp_path: Path,
    *,
    script: str,
    status: int,
    code: str | None,
) -> None:
    scanner = tmp_path / "scanner.sh"
    scanner.write_text(f"#!/bin/sh\n{script}\n")
    configure(api, scanner=f"sh {scanner}", scanner_timeout=timedelta(seconds=1))
    answer = await send(api, lin, MP4 + b"EICAR")
    assert answer.status_code == status, answer.text
    assert code_of(answer) == code


async def test_a_scanner_that_is_not_there_lets_nothing_in(api: Api, lin: dict[str, str]) -> None:
    configure(api, scanner="/no/such/scanner")
    answer = await send(api, lin, MP4)
    assert code_of(answer) == "scanner-away"
    assert await StoredFile.all().count() == 0


async def test_only_who_is_signed_in_sends(api: Api) -> None:
    assert (await send(api, {}, MP4)).status_code == 401


def code_of(answer: httpx.Response) -> str | None:
    kind: str | None = answer.json().get("type")
    return kind and kind.removeprefix("/problems/")


def configure(api: Api, **files: Any) -> None:
    settings = api.context.settings
    api.context.settings = settings.model_copy(update={"files": Files(**files)})


def _stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def _actor(api: Api, headers: dict[str, str]) -> Any:
    return await api.app.state.authenticator.actor(headers["Authorization"].split()[1])
