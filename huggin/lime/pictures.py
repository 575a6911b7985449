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

MOST_BYTES = 100_000_000  # of a download
PATIENCE = 30  # seconds that a server may say nothing
LARGE = 2048  # pixels of a side; one of some times as many is averaged down first


def is_address(where: str) -> bool:
    """Whether a picture is to be downloaded."""
    return where.lower().startswith(("http://", "https://"))


def read_picture(where: str) -> np.ndarray:
    """The picture of a path or an http(s) address, (height, width, 3) float32 in [0, 1].

    Upright by its EXIF, transparency on white, grey repeated in three channels. Raises UserError where there is none.
    """
    source = io.BytesIO(_download(where)) if is_address(where) else _existing(where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures; too large ones raise
            with Image.open(source) as image:
                return _in_unit_range(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UserError(
            f"{where}: not a picture; give one that Pillow reads, such as JPEG, PNG or WebP"
        ) from None
    except Image.DecompressionBombError:
        raise UserError(
            f"{where}: too large; give a picture of at most 178 million pixels"
        ) from None
    except Exception as error:  # whatever a broken file makes its reader raise
        raise UserError(
            f"{where}: a broken picture ({one_line(error)}); make or download it again"
        ) from None


def _existing(where: str) -> Path:
    path = Path(where)
    if not path.is_file():
        raise UserError(f"{where}: no such file; give a picture's path or its http(s) address")
    return path


class _NoFtp(urllib.request.FTPHandler):
    """Urllib's own would follow a server that redirects there."""

    def ftp_open(self, req: urllib.request.Request) -> NoReturn:
        raise ValueError(f"redirected to {req.full_url}, which is not http(s)")


def _download(address: str) -> bytes:
    try:
        spelt = quote(address, safe=string.punctuation)
        request = urllib.request.Request(spelt, headers={"User-Agent": "lime.py"})  # noqa: S310 http(s) only
        with urllib.request.build_opener(_NoFtp).open(request, timeout=PATIENCE) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        cause = one_line(reason if isinstance(reason, Exception) else error)
        raise UserError(f"{address}: {cause}; check the address, or give a file") from None
    if len(content) > MOST_BYTES:
        raise UserError(
            f"{address}: more than {MOST_BYTES // 1_000_000} MB; give a smaller picture"
        )
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


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture (height, width, 3) at another size, with anti-aliasing, in [0, 1] still."""
    from skimage.transform import resize

    return np.clip(resize(picture, size, anti_aliasing=True), 0, 1).astype(np.float32)
