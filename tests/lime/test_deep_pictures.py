"""Deep grey pictures and colour profiles: what the file says is what the model is given."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from huggin.lime.pictures import read_picture

RAMP = np.linspace(0, 1, 600).reshape(20, 30)
UNTOLD = "its values go from"


def tiff(path, values: np.ndarray, photometric: int = 1, extra: dict[int, int] | None = None):
    """Write a plain TIFF of one channel, in the values' own bits, with these tags."""
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: width, 257: height, 258: values.itemsize * 8, 259: 1, 262: photometric}
    tags |= {273: 0, 277: 1, 278: height, 279: values.nbytes, 339: kind, **(extra or {})}
    tags[273] = 8 + 2 + 12 * len(tags) + 4  # where the values begin
    rows = [struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags)]
    table = struct.pack("<H", len(tags)) + b"".join(rows) + struct.pack("<I", 0)
    content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + table + content)
    return str(path)


def read(path: str) -> tuple[np.ndarray, list[str]]:
    """The first channel, and the lines about it."""
    lines: list[str] = []
    picture = read_picture(path, lines.append)
    assert (picture == picture[..., :1]).all()
    return picture[..., 0], lines


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_in_16_are_shown_by_their_own_range(bits, tmp_path):
    values = np.round(RAMP * (2**bits - 1)).astype(np.uint16)
    for path in (tiff(tmp_path / "a.tif", values), tmp_path / "b.png"):
        if str(path).endswith("png"):
            Image.fromarray(values).save(path)
        found, lines = read(str(path))
        assert np.allclose(found, RAMP, atol=0.5 / (2**bits - 1))
        assert [line.partition(" 0 to ")[0] for line in lines] == [UNTOLD]


def test_all_of_16_bits_are_shown_as_they_are(tmp_path):
    found, lines = read(tiff(tmp_path / "a.tif", np.round(RAMP * 50_000).astype(np.uint16)))
    assert np.allclose(found, RAMP * 50_000 / 65535, atol=1e-5)
    assert lines == []


def test_the_files_own_lowest_and_highest_values_are_used(tmp_path):
    values = np.round(RAMP * 1000).astype(np.uint16) + 100
    found, lines = read(tiff(tmp_path / "a.tif", values, extra={280: 0, 281: 4095}))
    assert np.allclose(found, values / 4095, atol=1e-5)
    assert lines == []


def test_negative_values_are_not_cut(tmp_path):
    values = np.round(RAMP * 2000 - 1000).astype(np.int16)  # as computed tomography has them
    found, lines = read(tiff(tmp_path / "a.tif", values))
    assert np.allclose(found, RAMP, atol=1e-3)
    assert lines == [f"{UNTOLD} -1000 to 1000: shown from black to white"]
    found, _ = read(tiff(tmp_path / "b.tif", (RAMP * 3 - 1).astype(np.float32)))
    assert np.allclose(found, RAMP, atol=1e-6)


def test_white_is_0_is_turned(tmp_path):
    found, _ = read(tiff(tmp_path / "a.tif", np.round(RAMP * 65535).astype(np.uint16), 0))
    assert np.allclose(found, 1 - RAMP, atol=1e-4)
    found, _ = read(tiff(tmp_path / "b.tif", np.round(RAMP * 255).astype(np.uint8), 0))
    assert np.allclose(found, 1 - RAMP, atol=0.01)


def test_32_bits_above_the_middle_are_not_0(tmp_path):
    values = np.round(RAMP * (2**32 - 1)).astype(np.uint32)
    found, _ = read(tiff(tmp_path / "a.tif", values))
    assert np.allclose(found, RAMP, atol=1e-6)


def profile() -> bytes:
    """sRGB's profile with the red and the green primary exchanged, under another name."""
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = content.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ")
    content = content.replace(b"?XYZ", b"gXYZ")
    wide = "sRGB".encode("utf-16-be")
    return content.replace(wide, "xxxx".encode("utf-16-be")).replace(b"sRGB", b"xxxx")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_profile_gives_the_colours(mode, tmp_path):
    assert "sRGB" not in ImageCms.getProfileDescription(io.BytesIO(profile()))
    image = Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    image.save(tmp_path / "a.png", icc_profile=profile())
    picture = read_picture(str(tmp_path / "a.png"))
    assert np.allclose(picture, [0, 1, 0], atol=0.02)


def test_a_broken_profile_is_said(tmp_path):
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "a.png", icc_profile=b"ravens")
    lines: list[str] = []
    assert np.allclose(read_picture(str(tmp_path / "a.png"), lines.append), [1, 0, 0])
    assert "its colour profile is not used" in lines[0]
