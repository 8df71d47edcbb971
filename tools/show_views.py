"""Draw docs/images/views.jpg: demo pictures, and what a training makes of them.

    python -m tools.show_views

From left to right: the picture, two views on other grounds, two stained ones, one with both.
"""

import numpy as np
from PIL import Image

from providers.local_cnn.training import augmentation, scenes
from providers.local_cnn.training.scenes import Scenery
from tools.models_page import PAGE
from triof.common.paths import DEMO_PICTURES

OUT = PAGE.parent / "images" / "views.jpg"
PICTURES = ("bottle-clean-2", "cup-clean-2", "cup-dirty-1", "other-can-1")
KINDS = ((1.0, False), (1.0, False), (0.0, True), (0.0, True), (1.0, True))
"""Probability of another ground, and whether stained."""
SIDE = 160


def main() -> None:
    """Draw and save."""
    rng = np.random.default_rng(4)
    scenery = Scenery(scenes.rendered("grounds"))
    sheet = Image.new("RGB", (SIDE * (1 + len(KINDS)), SIDE * len(PICTURES)))
    for row, name in enumerate(PICTURES):
        picture = Image.open(DEMO_PICTURES / f"{name}.jpg")
        subject = augmentation.subject(augmentation.kept(picture))
        sheet.paste(picture.resize((SIDE, SIDE)), (0, row * SIDE))
        for column, (other_ground, stained) in enumerate(KINDS, start=1):
            pixels = augmentation.view(subject, SIDE, scenery, rng, other_ground=other_ground, stained=stained)
            sheet.paste(Image.fromarray(pixels), (column * SIDE, row * SIDE))
    sheet.save(OUT, quality=85)


if __name__ == "__main__":
    main()
