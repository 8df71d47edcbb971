"""Photos as odd cameras, programs and telephones write them: judged by what can be seen, or refused in words."""

import struct
import sys
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from testing.image_files import HEIC, bmp, chunk, encoded, png
from tests.support.machines import BuildMachine
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.machine.cameras.browser import BrowserCamera

GREY_RAMP = np.tile(np.linspace(0, 1, 64), (48, 1))


def with_chunk(image: bytes, piece: bytes) -> bytes:
    """``piece`` behind the header of a PNG."""
    return image[:33] + piece + image[33:]


def brightness(image: bytes) -> float:
    return float(np.asarray(photo.load(image).picture).mean())


def fault(image: bytes) -> PhotoError:
    with pytest.raises(PhotoError) as refused:
        photo.load(image)
    return refused.value


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_16_bits_is_as_bright_as_its_camera_saw_it(bits: int) -> None:
    ramp = (GREY_RAMP * ((1 << bits) - 1)).round()
    assert brightness(png(ramp[..., None], 0)) == pytest.approx(127.5, abs=2)
    broken = ramp.copy()
    broken[7, 7] = 65_535
    assert brightness(png(broken[..., None], 0)) == pytest.approx(127.5, abs=2)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 1), (6, 3)])
def test_colours_of_16_bits_are_bright_or_refused_as_too_dark(colour_type: int, channels: int) -> None:
    for bits in (10, 12, 14, 16):
        samples = np.repeat((GREY_RAMP * ((1 << bits) - 1)).round()[..., None], channels, axis=2)
        if colour_type >= 4:
            samples = np.concatenate([samples, np.full((48, 64, 1), 65_535)], axis=2)
        image = png(samples, colour_type)
        if bits <= 12:
            assert fault(image).code == "too_dark"
        else:
            assert brightness(image) == pytest.approx(127.5, abs=4)


def test_a_bmp_whose_fourth_byte_is_empty_is_opaque() -> None:
    for alpha, seen in ((0, (200, 30, 30)), (255, (200, 30, 30)), (51, (244, 210, 210))):
        assert photo.load(bmp(Image.new("RGBA", (64, 48), (200, 30, 30, alpha)))).picture.getpixel((5, 5)) == seen


@pytest.mark.parametrize("alpha", [0, 20])
def test_a_picture_of_which_nothing_can_be_seen_is_refused(alpha: int) -> None:
    clear = Image.new("RGBA", (64, 48), (200, 30, 30, alpha))
    for image in (
        encoded(clear, "PNG"),
        encoded(clear, "WEBP", lossless=True, exact=True),
        encoded(Image.merge("LA", [clear.getchannel("R"), clear.getchannel("A")]), "PNG"),
        encoded(Image.new("P", (64, 48)), "PNG", transparency=0),
        encoded(Image.new("P", (64, 48)), "GIF", transparency=0),
        encoded(Image.new("RGB", (64, 48), "red"), "PNG", transparency=(255, 0, 0)),
    ):
        assert fault(image).code == "transparent"


METADATA = {
    "text": chunk(b"tEXt", b"Comment\0" + b"x" * 1_500_000),
    "compressed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000))),
    "a profile": chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(5_000_000))),
    "a profile that is none": chunk(b"iCCP", b"icc\0\0not compressed"),
    "a wrong checksum": chunk(b"tEXt", b"Comment\0hello", 0),
    "a time that is none": chunk(b"tIME", b""),
    "EXIF that is none": chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    "an unknown part": chunk(b"prVt", bytes(9)),
    "an animation": chunk(b"acTL", struct.pack(">II", 1_000_000, 0)),
}


@pytest.mark.parametrize("name", METADATA)
def test_the_metadata_of_a_png_never_decide(name: str) -> None:
    image = encoded(Image.new("RGB", (64, 48), "red"), "PNG")
    assert photo.load(with_chunk(image, METADATA[name])).picture.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.slow
def test_a_thousand_texts_that_open_to_a_gigabyte_never_decide() -> None:
    info = PngImagePlugin.PngInfo()
    for number in range(40):
        info.add_text(f"text {number}", "x" * 900_000, zip=True)
    assert photo.load(encoded(Image.new("RGB", (64, 48), "red"), "PNG", pnginfo=info)).picture.size == (64, 48)


@pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_the_metadata_of_a_camera_never_decide(format_: str, exif: bytes) -> None:
    image = encoded(Image.new("RGB", (64, 48), "red"), format_, exif=exif, icc_profile=b"no profile" * 500)
    assert photo.load(image).picture.size == (64, 48)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_turned_upright_by_exif_or_xmp(format_: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for metadata in ({"exif": exif}, {"xmp": xmp} if format_ != "PNG" else {"pnginfo": _png_xmp(xmp)}):
        loaded = photo.load(encoded(Image.new("RGB", (64, 48), "red"), format_, **metadata))
        assert (loaded.width, loaded.height, *loaded.picture.size) == (48, 64, 48, 64)


def _png_xmp(xmp: bytes) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def test_a_heic_photo_is_read_where_the_extra_is_installed() -> None:
    pytest.importorskip("pi_heif", reason="pi-heif is not installed")
    picture = photo.load(HEIC).picture
    assert picture.size == (64, 48)
    assert picture.getpixel((5, 5)) == pytest.approx((255, 0, 0), abs=9)
    assert fault(HEIC[: len(HEIC) // 2]).code == "damaged"


@pytest.fixture
def _no_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_heif")
def test_without_the_extra_a_heic_photo_is_called_one_with_the_setting_that_helps(build_machine: BuildMachine) -> None:
    assert "Most Compatible" in str(fault(HEIC))
    visitor = build_machine(camera=BrowserCamera()).visitor().press("/start")
    visitor.press("/waste/pick-type", image=(BytesIO(HEIC), "IMG_1.HEIC"))
    assert "Settings > Camera > Formats > Most Compatible" in visitor.page.text
    visitor.open("/start?lang=fr").press("/waste/pick-type", image=(BytesIO(HEIC), "IMG_1.HEIC"))
    assert "Réglages > Appareil photo > Formats > Le plus compatible" in visitor.page.text


@pytest.mark.parametrize("format_", ["TIFF", "AVIF"])
def test_a_format_that_is_not_read_is_named(format_: str) -> None:
    refused = fault(encoded(Image.new("RGB", (64, 48), "red"), format_))
    assert (refused.code, format_ in str(refused)) == ("unread_format", True)
