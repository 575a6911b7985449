"""Pictures of every kind come out alike; what is none is refused in a line."""

import struct
import threading
import time
import zlib
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from huggin.common.errors import UserError
from huggin.lime.pictures import read_picture
from huggin.lime.scene import resized


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


def test_a_long_strip_is_averaged_along_its_length(tmp_path):
    path = saved(Image.new("RGB", (90_000, 30), "red"), tmp_path / "a.png")
    assert read_picture(path).shape[1] < 2 * 2048 + 1


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


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "not a picture"),
    "text": (lambda path: path.write_text("ravens"), "not a picture"),
    "folder": (lambda path: path.mkdir(), "no such file"),
    "absent": (lambda path: None, "no such file"),
    "large": (bomb, "too large"),
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
    with pytest.raises(
        UserError, match="redirected to ftp://127.0.0.1:9/a.png, which is not http.s.; check"
    ):
        read_picture(f"{address}/away.png")


def test_a_server_that_sends_a_byte_at_a_time_is_given_up(address, monkeypatch):
    monkeypatch.setattr("huggin.lime.pictures.LONGEST_DOWNLOAD", 0.2)
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
    with pytest.raises(UserError, match="not a picture"):
        read_picture(f"{address}/c.png")
    with pytest.raises(UserError, match="check the address"):
        read_picture("http://[a.png")
