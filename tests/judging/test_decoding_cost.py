"""What one photo may cost: refused by its header where that tells, stopped where it does not; memory is given back."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from PIL import Image

from providers.base import NoProviderAnswered
from providers.fake import FakeProvider
from testing.image_files import JPEGS, encoded, flat_png, flat_webp, many_scans
from triof.judging import photo
from triof.judging.decoding.budget import MemoryGate
from triof.judging.decoding.errors import DecoderBusy, TooCostly
from triof.judging.photo import PhotoError
from triof.judging.router import Router
from triof.judging.sorter import Sorter
from triof.settings.sections.photo import PhotoLimits
from triof.settings.sections.policy import Policy

TELEPHONE = Image.new("RGB", (8160, 6144), "grey")


def code(image: bytes, limits: PhotoLimits | None = None) -> str:
    """The fault of a photo, empty if it is judged."""
    try:
        photo.load(image, limits or PhotoLimits(), needed_side=240)
    except PhotoError as error:
        return error.code
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_common_telephones_photo_is_judged(options: dict[str, Any]) -> None:
    loaded = photo.load(encoded(TELEPHONE, **options), needed_side=240)
    assert (loaded.width, loaded.height) == (8160, 6144)
    assert loaded.picture.size == (1020, 768)


@pytest.mark.parametrize("scans", [150, 5000])
def test_more_scans_than_any_encoder_writes_are_refused(scans: int) -> None:
    assert code(many_scans(JPEGS["progressive"], scans)) == "too_costly"


def test_few_scans_of_a_huge_picture_are_refused_too() -> None:
    image = many_scans(JPEGS["progressive"], 60)
    # The same file with another size in its frame: as many bytes, 1,400 times the blocks.
    frame = image.index(b"\xff\xc2") + 5
    assert code(image[:frame] + struct.pack(">HH", 9_000, 12_000) + image[frame + 4 :]) == "too_costly"


COSTLY = {
    "png_grey_alpha": flat_png(3000, 3000, 4),
    "png_rgba": flat_png(3000, 3000, 6),
    "png_rgba_16": flat_png(3000, 3000, 6, 16),
    "png_palette": flat_png(6000, 6000, 3),
    "webp": flat_webp(3000, 3000),
    "jpeg_buffered": encoded(TELEPHONE.reduce(2), progressive=True),
    "gif": encoded(Image.new("P", (6000, 6000)), "GIF"),
    "bmp": encoded(Image.new("RGB", (3000, 3000)), "BMP"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_takes_more_memory_than_allowed_is_refused_before_it_takes_it(name: str) -> None:
    limits = PhotoLimits(max_bytes=100_000_000, decode_megabytes=20)
    assert code(COSTLY[name], limits) == "too_costly"


ENDLESS = {
    "gif": encoded(Image.new("P", (64, 64)), "GIF")[:13] + b"!\xfe\x00" * 300_000,
    "png": encoded(Image.new("RGB", (64, 64)), "PNG")[:33] + b"\0\0\0\0teXt\0\0\0\0" * 300_000,
    "jpeg": encoded(Image.new("RGB", (64, 64)))[:2] + b"\xff\xfe\0\x02" * 300_000,
    "webp": encoded(Image.new("RGB", (64, 64)), "WEBP")[:12] + b"JUNK\0\0\0\0" * 300_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_what_takes_more_processor_time_than_allowed_is_stopped(name: str) -> None:
    assert code(ENDLESS[name], PhotoLimits(decode_seconds=0.05)) == "too_costly"


def test_a_picture_packed_into_a_million_runs_is_stopped() -> None:
    picture = Image.new("P", (2000, 2000))
    head = bytearray(encoded(picture, "BMP"))
    start = struct.unpack_from("<I", head, 10)[0]
    struct.pack_into("<I", head, 30, 1)  # run-length encoded
    assert code(bytes(head[:start]) + b"\x01\x00" * 2_000_000, PhotoLimits(decode_seconds=0.05)) == "too_costly"


def test_one_large_image_waits_and_others_are_refused_while_small_ones_pass() -> None:
    gate = MemoryGate()
    decoding, done, waited = Event(), Event(), Event()

    def decode() -> None:
        with gate.reserved(90_000_000, 100_000_000, 0):
            decoding.set()
            done.wait()

    def decode_later() -> None:
        with gate.reserved(50_000_000, 100_000_000, 60):
            waited.set()

    threads = [Thread(target=target, daemon=True) for target in (decode, decode_later)]
    threads[0].start()
    assert decoding.wait(10)
    threads[1].start()
    while gate.waiting == 0:
        pass
    with pytest.raises(DecoderBusy), gate.reserved(21_000_000, 100_000_000, 60):
        pass
    with gate.reserved(1_000_000, 100_000_000, 0):
        assert not waited.is_set()
    with pytest.raises(TooCostly), gate.reserved(100_000_001, 100_000_000, 60):
        pass
    done.set()
    for thread in threads:
        thread.join()
    assert waited.is_set()


MEASURE = """
import json, pathlib, sys
from threading import Thread
from triof.judging import photo
from triof.judging.decoding.budget import return_freed_memory

def megabytes(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))

def load(image):
    try:
        photo.load(image, needed_side=240)
    except photo.PhotoError:
        pass

return_freed_memory()
images = [pathlib.Path(path).read_bytes() for path in sys.argv[1:]]
load(images[0])
idle = megabytes("VmRSS")
for image in images:
    # Each thread has an arena of its own that could keep what was freed.
    threads = [Thread(target=load, args=[image]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(json.dumps([megabytes("VmHWM") - idle, megabytes("VmRSS") - idle]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded_and_given_back(tmp_path: Path) -> None:
    paths = []
    images = {"small": encoded(Image.new("RGB", (640, 480))), **COSTLY, "png": flat_png(7000, 7000, 2)}
    for name, image in images.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(image)
    done = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, check=True, text=True)
    peak, left = json.loads(done.stdout)
    assert peak < 320
    assert left < 50


class _Late:
    """A clock that a decode of three seconds has moved."""

    def __init__(self) -> None:
        self.times = iter([0.0, 3.0])

    def __call__(self) -> float:
        return next(self.times, 3.0)


def test_decoding_lies_within_the_deadline_of_a_question(jpeg: bytes) -> None:
    fakes = [FakeProvider("waste_type", ["cup"]), FakeProvider("cleanliness", ["clean"])]
    judged = Sorter(Router({fake.task: [fake] for fake in fakes}), Policy(), clock=_Late()).judge(jpeg)
    assert not judged.predictions
    assert all("deadline" in str(error) for error in judged.unanswered.values())
    assert all(isinstance(error, NoProviderAnswered) for error in judged.unanswered.values())
