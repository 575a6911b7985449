"""Deep grey pictures and colour profiles: what the file says is what the model is given."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from huggin.lime.pictures.reading import read_picture

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
    return picture[..., 0], lines[1:]  # the first one says the size


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
    assert lines == ["16 bits"]


def test_the_files_own_lowest_and_highest_values_are_used(tmp_path):
    values = np.round(RAMP * 1000).astype(np.uint16) + 100
    found, lines = read(tiff(tmp_path / "a.tif", values, extra={280: 0, 281: 4095}))
    assert np.allclose(found, values / 4095, atol=1e-5)
    assert lines == ["16 bits"]


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


def png(path, values: np.ndarray) -> str:
    """Write a PNG with 16 bits a channel: (height, width, channels) uint16."""
    height, width, channels = values.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return str(path)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_12_bits_in_16_are_shown_by_their_own_range(channels, tmp_path):
    values = np.round(RAMP * 4095).astype(np.uint16)[..., None].repeat(channels, axis=2)
    values[..., 3:] = 65535
    found, lines = read(png(tmp_path / "a.png", values))
    assert np.allclose(found, RAMP, atol=1 / 255)
    assert lines == [f"{UNTOLD} 0 to 4095: shown from black to white"] + (channels == 4) * [
        "laid on white where it is transparent"
    ]


def test_colours_of_12_bits_in_a_tiff_are_turned_upright(tmp_path):
    values = np.round(RAMP * 4095).astype(np.uint16)[..., None].repeat(3, axis=2)
    tifffile = pytest.importorskip("tifffile")
    for name, order in (("a.tif", "<"), ("b.tif", ">")):
        turned = [(274, "H", 1, 3, True)]  # by 180 degrees
        tifffile.imwrite(tmp_path / name, values, byteorder=order, extratags=turned)
        found, _ = read(str(tmp_path / name))
        assert np.allclose(found, RAMP[::-1, ::-1], atol=1 / 255)


def test_colours_that_use_all_16_bits_stay_as_they_are(tmp_path):
    values = np.round(RAMP * 50_000).astype(np.uint16)[..., None].repeat(3, axis=2)
    found, lines = read(png(tmp_path / "a.png", values))
    assert np.allclose(found, RAMP * 50_000 / 65535, atol=1 / 255)
    assert lines == ["16 bits, of which 8 are used"]


# Colour profiles, against Pillow's ImageCms


def curved(space: bytes, gamma: float, name: str) -> bytes:
    """A profile with sRGB's primaries (or grey), this gamma and this name."""

    def text(words: str) -> bytes:
        coded = words.encode("utf-16-be")
        where = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28)
        return b"mluc" + bytes(4) + where + coded

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    white = xyz(0.9642, 1, 0.8249)
    tags = {b"desc": text(name), b"cprt": text("none"), b"wtpt": white}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
        tags |= {b"rXYZ": xyz(0.4361, 0.2225, 0.0139), b"gXYZ": xyz(0.3851, 0.7169, 0.0971)}
        tags[b"bXYZ"] = xyz(0.1431, 0.0606, 0.7139)
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        at = 128 + 4 + 12 * len(tags) + len(data)
        table += struct.pack(">4sII", tag, at, len(content))
        data += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4xI4s4s4s", size, 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data


def by_pillow(image: Image.Image, profile: bytes) -> np.ndarray:
    """The colours that ImageCms makes of a picture, in [0, 1]."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    usual = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, own, usual, outputMode="RGB")) / 255


def test_a_linear_profile_that_is_called_srgb_is_applied(tmp_path):
    linear = curved(b"RGB ", 1.0, "sRGB-elle-V2-g10.icc")
    image = Image.new("RGB", (8, 8), (200, 60, 40))
    image.save(tmp_path / "a.png", icc_profile=linear)
    lines: list[str] = []
    found = read_picture(str(tmp_path / "a.png"), lines.append)
    assert np.allclose(found, by_pillow(image, linear), atol=1e-6)
    assert np.allclose(found, np.array([229, 133, 110]) / 255, atol=1.5 / 255)
    assert lines[1] == "colours by its profile sRGB-elle-V2-g10.icc"


def test_srgb_by_any_name_changes_nothing(tmp_path):
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colours = np.random.default_rng(0).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    other = usual.replace("sRGB".encode("utf-16-be"), "odin".encode("utf-16-be"))
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=other)
    lines: list[str] = []
    found = read_picture(str(tmp_path / "a.png"), lines.append)
    assert np.array_equal(found, colours / np.float32(255))
    assert "which is sRGB" in lines[1]


@pytest.mark.parametrize("kind", ["L", "LA", "16 bits"])
def test_grey_pictures_keep_their_profile(kind, tmp_path):
    linear = curved(b"GRAY", 1.0, "linear grey")
    plain = Image.new("L", (8, 8), 100)
    image = Image.new("I;16", (8, 8), 100 * 257) if kind == "16 bits" else plain.convert(kind)
    image.save(tmp_path / "a.png", icc_profile=linear)
    lines: list[str] = []
    found = read_picture(str(tmp_path / "a.png"), lines.append)
    assert np.allclose(found, by_pillow(plain, linear), atol=1.01 / 255)
    assert np.allclose(found, 168 / 255, atol=1.5 / 255)
    assert "colours by its profile linear grey" in lines


def test_a_profile_of_another_kind_is_said(tmp_path):
    Image.new("RGB", (8, 8), (255, 0, 0)).save(
        tmp_path / "a.png", icc_profile=curved(b"GRAY", 1.0, "linear grey")
    )
    lines: list[str] = []
    assert np.allclose(read_picture(str(tmp_path / "a.png"), lines.append), [1, 0, 0])
    assert "not used (linear grey is for GRAY, the picture is RGB)" in lines[1]


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
    assert "its colour profile is not used" in lines[1]
