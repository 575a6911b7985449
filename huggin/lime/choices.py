"""The names that options take, apart from the code that they choose, which is slow to load."""

import re
from pathlib import Path

ON_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")  # owner/name
OF_KERAS = ("saved_model.pb", "model.weights.h5")  # beside a config.json

SEGMENTERS = ("quickshift", "slic", "felzenszwalb", "grid")
FITS = ("squash", "crop", "pad")
FILTERS = {  # how a picture is resized
    "smooth": "scikit-image's anti-aliased filter",
    "tensorflow": "tf.image.resize's bilinear filter, without anti-aliasing",
    "nearest": "nearest pixels, as keras.utils.load_img",
    "bilinear": "Pillow's bilinear filter",
    "bicubic": "Pillow's bicubic filter",
    "lanczos": "Pillow's Lanczos filter",
}
FILLS = ("grey", "black", "mean", "blur")
SAMPLERS = ("hadamard", "binomial", "leave-one-out")
HIDING = ("mask", "delete", "pad")  # how words are hidden
SCALES = ("probability", "logit")
LEAST = {"probability": 0.001, "logit": 0.01}  # a smaller effect on this scale is none
PIXELS = ("signed", "unit", "byte", "caffe", "torch")
ENDINGS = ("softmax", "sigmoid", "logits", "value")
REGRESSION = ("logits", "value")  # what linear outputs may be
ENGINES = ("tensorflow", "openvino")
WIDTH = 0.25  # of the kernel; the square root makes its effective width WIDTH * sqrt(2)


def is_of_transformers(model: str) -> bool:
    """Whether a model is a folder of Hugging Face's transformers, or owner/name on the Hub."""
    folder = Path(model)
    if folder.is_dir():
        has = [(folder / name).exists() for name in OF_KERAS]
        return (folder / "config.json").is_file() and not any(has)
    is_file = folder.exists() or folder.parent.is_dir()
    return bool(ON_THE_HUB.fullmatch(model)) and not is_file
