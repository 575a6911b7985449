"""A picture from a file or the web -> (height, width, 3) float32 in [0, 1], as its file means it.

Colours come out in sRGB, by what the profile (ICC) does, not by its name. Pictures of more than 8
bits (medical, astronomical, microscopes') are scaled by what the file says about its values. If it
says nothing that fits, they are scaled by their own range, and a line says so.
"""

import io
import shlex
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line, short
from huggin.lime.results import is_address, name_of

ORIENTATION = 0x0112  # EXIF's tag
MOST_BYTES = 100_000_000  # of a download
PATIENCE = 30  # seconds without an answer from the server
LONGEST_DOWNLOAD = 300  # seconds for the whole download
LARGE = 2048  # pixels of a square's side; a picture of several such areas is averaged down first
PYTHON = shlex.quote(sys.executable)
AS_PNG = "save it as PNG"
TIFF = (b"ii*\0", b"mm\0*")
# What a file is, and how it begins, in small letters
KINDS: dict[str, bytes | tuple[bytes, ...]] = {
    f"a TIFF of a kind that Pillow does not read, such as float colours; {AS_PNG}": TIFF,
    f"a BigTIFF, which Pillow does not read; {AS_PNG}": (b"ii+\0", b"mm\0+"),
    f"a JPEG XL picture, which Pillow does not read; {AS_PNG}": (b"\xff\n", b"\0\0\0\x0cjxl "),
    "a PDF; save the picture in it as PNG: pdftoppm -png": b"%pdf",
    f"an SVG drawing, which has no pixels; {AS_PNG}": b"<svg",
    f"an XML file, perhaps an SVG drawing, which has no pixels; {AS_PNG}": b"<?xml",
    "a web page; give the address of the picture in it": (b"<!doctype html", b"<html"),
    f"a NumPy array; {AS_PNG}": b"\x93numpy",
    "an HDF5 file; save its picture as PNG": b"\x89hdf",
    "a Git LFS pointer, not the picture itself; run: git lfs pull": b"version https://git-lfs",
}
HEIC = {b"ftyp" + brand for brand in b"heic heix heim heis hevc hevx mif1 msf1".split()}

MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # a profile's colour space -> Pillow's mode
GREY = ("1", "L", "LA", "La", "I;16", "I", "F")
SAME = 3  # of 255: what rounding makes of colours that stay as they are

BITS = 258  # BitsPerSample; all by the numbers of TIFF 6.0
PHOTOMETRIC = 262
LOWEST = (340, 280)  # SMinSampleValue, MinSampleValue
HIGHEST = (341, 281)  # SMaxSampleValue, MaxSampleValue
SAMPLE_FORMAT = 339
UNSIGNED = 1
TAGS = (BITS, PHOTOMETRIC, *LOWEST, *HIGHEST, SAMPLE_FORMAT)
WHITE_IS_0 = 0
DEEP = 2**14  # a largest value below this means that not all of 16 bits are used

Say = Callable[[str], None]


@dataclass(frozen=True)
class Picture:
    """A picture and what happened to it while it was read."""

    name: str
    values: np.ndarray  # (height, width, 3) float32 in [0, 1]
    facts: tuple[str, ...] = ()


def open_picture(picture: str | Path | np.ndarray | Picture) -> Picture:
    """The picture of a path, an http(s) address, or an array (height, width, 3).

    An array holds bytes, or numbers from 0 to 1. Raises UserError if it is anything else.
    """
    if isinstance(picture, Picture):
        return picture
    if not isinstance(picture, np.ndarray):
        facts: list[str] = []
        values = read_picture(str(picture), facts.append)
        return Picture(name_of(str(picture)), values, tuple(facts))
    values = picture.astype(np.float32) / (255 if picture.dtype == np.uint8 else 1)
    in_range = values.size and values.min() >= 0 and values.max() <= 1
    if values.ndim != 3 or values.shape[2] != 3 or not in_range:
        wanted = "give (height, width, 3) of uint8, or of numbers from 0 to 1"
        raise BadValue("picture", f"{picture.shape} of {picture.dtype}", wanted)
    return Picture("picture", values)


def read_picture(where: str, say: Say = lambda _: None) -> np.ndarray:
    """The picture of a path or an http(s) address, (height, width, 3) float32 in [0, 1].

    EXIF turns it upright, an ICC profile gives its colours, transparency is laid on white, grey is
    repeated in three channels. `say` is called with a clause about each thing that was done.
    Raises UserError if there is no picture.
    """
    if not is_address(where) and not Path(where).is_file():
        raise UserError(f"{where}: no such file; give a picture's path or its http(s) address")
    with io.BytesIO(_download(where)) if is_address(where) else Path(where).open("rb") as file:
        return _read(where, file, say)


