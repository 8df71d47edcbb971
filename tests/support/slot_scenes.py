"""A drawn slot with a tray, items in it, and a camera that shows it as a test puts it."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from triof.machine.cameras.base import CameraError

SIZE = (640, 360)
Rectangle = tuple[int, int, int, int]
MIDDLE: Rectangle = (280, 120, 360, 240)


def slot(
    item: Rectangle | None = None,
    *,
    colour: str = "crimson",
    light: tuple[float, float, float] = (1, 1, 1),
    noise: float = 1.5,
    moved: tuple[int, int] = (0, 0),
    greasy: bool = False,
    seed: int = 0,
) -> Image.Image:
    """A tray with a rim, unevenly lit, and perhaps an ``item`` in it; the camera ``moved`` right and down by pixels."""
    canvas = Image.new("RGB", (SIZE[0] + 200, SIZE[1] + 200), (70, 74, 80))
    draw = ImageDraw.Draw(canvas)
    draw.rounded_rectangle((120, 115, 720, 445), 30, fill=(150, 154, 158))
    draw.rounded_rectangle((145, 140, 695, 420), 24, fill=(182, 186, 190))
    if item:
        left, top, right, bottom = (100 + side for side in item)
        draw.rounded_rectangle((left, top, right, bottom), 8, fill=colour)
    picture = canvas.crop((100 - moved[0], 100 - moved[1], 100 - moved[0] + SIZE[0], 100 - moved[1] + SIZE[1]))
    if greasy:
        blurred = picture.filter(ImageFilter.GaussianBlur(14))
        picture = Image.blend(blurred, Image.new("RGB", SIZE, (205, 205, 200)), 0.3)
    pixels = np.asarray(picture, np.float32) * np.linspace(1.05, 0.95, SIZE[0])[None, :, None] * np.array(light)
    pixels = pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def photo_of(picture: Image.Image) -> bytes:
    """The JPEG that a camera makes of it."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


class SlotCamera:
    """A camera above the slot: shows ``picture``, or fails where there is none."""

    kind = "webcam"

    def __init__(self, picture: Image.Image | None) -> None:
        self.picture = picture
        self.taken = 0

    def take(self, upload: bytes | None) -> bytes:
        """Take the picture. Raises CameraError."""
        self.ping()
        assert self.picture
        self.taken += 1
        return photo_of(self.picture)

    def preview(self) -> bytes:
        """Return the picture without taking it. Raises CameraError."""
        self.ping()
        assert self.picture
        return photo_of(self.picture)

    def ping(self) -> None:
        """Raise CameraError where there is no picture."""
        if not self.picture:
            raise CameraError("The camera is unplugged: plug it in.")

    def close(self) -> None:
        """Do nothing."""
