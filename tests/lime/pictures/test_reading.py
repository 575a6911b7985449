"""Pictures of every kind come out alike; what is none is refused in a line."""

import io
import struct
import sys
import threading
import time
import zlib
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from huggin.common.errors import UserError
from huggin.lime.pictures.reading import read_picture
from huggin.lime.pictures.scene import in_shape, resized


@pytest.fixture
def ramp() -> np.ndarray:
    """A picture (20, 30, 3) uint8 that is darkest in its upper left corner."""
    return (np.add.outer(np.arange(20), np.arange(30))[..., None] * np.array([5, 4, 3])).astype(
        np.uint8
    )


def saved(image: Image.Image, path) -> str:
    image.save(path)
    return str(path)


def test_a_plain_picture_is_its_values_over_255(ramp, tmp_path):
    picture = read_picture(saved(Image.fromarray(ramp), tmp_path / "a.png"))
    assert picture.dtype == np.float32
    assert np.allclose(picture, ramp / 255)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_modes_become_three_channels_in_the_unit_range(mode, ramp, tmp_path):
    grey = Image.fromarray(ramp).convert("L")
    deep = np.asarray(grey).astype(np.uint16) * 257
    made = {
        "I;16": Image.fromarray(deep),
        "I": Image.fromarray(deep.astype(np.int32)),
        "F": grey.convert("F"),
    }
    image = made.get(mode) or Image.fromarray(ramp).convert(mode)
    picture = read_picture(
        saved(image, tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.tif"))
    )
    assert picture.shape == (20, 30, 3)
    assert 0 <= picture.min() < picture.max() <= 1
    assert picture[:5, :5].mean() < 0.2 < picture[-5:, -5:].mean()


def test_16_bits_keep_more_than_8(tmp_path):
    values = np.arange(60000, 60000 + 600, dtype=np.uint16).reshape(20, 30)
    picture = read_picture(saved(Image.fromarray(values), tmp_path / "a.png"))
    assert len(np.unique(picture)) == 600
    assert picture[0, 0, 0] == pytest.approx(60000 / 65535)


def test_transparency_lies_on_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (read_picture(saved(image, tmp_path / "a.png")) == 1).all()


def test_exif_turns_a_picture_upright(ramp, tmp_path):
    image = Image.fromarray(ramp)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    image.save(tmp_path / "a.png", exif=exif)
    assert np.allclose(read_picture(str(tmp_path / "a.png")), np.rot90(ramp, -1) / 255)


def test_a_very_large_picture_is_averaged_down(tmp_path):
    path = saved(Image.new("RGB", (4200, 4200), "red"), tmp_path / "a.png")
    assert read_picture(path).shape == (2100, 2100, 3)


def test_a_long_strip_keeps_its_shape(tmp_path):
    path = saved(Image.new("RGB", (450_000, 30), "red"), tmp_path / "a.png")
    assert read_picture(path).shape == (30, 450_000, 3)
    path = saved(Image.new("RGB", (20_000, 2_000), "red"), tmp_path / "b.png")
    facts: list[str] = []
    assert read_picture(path, facts.append).shape == (667, 6_667, 3)
    assert facts == ["20000 x 2000 pixels", "averaged over 3 x 3 pixels first"]


def test_what_happens_to_a_picture_is_said(ramp, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.dstack([ramp, ramp[..., 0]]))
    image.save(tmp_path / "a.png", exif=exif)
    facts: list[str] = []
    read_picture(str(tmp_path / "a.png"), facts.append)
    turned = "turned upright by its EXIF data"
    assert facts == ["30 x 20 pixels", turned, "laid on white where it is transparent"]
    frames = [Image.new("L", (9, 9), level) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_picture(str(tmp_path / "a.gif"), facts.append) == 0).all()
    assert facts[3:] == ["9 x 9 pixels", "the first of 2 in the file"]


def test_a_picture_is_squashed_cropped_or_padded():
    picture = np.zeros((10, 40, 3), np.float32)
    picture[:, 15:25] = 1
    assert in_shape(picture, (20, 20), "squash") is picture
    assert (in_shape(picture, (20, 20), "crop") == np.ones((10, 10, 3))).all()
    padded = in_shape(picture, (20, 20), "pad")
    assert padded.shape == (40, 40, 3)
    assert (padded[15:25] == picture).all() and (padded[:15] == 0.5).all()
    assert in_shape(picture, (30, 20), "pad").shape == (60, 40, 3)
    assert in_shape(picture, (30, 20), "crop").shape == (10, 7, 3)


@pytest.mark.parametrize("filter_name", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_filters_are_pillows(filter_name):
    rough = np.random.default_rng(0).integers(60, 190, (50, 37, 3)).astype(np.uint8)
    way = Image.Resampling[filter_name.upper()]
    wanted = np.asarray(Image.fromarray(rough).resize((20, 24), way)) / 255
    found = resized(rough.astype(np.float32) / 255, (24, 20), filter_name)
    assert np.abs(found - wanted).max() < 1.01 / 255


def test_what_is_no_number_is_0(tmp_path):
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    values[0, 0], values[0, 1] = np.nan, np.inf
    picture = read_picture(saved(Image.fromarray(values), tmp_path / "a.tif"))
    assert picture[0, 0, 0] == picture[0, 1, 0] == 0
    assert picture.max() == 1


def test_resizing_keeps_the_range_and_smooths():
    stripes = np.tile(np.array([0, 1], np.float32), (64, 32))[..., None].repeat(3, axis=2)
    stripes[:32] = 0
    small = resized(stripes, (16, 16))
    assert small.dtype == np.float32
    assert small.min() >= 0 and small.max() <= 1
    assert np.allclose(small[12:], 0.5, atol=0.1)  # without anti-aliasing these would be 0 or 1


def bomb(path) -> None:
    """A PNG whose header says 30,000 x 30,000 pixels."""
    Image.new("L", (1, 1)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def float_tiff(path) -> None:
    """A TIFF of three floats a pixel."""
    tags = {256: 2, 257: 2, 258: 32, 259: 1, 262: 2, 273: 8, 277: 3, 278: 2, 279: 48, 339: 3}
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    table = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 56) + bytes(48) + table)


def test_heic_is_read_if_its_package_is_there(tmp_path, monkeypatch):
    """The package registers an opener with Pillow."""
    package = ModuleType("pillow_heif", "a stand-in")
    package.__spec__ = ModuleSpec("pillow_heif", None)

    def register_heif_opener() -> None:
        content = io.BytesIO()
        Image.new("RGB", (9, 9), "red").save(content, "PNG")
        content.seek(0)
        Image.register_open("HEIC", lambda *_: PngImageFile(content), is_heic)

    def is_heic(start: bytes) -> bool:
        return start[8:12] == b"heic"

    package.register_heif_opener = register_heif_opener
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    assert read_picture(str(tmp_path / "a.heic")).shape == (9, 9, 3)


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "not a picture"),
    "text": (lambda path: path.write_text("ravens"), "not a picture"),
    "folder": (lambda path: path.mkdir(), "no such file"),
    "absent": (lambda path: None, "no such file"),
    "large": (bomb, "too large"),
    "heic": (lambda path: path.write_bytes(bytes(4) + b"ftypheic" + bytes(9)), "a HEIC .*JPEG"),
    "float": (float_tiff, "a TIFF of a kind that Pillow does not read, such as float.*PNG"),
    "svg": (lambda path: path.write_text("<svg>"), "an SVG drawing"),
    "pdf": (lambda path: path.write_text("%PDF-1.7"), "a PDF; save the picture in it"),
    "html": (lambda path: path.write_text("\n<!doctype HTML>"), "a web page; give the address"),
    "array": (lambda path: np.save(path.open("wb"), np.zeros((9, 9))), "a NumPy array"),
    "dicom": (lambda path: path.write_bytes(bytes(128) + b"DICM"), "a DICOM file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_refused(kind, tmp_path):
    make, message = BAD[kind]
    path = tmp_path / "a.png"
    make(path)
    with pytest.raises(UserError, match=f"a.png: {message}"):
        read_picture(str(path))


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "tif", "webp"])
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_truncated_picture_is_refused(part, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    rough = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(rough).save(path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(UserError, match="a broken picture|not a picture"):
        read_picture(str(path))


@pytest.fixture
def address(tmp_path):
    """A server of the folder tmp_path."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def send_slowly(self) -> None:
            """A byte every 50 ms, for up to 5 seconds."""
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # the reader has given up
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)

        def do_GET(self) -> None:
            if self.path == "/slow.png":
                return self.send_slowly()
            if self.path != "/away.png":
                return super().do_GET()
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1:9/a.png")
            return self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_picture_from_an_address(address, ramp, tmp_path):
    saved(Image.fromarray(ramp), tmp_path / "a.png")
    assert np.allclose(read_picture(f"{address}/a.png"), ramp / 255)


def test_a_redirection_to_ftp_is_refused(address):
    with pytest.raises(UserError, match="unsupported protocol 'ftp://'.*; check the address"):
        read_picture(f"{address}/away.png")


def test_a_server_that_sends_a_byte_at_a_time_is_given_up(address, monkeypatch):
    monkeypatch.setattr("huggin.lime.pictures.reading.LONGEST_DOWNLOAD", 0.2)
    with pytest.raises(UserError, match="not sent within 0.2 seconds; check the address"):
        read_picture(f"{address}/slow.png")


def test_an_address_that_fails_is_refused(address, tmp_path):
    saved(Image.new("L", (9, 9)), tmp_path / "grün.png")
    assert read_picture(f"{address}/grün.png".replace("http", "HTTP")).shape == (9, 9, 3)
    with pytest.raises(UserError, match="404.*check the address"):
        read_picture(f"{address}/b.png")
    with pytest.raises(UserError, match="check the address"):
        read_picture("http://127.0.0.1:9/a.png")
    (tmp_path / "c.png").write_text("<html>")
    with pytest.raises(UserError, match="a web page; give the address of the picture"):
        read_picture(f"{address}/c.png")
    with pytest.raises(UserError, match="check the address"):
        read_picture("http://[a.png")
