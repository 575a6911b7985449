"""A picture from a file or the web -> (height, width, 3) float32 in [0, 1]."""

import io
import struct
import urllib.request
import warnings
import zlib
from http.client import HTTPException
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from huggin.door import UserError, one_line

MOST_BYTES = 100_000_000  # of a download
PATIENCE = 30  # seconds that a server may say nothing
LARGE = 2048  # pixels of the shorter side, above which a picture is made smaller by averaging first
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, struct.error, zlib.error)  # Pillow's


def read_picture(where: str) -> np.ndarray:
    """The picture of a path or an http(s) address, (height, width, 3) float32 in [0, 1].

    Upright by its EXIF, transparency on white, grey repeated in three channels. Raises UserError where there is none.
    """
    source = io.BytesIO(_download(where)) if where.startswith(("http://", "https://")) else _existing(where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures; too large ones raise
            with Image.open(source) as image:
                return _in_unit_range(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UserError(f"{where}: not a picture; give one that Pillow reads, such as JPEG, PNG or WebP") from None
    except Image.DecompressionBombError:
        raise UserError(f"{where}: too large; give a picture of at most 178 million pixels") from None
    except BROKEN as error:
        raise UserError(f"{where}: a broken picture ({one_line(error)}); make or download it again") from None


def _existing(where: str) -> Path:
    path = Path(where)
    if not path.is_file():
        raise UserError(f"{where}: no such file; give a picture's path or its http(s) address")
    return path


def _download(address: str) -> bytes:
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "lime.py"})  # noqa: S310 http(s) only
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            content: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError, HTTPException) as error:
        raise UserError(f"{address}: {one_line(error)}; check the address, or give a file") from None
    if len(content) > MOST_BYTES:
        raise UserError(f"{address}: more than {MOST_BYTES // 1_000_000} MB; give a smaller picture")
    return content


def _in_unit_range(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # one channel of more than 8 bits
        return _deep_grey(np.asarray(image, np.float32), image.mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    smaller = max(1, min(image.size) // LARGE)
    return np.asarray(image.convert("RGB").reduce(smaller), np.float32) / np.float32(255)


def _deep_grey(values: np.ndarray, mode: str) -> np.ndarray:
    top = max(float(values.max()), 1.0) if mode == "F" else 65535
    return np.repeat(np.clip(values / np.float32(top), 0, 1)[..., None], 3, axis=2)


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture (height, width, 3) at another size, with anti-aliasing, in [0, 1] still.

    Raises UserError for one of a single colour: nothing in it could explain anything.
    """
    from skimage.transform import resize

    fitted = np.clip(resize(picture, size, anti_aliasing=True), 0, 1).astype(np.float32)
    if np.ptp(fitted, axis=(0, 1)).max() < 1 / 255:
        raise UserError("the picture is of a single colour; give one with something in it")
    return fitted
