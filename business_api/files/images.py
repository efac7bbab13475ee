"""Images made anew: upright, of bounded size, without what a camera wrote about the place.

Decoding is work for a processor and a target for attackers: it happens in two threads,
with a limit on pixels before anything is decoded, and only for formats named here.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from business_api.files.errors import BrokenFile, FileTooLarge

PIXELS: Final = 50_000_000
SIDE: Final = 4096
"""A longer side is made this long."""
THUMBNAIL: Final = 320

_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="image")


@dataclass(frozen=True, slots=True)
class Made:
    """An image made anew, and a small one, both in `media_type`."""

    media_type: str
    width: int
    height: int


async def remake(source: Path, target: Path, thumbnail: Path) -> Made:
    """Read `source`, write both.

    JPEG stays JPEG; what may be transparent becomes PNG; of a moving picture the first
    frame is taken.

    Raises:
        BrokenFile: it cannot be read as an image.
        FileTooLarge: more than `PIXELS`.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _remake, source, target, thumbnail)


def _remake(source: Path, target: Path, thumbnail: Path) -> Made:
    try:
        with Image.open(source, formats=_FORMATS) as found:
            _check_pixels(found.width * found.height)
            kept = "JPEG" if found.format == "JPEG" else "PNG"
            upright = ImageOps.exif_transpose(found)
            # A fresh image: nothing that was beside the pixels comes along.
            plain = upright.convert("RGB" if kept == "JPEG" else "RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # What Pillow raises for damaged files, by format.
        raise BrokenFile from None
    plain.info.clear()
    plain.thumbnail((SIDE, SIDE))
    plain.save(target, kept, quality=88, optimize=True)
    small = plain.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(thumbnail, kept, quality=80, optimize=True)
    return Made(f"image/{kept.lower()}", plain.width, plain.height)


def _check_pixels(pixels: int) -> None:
    if pixels > PIXELS:
        raise FileTooLarge(f"more than {PIXELS} pixels", pixels=pixels)
