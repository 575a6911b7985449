"""A picture from a file or the web -> (height, width, 3) float32 in [0, 1]."""

import io
import string
import urllib.request
import warnings
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.lime.addresses import is_address

MOST_BYTES = 100_000_000  # of a download
PATIENCE = 30  # seconds without an answer from the server
LARGE = 2048  # pixels of a side; a picture with a multiple of this is averaged down first


def read_picture(where: str) -> np.ndarray:
    """The picture of a path or an http(s) address, (height, width, 3) float32 in [0, 1].

    EXIF turns it upright, transparency is laid on white, grey is repeated in three channels.
    Raises UserError if there is no picture.
    """
    source = io.BytesIO(_download(where)) if is_address(where) else _existing(where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures; too large ones raise
            with Image.open(source) as image:
                return _in_unit_range(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        what = "not a picture; give one that Pillow reads, such as JPEG, PNG or WebP"
        raise UserError(f"{where}: {what}") from None
    except Image.DecompressionBombError:
        what = "too large; give a picture of at most 178 million pixels"
        raise UserError(f"{where}: {what}") from None
    except Exception as error:  # whatever a broken file makes its reader raise
        what = f"a broken picture ({one_line(error)}); make or download it again"
        raise UserError(f"{where}: {what}") from None


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
            content: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        cause = one_line(reason if isinstance(reason, Exception) else error)
        raise UserError(f"{address}: {cause}; check the address, or give a file") from None
    if len(content) > MOST_BYTES:
        what = f"more than {MOST_BYTES // 1_000_000} MB; give a smaller picture"
        raise UserError(f"{address}: {what}")
    return content


def _in_unit_range(image: Image.Image) -> np.ndarray:
    smaller = max(1, image.width // LARGE), max(1, image.height // LARGE)
    if image.mode.startswith(("I", "F")):  # one channel of more than 8 bits
        deep = image if image.mode == "F" else image.convert("I").convert("F")
        return _deep_grey(np.asarray(deep.reduce(smaller)), image.mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB").reduce(smaller), np.float32) / np.float32(255)


def _deep_grey(values: np.ndarray, mode: str) -> np.ndarray:
    known = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    top = max(float(known.max()), 1 if mode == "F" else 65535)
    return np.repeat(np.clip(known / np.float32(top), 0, 1)[..., None], 3, axis=2)