def _read(where: str, file: BinaryIO, say: Say) -> np.ndarray:
    start = file.read(512)
    if start[4:12] in HEIC and find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures; too large ones raise
            with Image.open(file) as image:
                return _in_unit_range(_upright(image, file, say), say)
    except UnidentifiedImageError:
        raise UserError(f"{where}: {_why_unreadable(start)}") from None
    except Image.DecompressionBombError:
        what = "too large; give a picture of at most 178 million pixels"
        raise UserError(f"{where}: {what}") from None
    except Exception as error:  # whatever a broken file makes its reader raise
        what = f"a broken picture ({one_line(error)}); make or download it again"
        raise UserError(f"{where}: {what}") from None


def _upright(image: ImageFile.ImageFile, file: BinaryIO, say: Say) -> Image.Image:
    """The picture upright, with the whole range of its colours."""
    say(f"{image.width} x {image.height} pixels")
    stretch_colours(image, file, say)  # before anything loads the picture
    if getattr(image, "n_frames", 1) > 1:
        say(f"the first of {image.n_frames} in the file")  # type: ignore[attr-defined]
    if image.getexif().get(ORIENTATION, 1) == 1:
        return image  # turning a picture would lose what its file says
    say("turned upright by its EXIF data")
    return ImageOps.exif_transpose(image)


def _download(address: str) -> bytes:
    """What a server sends, over http(s) only. Raises UserError if it fails, or sends too much."""
    content = bytearray()
    ends = time.monotonic() + LONGEST_DOWNLOAD
    how: Any = {"headers": {"User-Agent": "lime.py"}, "timeout": PATIENCE, "follow_redirects": True}
    try:
        with httpx2.stream("GET", address, **how) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    what = f"more than {MOST_BYTES // 1_000_000} MB; give a smaller picture"
                    raise UserError(f"{address}: {what}")
                if time.monotonic() > ends:
                    raise TimeoutError(f"not sent within {LONGEST_DOWNLOAD} seconds")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        advice = "check the address, or give a file"
        raise UserError(f"{address}: {one_line(error)}; {advice}") from None
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
    colours = in_srgb(image, say)
    if image.has_transparency_data:
        say("laid on white where it is transparent")
        layer = colours.convert("RGBA")
        layer.putalpha(image.convert("RGBA").getchannel("A"))
        white = Image.new("RGBA", image.size, "white")
        colours = Image.alpha_composite(white, layer).convert("RGB")
    return np.asarray(colours.reduce(smaller), np.float32) / np.float32(255)


# Files that Pillow does not read by itself: what they are, and the way out


def _why_unreadable(start: bytes) -> str:
    """What a file is that Pillow does not read, by how it begins, and what to do."""
    if start[4:12] in HEIC:
        install = f"{PYTHON} -m pip install pillow-heif"
        return f"a HEIC picture, as iPhones make them; save it as JPEG, or type: {install}"
    if start[128:132] == b"DICM":
        return f"a DICOM file; {AS_PNG}"
    for what, marks in KINDS.items():
        if start.lstrip().lower().startswith(marks):
            return what
    return "not a picture; give one that Pillow reads, such as JPEG, PNG or WebP"


# Colours by their profile, and more than 8 bits


def in_srgb(image: Image.Image, say: Say) -> Image.Image:
    """The picture in RGB, by its profile if it has one; says what was done with the profile."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB")
    try:
        name, mode, change = _open_profile(profile, image.mode)
        if mode == "RGB" and _changes_nothing(change):
            say(f"colour profile: {name}, which is sRGB")
            return image.convert("RGB")
        converted = ImageCms.applyTransform(image.convert(mode), change)
        assert converted
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        say(f"its colour profile is not used ({one_line(error)})")
        return image.convert("RGB")
    say(f"colours by its profile {name}")
    return converted


def toned(grey: np.ndarray, profile: bytes, say: Say) -> np.ndarray:
    """Grey values (height, width) in [0, 1] by a profile."""
    levels = np.arange(256, dtype=np.uint8)
    ramp = Image.fromarray(levels[None])
    ramp.info["icc_profile"] = profile
    curve = np.asarray(in_srgb(ramp, say))[0, :, 1] / 255
    return np.interp(grey, levels / 255, curve).astype(np.float32)


def _open_profile(profile: bytes, mode: str) -> tuple[str, str, ImageCms.ImageCmsTransform]:
    """A profile's name, the mode that it takes, and the change from it to sRGB in RGB.

    Raises ValueError if it is not for pictures of this mode.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = short(ImageCms.getProfileDescription(source).strip(), 60)
    space = source.profile.xcolor_space.strip()
    taken = MODES.get(space, "")
    if not taken or (taken == "L" and mode not in GREY) or (taken == "CMYK" and mode != "CMYK"):
        raise ValueError(f"{name} is for {space}, the picture is {mode}")
    target = ImageCms.createProfile("sRGB")
    return name, taken, ImageCms.buildTransform(source, target, taken, "RGB")


