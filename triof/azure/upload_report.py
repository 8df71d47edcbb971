"""The result of an upload, as counts and sentences."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal

from providers.custom_vision.records import Stored, Tag
from triof.azure.upload_ledger import Outcome

_REFUSALS = {
    "ErrorImageFormat": "The cloud cannot read it: save it as a JPEG.",
    "ErrorImageSize": "It is too large for the cloud.",
    "ErrorImageDimensions": "The cloud takes no photo of that shape.",
    "ErrorLimitExceed": "The project is full: remove photos in the portal, or move the training resource to S0.",
    "ErrorTagLimitExceed": "It has too many tags.",
    "ErrorStorage": "The cloud could not store it: the same command tries again.",
    "ErrorUnknown": "The cloud does not say why: the same command tries again.",
}
_FINAL = ("ErrorImageFormat", "ErrorImageSize", "ErrorImageDimensions")
"""Refusals because of the photo itself; other refusals may succeed another time."""


@dataclass
class Report:
    """The outcomes of the photos, by tag; thread-safe."""

    sent: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    retagged: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    """Copies of the same file."""
    reasons: list[tuple[Path, str]] = field(default_factory=list)
    """Reasons of the refused photos."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count(self, outcome: Outcome | Literal["retagged", "copies"], tag: Tag, path: Path, reason: str = "") -> None:
        """Count an outcome; a photo with a corrected label counts twice, as it is known too."""
        with self._lock:
            getattr(self, outcome)[tag.name] += 1
            if outcome == "refused":
                self.reasons.append((path, reason))


def outcome_of(became: Stored) -> tuple[Outcome, str, str]:
    """Return the ledger's entry for the cloud's response: outcome, reason, and the cloud's id of the photo."""
    image_id = became.image.id if became.image else ""
    if became.status == "OK":
        return "sent", "", image_id
    if became.status == "OKDuplicate":
        return "there", "", image_id
    return "refused", became.status, ""


def may_pass(reason: str) -> bool:
    """Return whether the vendor may accept the photo another time."""
    return reason.startswith("Error") and reason not in _FINAL


def sentence(reason: str) -> str:
    """Return a refusal as a sentence: the vendor's code, or our own sentence."""
    return _REFUSALS.get(reason, f"The cloud says {reason}.") if reason.startswith("Error") else reason
