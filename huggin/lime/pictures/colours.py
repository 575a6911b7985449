"""A picture's values, as its file means them: colours by their profile, and more than 8 bits.

Colours come out in sRGB, by what the profile (ICC) does, not by its name. Pictures of more than 8
bits (medical, astronomical, microscopes') are scaled by what the file says about its values. If it
says nothing that fits, they are scaled by their own range, and a line says so.
"""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile

from huggin.common.text import one_line, short

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


def in_srgb(image: Image.Image, say: Say) -> Image.Image:
    """The picture in RGB, by its profile if it has one; says what was done with the profile."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB")
    try:
        name, mode, change = _opened(profile, image.mode)
        if mode == "RGB" and _changes_nothing(change):
            say(f"colour profile: {name}, which is sRGB")
            return image.convert("RGB")
        found = ImageCms.applyTransform(image.convert(mode), change)
        assert found
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        say(f"its colour profile is not used ({one_line(error)})")
        return image.convert("RGB")
    say(f"colours by its profile {name}")
    return found


def toned(grey: np.ndarray, profile: bytes, say: Say) -> np.ndarray:
    """Grey values (height, width) in [0, 1] by a profile."""
    levels = np.arange(256, dtype=np.uint8)
    ramp = Image.fromarray(levels[None])
    ramp.info["icc_profile"] = profile
    curve = np.asarray(in_srgb(ramp, say))[0, :, 1] / 255
    return np.interp(grey, levels / 255, curve).astype(np.float32)


def _opened(profile: bytes, mode: str) -> tuple[str, str, ImageCms.ImageCmsTransform]:
    """A profile's name, the mode that it takes, and the change from it to sRGB in RGB.

    Raises ValueError if it is not for pictures of this mode.
    """
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = short(ImageCms.getProfileDescription(own).strip(), 60)
    space = own.profile.xcolor_space.strip()
    taken = MODES.get(space, "")
    if not taken or (taken == "L" and mode not in GREY) or (taken == "CMYK" and mode != "CMYK"):
        raise ValueError(f"{name} is for {space}, the picture is {mode}")
    usual = ImageCms.createProfile("sRGB")
    return name, taken, ImageCms.buildTransform(own, usual, taken, "RGB")


def _changes_nothing(change: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours from the whole cube of RGB stay as they are."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    found = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), change))
    return bool(np.abs(found.astype(int) - colours).max() <= SAME)


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
    known = np.where(finite, values, values[finite].min() if finite.any() else 0)
    low, high, line = _ends(known, image.mode, tags)
    share = np.clip((known - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_0:
        share = 1 - share
    return np.where(finite, share, 0).astype(np.float32), line


def stretch_colours(image: ImageFile.ImageFile, source: Any, say: Say) -> None:
    """Scale colours that do not use all of their 16 bits, in place, and say so.

    source: what the picture was opened from. Pillow keeps the upper 8 bits of colours; the lower
    ones are those that it keeps if it is told the other order of bytes.
    """
    swapped = [tile._replace(args=_swapped(tile.args)) for tile in image.tile]
    if swapped == image.tile:
        return
    upper = np.asarray(image)
    with Image.open(source) as again:
        again.tile = swapped
        try:
            lower = np.asarray(again)
        except ValueError:  # grey with transparency
            lower = upper
    values = upper[..., :3] * 256.0 + lower[..., :3]
    low, high, line = _ends(values, "I;16", _numbers_of(image))
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
    found = {tag: tags[tag] for tag in TAGS if tag in tags}
    return {tag: float(one[0] if isinstance(one, tuple) else one) for tag, one in found.items()}


def _ends(values: np.ndarray, mode: str, tags: dict[int, float]) -> tuple[float, float, str]:
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
