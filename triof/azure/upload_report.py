"""What became of the photos of an upload, in numbers and in sentences."""

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
"""What the vendor says of the photo itself; any other refusal may have passed or been mended the next time."""


@dataclass
class Report:
    """What became of the photos, by tag; safe to count in from many threads."""

    sent: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    retagged: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    """The same file again."""
    reasons: list[tuple[Path, str]] = field(default_factory=list)
    """Of the refused ones."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count(self, outcome: Outcome | Literal["retagged", "copies"], tag: Tag, path: Path, reason: str = "") -> None:
        """One more; one with a corrected label counts twice, as it is there too."""
        with self._lock:
            getattr(self, outcome)[tag.name] += 1
            if outcome == "refused":
                self.reasons.append((path, reason))


def outcome_of(became: Stored) -> tuple[Outcome, str, str]:
    """What the ledger keeps of the cloud's word: outcome, reason, and the cloud's id of the photo."""
    image_id = became.image.id if became.image else ""
    if became.status == "OK":
        return "sent", "", image_id
    if became.status == "OKDuplicate":
        return "there", "", image_id
    return "refused", became.status, ""


def may_pass(reason: str) -> bool:
    """Whether the vendor may take the photo another time."""
    return reason.startswith("Error") and reason not in _FINAL


def sentence(reason: str) -> str:
    """The vendor's word for a refusal, as a sentence; ours are sentences already."""
    return _REFUSALS.get(reason, f"The cloud says {reason}.") if reason.startswith("Error") else reason
