"""A picture's colour profile (ICC): its colours in sRGB, by what the profile does, not its name."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from huggin.common.text import one_line, short

MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # a profile's colour space -> Pillow's mode
GREY = ("1", "L", "LA", "La", "I;16", "I", "F")
SAME = 3  # of 255: what rounding makes of colours that stay as they are

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
