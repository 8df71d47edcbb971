"""Finds the uploaded photos of requests whose answers were lost.

Every photo carries the id of its request as metadata. Photos are read page by page from the newest on, as the service
may not be able to filter by metadata.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from providers.custom_vision.records import Image, Stored

BATCH = "triof_batch"
"""The metadata key of the request's id."""
_SKEW = timedelta(seconds=10)
"""Assumed difference between the clocks of the cloud's servers."""


@dataclass(frozen=True)
class UploadPhoto:
    """A photo prepared for the vendor; ``name`` is unique within its batch."""

    name: str
    image: bytes
    tag_id: str


def of_batches(newest: Iterable[Image], counts: Mapping[str, int], since: datetime | None) -> dict[str, list[Image]]:
    """Group those of the ``newest`` photos that belong to the requests; ``counts`` maps their ids to numbers of photos.

    Photos from before ``since`` belong to none of them; None: unknown. A photo that is listed twice counts once.
    """
    found: dict[str, dict[str, Image]] = {batch: {} for batch in counts}
    for image in newest:
        if since and image.created and image.created < since - _SKEW:
            break
        batch = image.metadata.get(BATCH, "")
        if batch in found:
            found[batch][image.id] = image
            if all(len(found[each]) >= count for each, count in counts.items()):
                break
    return {batch: list(images.values()) for batch, images in found.items()}


def match(
    images: Sequence[Image], photos: Sequence[UploadPhoto], download: Callable[[str, Path], None]
) -> dict[str, Image]:
    """Match images to photos by content, as the cloud does not return names; returns the images by the photo's name."""
    found: dict[str, Image] = {}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "photo"
        for image in images:
            download(image.address, file)
            found[hashlib.sha256(file.read_bytes()).hexdigest()] = image
    digests = {photo.name: hashlib.sha256(photo.image).hexdigest() for photo in photos}
    return {name: found[digest] for name, digest in digests.items() if digest in found}


def by_name(photos: Sequence[UploadPhoto], stored: Sequence[Stored]) -> dict[str, Stored]:
    """Return the outcome of each photo, by the names in the answer, or by its order if it has no names."""
    names = {result.name: result for result in stored}
    if set(names) == {photo.name for photo in photos}:
        return names
    return {photo.name: result for photo, result in zip(photos, stored, strict=True)}
