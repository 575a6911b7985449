"""A picture from a file or the web -> (height, width, 3) float32 in [0, 1]."""

import io
import string
import time
import urllib.request
import warnings
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.lime.addresses import is_address
from huggin.lime.colours import in_srgb, toned
from huggin.lime.deep_pictures import in_unit_range, is_deep, stretch_colours
from huggin.lime.picture_files import load_opener, why_unreadable

Say = Callable[[str], None]

ORIENTATION = 0x0112  # EXIF's tag
MOST_BYTES = 100_000_000  # of a download
PATIENCE = 30  # seconds without an answer from the server
LONGEST_DOWNLOAD = 300  # seconds for the whole download
LARGE = 2048  # pixels of a square's side; a picture of several such areas is averaged down first


def read_picture(where: str, say: Say = lambda _: None) -> np.ndarray:
    """The picture of a path or an http(s) address, (height, width, 3) float32 in [0, 1].

    EXIF turns it upright, an ICC profile gives its colours, transparency is laid on white, grey is
    repeated in three channels. `say` is called with a clause about each thing that was done.
    Raises UserError if there is no picture.
    """
    source = io.BytesIO(_download(where)) if is_address(where) else _existing(where)
    load_opener(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures; too large ones raise
            with Image.open(source) as image:
                return _read(image, source, say)
    except UnidentifiedImageError:
        raise UserError(f"{where}: {why_unreadable(source)}") from None
    except Image.DecompressionBombError:
        what = "too large; give a picture of at most 178 million pixels"
        raise UserError(f"{where}: {what}") from None
    except Exception as error:  # whatever a broken file makes its reader raise
        what = f"a broken picture ({one_line(error)}); make or download it again"
        raise UserError(f"{where}: {what}") from None


def _read(image: ImageFile.ImageFile, source: Path | io.BytesIO, say: Say) -> np.ndarray:
    say(f"{image.width} x {image.height} pixels")
    stretch_colours(image, source, say)  # before anything loads the picture
    if getattr(image, "n_frames", 1) > 1:
        say(f"the first of {image.n_frames} in the file")  # type: ignore[attr-defined]
    if image.getexif().get(ORIENTATION, 1) != 1:
        say("turned upright by its EXIF data")
    if is_deep(image) and image.getexif().get(ORIENTATION, 1) == 1:
        return _in_unit_range(image, say)  # turning a picture would lose what its file says
    return _in_unit_range(ImageOps.exif_transpose(image), say)


def _existing(where: str) -> Path:
    path = Path(where)
    if not path.is_file():
        raise UserError(f"{where}: no such file; give a picture's path or its http(s) address")
    return path


class _NoFtp(urllib.request.FTPHandler):
    """Refuse a redirection to ftp, which urllib would follow."""

    def ftp_open(self, req: urllib.request.Request) -> NoReturn:
        raise ValueError(f"redirected to {req.full_url}, which is not http(s)")


def _download(address: str) -> bytes:
    try:
        spelt = quote(address, safe=string.punctuation)
        # Only http and https come here: see is_address.
        request = urllib.request.Request(spelt, headers={"User-Agent": "lime.py"})  # noqa: S310
        with urllib.request.build_opener(_NoFtp).open(request, timeout=PATIENCE) as answer:
            content = _read_in_time(answer)
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        cause = one_line(reason if isinstance(reason, Exception) else error)
        raise UserError(f"{address}: {cause}; check the address, or give a file") from None
    if len(content) > MOST_BYTES:
        what = f"more than {MOST_BYTES // 1_000_000} MB; give a smaller picture"
        raise UserError(f"{address}: {what}")
    return content


def _read_in_time(answer: HTTPResponse) -> bytes:
    """What the server sends, up to one byte too many. Raises TimeoutError if it is too slow."""
    ends = time.monotonic() + LONGEST_DOWNLOAD
    content = bytearray()
    while len(content) <= MOST_BYTES and (part := answer.read1(2**16)):
        content += part
        if time.monotonic() > ends:
            raise TimeoutError(f"not sent within {LONGEST_DOWNLOAD} seconds")
    return bytes(content)


def _in_unit_range(image: Image.Image, say: Say) -> np.ndarray:
    """(height, width, 3) float32 in [0, 1]."""
    smaller = max(1, int((image.width * image.height) ** 0.5) // LARGE)
    if smaller > 1:
        say(f"averaged over {smaller} x {smaller} pixels first")
    if is_deep(image):
        grey, line = in_unit_range(image)
        say(line or f"{'32' if image.mode in ('I', 'F') else '16'} bits")
        profile = image.info.get("icc_profile")
        if profile and line:
            say("its colour profile is not used, as it is for other values")
        elif profile:
            grey = toned(grey, profile, say)
        reduced = np.asarray(Image.fromarray(grey).reduce(smaller))
        return np.repeat(reduced[..., None], 3, axis=2)
    colours = _on_white(image, in_srgb(image, say))
    if image.has_transparency_data:
        say("laid on white where it is transparent")
    return np.asarray(colours.reduce(smaller), np.float32) / np.float32(255)


def _on_white(image: Image.Image, colours: Image.Image) -> Image.Image:
    """The colours of a picture on white, as far as it is transparent."""
    if not image.has_transparency_data:
        return colours
    layer = colours.convert("RGBA")
    layer.putalpha(image.convert("RGBA").getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert("RGB")
