"""Which photos of deposits are kept, and the contact in the notice about the camera."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from providers.options import Options

KeepPhotos = Literal["all", "unsure_and_corrected", "none"]


def _unset_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("contact", "Write the contact on one line, without control characters")
    return value


Contact = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_one_line)]


class PrivacySettings(Options):
    """Which photos of deposits are kept, and the contact in the notice about the camera."""

    keep_photos: KeepPhotos = "all"
    """``unsure_and_corrected``: those that the machine asked about and those whose type the person corrected.

    The others are never written. How long photos are kept is ``journal.keep_photo_days``.
    """
    cut_to_item: bool = False
    """Whether only the part of a photo with the item is stored or sent, and nothing where the item is not found."""
    contact: Annotated[Contact | None, BeforeValidator(_unset_if_empty)] = None
    """Name, e-mail or address of the company's contact for data protection; None: the staff."""
