"""Bad inputs of tests/faults: pictures and labels that lime.py cannot or can read."""

import io
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.faults.inputs.base import HOSTILE, ROOT, Fault, nothing, writing_bytes, writing_text

SHAPES = ROOT / "sample" / "shapes"
QUICKLY = ("--samples", "129", "--db", "a.db")
MODEL = ("--model", f"{SHAPES}.keras", "--pixels", "signed", "--segmenter", "grid")
READ = frozenset({0})
NAMES = ("circle", "square", "triangle", "cross", "nothing")
NUMBERED = {str(number): name for number, name in enumerate(NAMES)}
INDICES = {name: number for number, name in enumerate(NAMES)}


def float_tiff() -> bytes:
    """A TIFF of three floats a pixel."""
    tags = {256: 2, 257: 2, 258: 32, 259: 1, 262: 2, 273: 8, 277: 3, 278: 2, 279: 48, 339: 3}
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    table = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return b"II*\0" + struct.pack("<I", 56) + bytes(48) + table


def deep_png(largest: int) -> bytes:
    """A PNG with 16 bits a colour, of which the values go from 0 to `largest`."""
    values = np.linspace(0, largest, 64 * 64 * 3).reshape(64, 64, 3).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def picture(mode: str, size: tuple[int, int], profile: bytes | None = None) -> bytes:
    """A PNG of a ramp."""
    content = io.BytesIO()
    ramp = Image.linear_gradient("L").resize(size).convert(mode)
    ramp.save(content, "PNG", icc_profile=profile)
    return content.getvalue()


BAD_PICTURES = {
    "heic": b"\0\0\0\x18ftypheic" + bytes(99),
    "tif": float_tiff(),
    "big.tif": b"II+\0" + bytes(99),
    "svg": b"<svg></svg>",
    "pdf": b"%PDF-1.7",
    "html": b"<!DOCTYPE html>",
    "npy": b"\x93NUMPY" + bytes(99),
    "h5": b"\x89HDF\r\n\x1a\n" + bytes(99),
    "dcm": bytes(128) + b"DICM",
    "jxl": b"\xff\x0a" + bytes(99),
    "lfs.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "hostile": HOSTILE.encode(),
    "one colour.png": picture("1", (9, 9)).replace(b"IDAT", b"IDXT"),
}
GOOD_PICTURES = {
    "12 bits.png": deep_png(4095),
    "16 bits.png": deep_png(65535),
    "broken profile.png": picture("RGB", (64, 64), b"ravens"),
    "grey with transparency.png": picture("LA", (64, 64)),
    "a panorama.png": picture("RGB", (4000, 64)),
}
BAD_LABELS = {
    "a list without brackets": ",\n".join(f'"{name}"' for name in NAMES),
    "a list in one line": ", ".join(f'"{name}"' for name in NAMES),
    "Python's dictionary": str(dict(enumerate(NAMES))),
    "numbers from 1": "\n".join(f"{at + 1} {name}" for at, name in enumerate(NAMES)),
    "a gap": json.dumps({"9" if at == "4" else at: name for at, name in NUMBERED.items()}),
    "a number twice": json.dumps(INDICES | {"cross": 2}),
    "no texts": "[1, 2, 3, 4, 5]",
    "a deep list": "[" * 100_000,
    "id2label of another kind": '{"id2label": 3}',
    "several columns": "\n".join(f"{at},a,{name}" for at, name in NUMBERED.items()),
    "too few": "circle\nsquare",
    "nothing": "",
    "no UTF-8": "\udcff\n" * 5,
}
GOOD_LABELS = {
    "id2label": json.dumps({"id2label": NUMBERED}),
    "class_indices": json.dumps(INDICES),
    "numbered lines": "\n".join(f"{at} {name}" for at, name in NUMBERED.items()),
    "a table": "id,name\n" + "\n".join(f"{at},{name}" for at, name in NUMBERED.items()),
    "hostile names": "\n".join(HOSTILE.replace("\x00", "") + name for name in NAMES),
}
BAD_OPTIONS = (
    ("--fit", "stretch"),
    ("--filter", "magic"),
    ("--ending", "number"),
    ("--allow-random=yes",),
    ("--fit",),
)


def of_pictures() -> Iterator[Fault]:
    """Pictures of every kind, as lime.py is given them."""
    for pictures, codes in ((BAD_PICTURES, frozenset({2})), (GOOD_PICTURES, READ)):
        for name, content in pictures.items():
            words = ("lime.py", name, "--demo", "--segmenter", "grid", *QUICKLY)
            yield Fault("pictures", name, words, writing_bytes(name, content), codes)
    for options in BAD_OPTIONS:
        words = ("lime.py", "--demo", *options)
        yield Fault("pictures", " ".join(options), words, nothing)


def of_labels() -> Iterator[Fault]:
    """Files with the names of a classifier's outputs."""
    for files, codes in ((BAD_LABELS, frozenset({2})), (GOOD_LABELS, READ)):
        for name, text in files.items():
            words = ("lime.py", f"{SHAPES}.png", *MODEL, "--labels", "labels", *QUICKLY)
            yield Fault("labels", name, words, writing_text("labels", text), codes)
