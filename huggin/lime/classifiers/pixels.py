"""The pixels that a model takes, from a picture in [0, 1]: how many, and in which numbers.

`guess_pixels` is given the line that the model's first operations apply to a grey value. It says
which pixels must go in so that usual ones come out: Rescaling(1/255) takes 0 to 255.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from skimage import transform

Pixels = Callable[[np.ndarray], np.ndarray]  # (..., channels) in [0, 1] -> as the model takes them

# Means and standard deviations over ImageNet, as keras.applications and torchvision subtract them.
CAFFE_MEAN = np.array([103.939, 116.779, 123.68], np.float32)  # of blue, green, red in 0 to 255
TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of red, green, blue in 0 to 1
TORCH_STD = np.array([0.229, 0.224, 0.225], np.float32)
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue: ITU-R BT.601

CONVERT: dict[str, Pixels] = {
    "signed": lambda picture: picture * 2 - 1,
    "unit": lambda picture: picture,
    "byte": lambda picture: picture * 255,
    "caffe": lambda picture: picture[..., ::-1] * 255 - CAFFE_MEAN,
    "torch": lambda picture: (picture - TORCH_MEAN) / TORCH_STD,
}
MEANING = {
    "signed": "-1 to 1",
    "unit": "0 to 1",
    "byte": "0 to 255",
    "caffe": "0 to 255, blue first, less ImageNet's mean",
    "torch": "0 to 1, less ImageNet's mean, over its standard deviation",
}
RANGES = {"signed": (-1.0, 1.0), "unit": (0.0, 1.0), "byte": (0.0, 255.0)}

# What usual first layers see: (lowest, highest), a number or one per channel.
USUAL: list[tuple[np.ndarray, np.ndarray]] = [
    *((np.array(low), np.array(high)) for low, high in ((0, 1), (-1, 1), (-0.5, 0.5))),
    *((np.array(low), np.array(high)) for low, high in ((0, 255), (-127.5, 127.5))),
    (-CAFFE_MEAN, 255 - CAFFE_MEAN),
    (-CAFFE_MEAN[::-1], 255 - CAFFE_MEAN[::-1]),
    (-TORCH_MEAN / TORCH_STD, (1 - TORCH_MEAN) / TORCH_STD),
]
TOLERANCE = 0.02  # of the width of a usual range

# The mean and standard deviation of pictures, where a model subtracts and divides by them, and how
# far from these a data set's own may be.
PICTURES = {"unit": (0.45, 0.25), "signed": (-0.1, 0.5), "byte": (0.45 * 255, 0.25 * 255)}
MEAN_VARIES = {"unit": 0.15, "signed": 0.3, "byte": 0.15 * 255}
SPREAD_VARIES = 0.35  # of the logarithm
FITS = 9.0  # squared distance of 3 standard deviations
CLEARLY = 4.0  # by how much the next best must be worse


def resized(picture: np.ndarray, size: tuple[int, int], resampling: str = "smooth") -> np.ndarray:
    """Resize a picture (height, width, 3); its values stay in [0, 1]. resampling: of FILTERS."""
    if resampling in ("smooth", "tensorflow"):
        smooth = resampling == "smooth"
        mode = "reflect" if smooth else "edge"
        pixels = transform.resize(picture, size, order=1, anti_aliasing=smooth, mode=mode)
    else:
        way = Image.Resampling[resampling.upper()]
        channels = [Image.fromarray(picture[..., at]) for at in range(3)]
        pixels = np.stack([np.asarray(plane.resize(size[::-1], way)) for plane in channels], axis=2)
    return np.clip(pixels, 0, 1).astype(np.float32)


def converter(pixels: str, channels: int) -> Pixels:
    """The conversion of pictures (..., 3) in [0, 1] to (..., channels), for 1 or 3 channels."""
    convert = CONVERT[pixels]
    if channels == 3:
        return convert
    return lambda picture: convert((picture @ GREY)[..., None])


def guess_pixels(gain: np.ndarray, offset: np.ndarray) -> str | None:
    """Which pixels a model takes whose first operations make gain * x + offset of a grey x.

    gain, offset: (channels,). Returns a key of RANGES, or None if several or none would do.
    """
    if not gain.all():
        return None
    fitting = [name for name, ends in RANGES.items() if _is_usual(gain, offset, *ends)]
    if fitting:
        return fitting[0] if len(fitting) == 1 else None
    return _nearest_statistics(float(np.mean(-offset / gain)), float(np.mean(1 / abs(gain))))


def _is_usual(gain: np.ndarray, offset: np.ndarray, low: float, high: float) -> bool:
    """Whether a usual range comes out if pixels from low to high go in."""
    ends = np.sort([gain * low + offset, gain * high + offset], axis=0)  # (2, channels)
    return any(
        np.allclose(ends[0], lowest, 0, TOLERANCE * np.min(highest - lowest))
        and np.allclose(ends[1], highest, 0, TOLERANCE * np.min(highest - lowest))
        for lowest, highest in USUAL
        if lowest.ndim == 0 or len(gain) == len(lowest)
    )


def _nearest_statistics(mean: float, spread: float) -> str | None:
    """The pixels of pictures with this mean and standard deviation, if they are clearly nearest."""
    distance = {
        name: ((mean - usual_mean) / MEAN_VARIES[name]) ** 2
        + (np.log(spread / usual_spread) / SPREAD_VARIES) ** 2
        for name, (usual_mean, usual_spread) in PICTURES.items()
    }
    best, second = sorted(distance, key=distance.__getitem__)[:2]
    clear = distance[best] < FITS and distance[second] - distance[best] > CLEARLY
    return best if clear else None
