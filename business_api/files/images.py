"""Images made anew: upright, of bounded size, without what a camera wrote about the place.

Decoding is work for a processor and a target for attackers: it happens in two threads,
with a limit on pixels before anything is decoded, only for formats named here, and for as
many as may wait. It is made small before anything else: each copy takes 4 bytes a pixel.
"""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from business_api.files.errors import BrokenFile, FileTooLarge, ImagesBusy

PIXELS: Final = 25_000_000
SIDE: Final = 4096
"""A longer side is made this long."""
THUMBNAIL: Final = 320

_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
_SMOOTH: Final = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
"""Modes in which neighbouring pixels can be mixed; a palette's numbers cannot."""
_WAITING: Final = 32
"""Images under way or waiting; each is a file on the disk, and a second or two of a thread."""


@dataclass(frozen=True, slots=True)
class Made:
    """An image made anew, and a small one, both in `media_type`."""

    media_type: str
    width: int
    height: int


_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="image")
_under_way: set[Future[Made]] = set()


async def remake(source: Path, target: Path, thumbnail: Path) -> Made:
    """Read `source`, write both.

    JPEG stays JPEG; what may be transparent becomes PNG; of a moving picture the first
    frame is taken.

    Raises:
        BrokenFile: it cannot be read as an image.
        FileTooLarge: more than `PIXELS`.
        ImagesBusy: too many at once.
    """
    if len(_under_way) >= _WAITING:
        raise ImagesBusy
    future = _threads.submit(_remake, source, target, thumbnail)
    _under_way.add(future)
    # The caller may be gone before the thread is: what counts is the thread.
    future.add_done_callback(_under_way.discard)
    return await asyncio.wrap_future(future)


def _remake(source: Path, target: Path, thumbnail: Path) -> Made:
    try:
        with Image.open(source, formats=_FORMATS) as found:
            _check_pixels(found.width * found.height)
            kept = "JPEG" if found.format == "JPEG" else "PNG"
            mode = "RGB" if kept == "JPEG" else "RGBA"
            _shrink(found, mode)
            ImageOps.exif_transpose(found, in_place=True)
            # A fresh image: nothing that was beside the pixels comes along.
            plain = found.convert(mode)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # What Pillow raises for damaged files, by format.
        raise BrokenFile from None
    plain.info.clear()
    plain.thumbnail((SIDE, SIDE))  # those of a palette, which were not made small above
    plain.save(target, kept, quality=88, optimize=True)
    made = Made(f"image/{kept.lower()}", plain.width, plain.height)
    plain.thumbnail((THUMBNAIL, THUMBNAIL))
    plain.save(thumbnail, kept, quality=80, optimize=True)
    return made


def _shrink(found: Image.Image, mode: str) -> None:
    """Make an opened image small enough before it is turned or converted.

    A JPEG is decoded at a half, a quarter or an eighth at once, if that is enough.
    """
    longer = max(found.size)
    if longer <= SIDE:
        return
    wanted = max(1, found.width * SIDE // longer), max(1, found.height * SIDE // longer)
    found.draft(mode, wanted)
    if found.mode in _SMOOTH:
        found.thumbnail((SIDE, SIDE))


def _check_pixels(pixels: int) -> None:
    if pixels > PIXELS:
        raise FileTooLarge(f"more than {PIXELS} pixels", pixels=pixels)