def _changes_nothing(change: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours from the whole cube of RGB stay as they are."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), change))
    return bool(np.abs(converted.astype(int) - colours).max() <= SAME)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has one channel of more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def in_unit_range(image: Image.Image) -> tuple[np.ndarray, str]:
    """A deep picture -> (height, width) float32 in [0, 1], and a line about it or ''.

    NaN and infinity become 0.
    """
    tags = _numbers_of(image)
    values = np.asarray(image)
    if image.mode == "I" and tags.get(SAMPLE_FORMAT, UNSIGNED) == UNSIGNED and tags.get(BITS) == 32:
        values = values.view(np.uint32)  # Pillow takes them for signed ones
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    filled = np.where(finite, values, values[finite].min() if finite.any() else 0)
    low, high, line = _range_of(filled, image.mode, tags)
    share = np.clip((filled - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_0:
        share = 1 - share
    return np.where(finite, share, 0).astype(np.float32), line


def stretch_colours(image: ImageFile.ImageFile, file: BinaryIO, say: Say) -> None:
    """Scale colours that do not use all of their 16 bits, in place, and say so.

    file: what the picture was opened from. Pillow keeps the upper 8 bits of colours; the lower
    ones are those that it keeps if it is told the other order of bytes.
    """
    swapped = [tile._replace(args=_swapped(tile.args)) for tile in image.tile]
    if swapped == image.tile:
        return
    upper = np.asarray(image)
    with Image.open(file) as again:
        again.tile = swapped
        try:
            lower = np.asarray(again)
        except ValueError:  # grey with transparency
            lower = upper
    values = upper[..., :3] * 256.0 + lower[..., :3]
    low, high, line = _range_of(values, "I;16", _numbers_of(image))
    if not line:
        say("16 bits, of which 8 are used")
        return
    say(line)
    colours = Image.fromarray(np.uint8((values - low) / max(high - low, 1) * 255 + 0.5))
    if image.mode == "RGBA":
        colours.putalpha(image.getchannel("A"))
    image.paste(colours)
    if image.info.pop("icc_profile", None):
        say("its colour profile is not used, as it is for other values")


def _swapped(args: Any) -> Any:
    """The arguments of Pillow's decoder for 16 bits in the other order of bytes."""
    mode, *rest = (args,) if isinstance(args, str) else args or ("",)
    kind, mark, order = str(mode).partition(";16")
    if not mark or kind not in ("RGB", "RGBA", "LA"):
        return args
    big = order == "B" or (order == "N" and sys.byteorder == "big")
    other = f"{kind};16{'L' if big else 'B'}"
    return other if isinstance(args, str) else (other, *rest)


def _numbers_of(image: Image.Image) -> dict[int, float]:
    """What a TIFF says about its values, by tag; of several channels the first one's."""
    tags = getattr(image, "tag_v2", {})
    raw = {tag: tags[tag] for tag in TAGS if tag in tags}
    return {tag: float(item[0] if isinstance(item, tuple) else item) for tag, item in raw.items()}


def _range_of(values: np.ndarray, mode: str, tags: dict[int, float]) -> tuple[float, float, str]:
    """The values that become 0 and 1, and a line if the file does not say them."""
    for lowest, highest in zip(LOWEST, HIGHEST):
        if highest in tags:
            low, high = tags.get(lowest, 0.0), tags[highest]
            if low < high and low <= values.min() and values.max() <= high:
                return low, high, ""
    low, high = float(values.min()), float(values.max())
    bits = int(tags.get(BITS, 16))
    full = 1 if mode == "F" else 2**bits - 1
    fits = high <= full and (mode == "F" or (bits == 16 and high > DEEP))
    if low >= 0 and (fits or (mode != "F" and 8 < bits < 16)):
        return 0, full, ""
    return low, high, f"its values go from {low:.6g} to {high:.6g}: shown from black to white"
