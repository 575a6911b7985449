"""Files that Pillow does not read by itself: what they are, and the way out."""

import io
import shlex
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PYTHON = shlex.quote(sys.executable)
AS_PNG = "save it as PNG"
KINDS = (  # how a file begins, and what it is
    (b"II*\0", f"a TIFF of a kind that Pillow does not read, such as float colours; {AS_PNG}"),
    (b"MM\0*", f"a TIFF of a kind that Pillow does not read, such as float colours; {AS_PNG}"),
    (b"II+\0", f"a BigTIFF, which Pillow does not read; {AS_PNG}"),
    (b"MM\0+", f"a BigTIFF, which Pillow does not read; {AS_PNG}"),
    (b"\xff\x0a", f"a JPEG XL picture, which Pillow does not read; {AS_PNG}"),
    (b"\0\0\0\x0cJXL ", f"a JPEG XL picture, which Pillow does not read; {AS_PNG}"),
    (b"%PDF", "a PDF; save the picture in it as PNG: pdftoppm -png"),
    (b"<svg", f"an SVG drawing, which has no pixels; {AS_PNG}"),
    (b"<?xml", f"an XML file, perhaps an SVG drawing, which has no pixels; {AS_PNG}"),
    (b"<!DOCTYPE html", "a web page; give the address of the picture in it"),
    (b"<html", "a web page; give the address of the picture in it"),
    (b"\x93NUMPY", f"a NumPy array; {AS_PNG}"),
    (b"\x89HDF", "an HDF5 file; save its picture as PNG"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself; run: git lfs pull"),
)
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def load_opener(source: Path | io.BytesIO) -> None:
    """Let Pillow read HEIC by the package pillow-heif, if it is needed and installed."""
    if _is_heic(source) and find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()


def why_unreadable(source: Path | io.BytesIO) -> str:
    """What a file is that Pillow does not read, and what to do."""
    if _is_heic(source):
        install = f"{PYTHON} -m pip install pillow-heif"
        return f"a HEIC picture, as iPhones make them; save it as JPEG, or type: {install}"
    start = _start_of(source)
    if start[128:132] == b"DICM":
        return f"a DICOM file; {AS_PNG}"
    for mark, what in KINDS:
        if start.lstrip()[: len(mark)].lower() == mark.lower():
            return what
    return "not a picture; give one that Pillow reads, such as JPEG, PNG or WebP"


def _is_heic(source: Path | io.BytesIO) -> bool:
    start = _start_of(source)
    return start[4:8] == b"ftyp" and start[8:12] in HEIC


def _start_of(source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:512]
    with source.open("rb") as file:
        return file.read(512)
