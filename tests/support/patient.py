"""A provider that answers when it is told to, in whatever process it runs: files in ``PATIENT_FOLDER``."""

import os
import time
from pathlib import Path

from providers.base import Photo, Prediction
from providers.fake import FakeProvider


class Patient(FakeProvider):
    """Says by the file ``asked`` that it was asked, and answers when there is a file ``answer``."""

    name = "patient"

    def __init__(self, task: str, options: object) -> None:
        super().__init__("waste_type", ["bottle"])
        self._folder = Path(os.environ["PATIENT_FOLDER"])

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Wait to be told."""
        (self._folder / "asked").touch()
        while not (self._folder / "answer").exists():
            time.sleep(0.01)
        return super().predict(photo, timeout=timeout)
