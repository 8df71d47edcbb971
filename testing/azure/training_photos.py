"""The training service without the wire: uploads, and photos that are there.

What is unknown about the real service is marked "unknown"; there the stricter guess is taken.
"""

import hashlib
import json
import random
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from testing.azure.training_api import Call, Misasked, Refused
from testing.azure.training_projects import ProjectOperations
from testing.azure.training_records import (
    MOST_IMAGE_TAGS,
    MOST_IMAGES,
    MOST_TRAINING_IMAGE_BYTES,
    Photo,
    Project,
    check_batch,
    check_metadata,
    decoded,
    image_filter,
    shrunk,
    size_of,
    untaggable,
)
from testing.http_replies import Reply


class PhotoOperations(ProjectOperations):
    """Uploads, and photos that are there."""

    # Uploads

    def _create_images_from_files(self, call: Call) -> Any:
        project, batch = self._its(call), call.body
        entries, common = batch.get("images", []), batch.get("tagIds", [])
        metadata = batch.get("metadata") or {}
        check_batch(entries, common, metadata)
        contents = [decoded(entry.get("contents", "")) for entry in entries]
        results = []
        for entry, image in zip(entries, contents, strict=True):
            tags = {tag.lower() for tag in [*common, *entry.get("tagIds", [])]}
            status, photo = self._take(project, image, entry.get("name"), tags, metadata)
            kept = None if photo is None else self._image(photo, named=False)
            results.append({"sourceUrl": entry.get("name"), "status": status, "image": kept})
        self.batches.append(len(entries))
        whole = all(result["status"] == "OK" for result in results)
        if self.shuffles:
            random.shuffle(results)
        return Reply(200 if whole else 207, json.dumps({"isBatchSuccessful": whole, "images": results}).encode())

    def _take(
        self, project: Project, image: bytes, name: str | None, tags: set[str], metadata: dict[str, str]
    ) -> tuple[str, Photo | None]:
        """Judge one photo of a batch, and store it if it is good and new."""
        if self.refuses_photo and (refusal := self.refuses_photo(image)):
            return refusal, None
        if len(image) > MOST_TRAINING_IMAGE_BYTES:
            self.violations.append(f"CreateImagesFromFiles: {name!r} has {len(image)} bytes")
            return "ErrorImageSize", None
        size = size_of(image)
        if isinstance(size, str):
            return size, None
        problem = untaggable(project, tags)
        if problem:
            return problem, None
        digest = hashlib.sha256(image).hexdigest()
        known = project.photos.get(digest)
        if known:
            # Unknown: whether tags and metadata that come with a duplicate are added. Here they are not.
            known.times_sent += 1
            return "OKDuplicate", known
        if len(project.photos) >= self.limits.photos:
            return "ErrorLimitExceed", None
        self._changed(project)
        project.photos[digest] = Photo(
            str(uuid.uuid4()), project, self._ticks, digest, name, image, *size, tags, dict(metadata), self._now()
        )
        return "OK", project.photos[digest]

    def _image(self, photo: Photo, *, named: bool = True) -> dict[str, Any]:
        tags = [
            {"tagId": tag, "tagName": photo.project.tags[tag].name if named else None, "created": photo.created}
            for tag in sorted(photo.tag_ids)
        ]
        links = {
            name: self._blob(f"images/{photo.id}/{name}", partial(shrunk, photo, side))
            for name, side in (("originalImageUri", None), ("resizedImageUri", 1024), ("thumbnailUri", 256))
        }
        return {
            "id": photo.id,
            "created": photo.created,
            "width": photo.width,
            "height": photo.height,
            **links,
            "tags": tags or None,
            "regions": None,
            "metadata": photo.metadata or None,
        }

    # Photos that are there

    def _get_images(self, call: Call, tagged: bool | None = None) -> Any:
        if call.query.get("skip", 0) < 0:
            raise Misasked(400, "BadRequest", "skip is below 0")
        photos = sorted(self._found(call, tagged), key=lambda photo: photo.number)
        if call.query.get("orderBy", "Newest") == "Newest":
            photos.reverse()
        start = call.query.get("skip", 0)
        return [self._image(photo) for photo in photos[start : start + call.query.get("take", 50)]]

    def _get_tagged_images(self, call: Call) -> Any:
        return self._get_images(call, tagged=True)

    def _get_untagged_images(self, call: Call) -> Any:
        return self._get_images(call, tagged=False)

    def _get_image_count(self, call: Call) -> Any:
        return len(self._found(call))

    def _get_tagged_image_count(self, call: Call) -> Any:
        return len(self._found(call, tagged=True))

    def _get_untagged_image_count(self, call: Call) -> Any:
        return len(self._found(call, tagged=False))

    def _found(self, call: Call, tagged: bool | None = None) -> list[Photo]:
        project, query = self._its(call), call.query
        status = query.get("taggingStatus", "All")
        if status != "All":
            tagged = status == "Tagged"
        tags, fits = set(query.get("tagIds", [])), image_filter(query.get("$filter", ""), self.filters)
        within = self._iteration_of(project, query["iterationId"]).photo_ids if "iterationId" in query else None
        return [
            photo
            for photo in project.photos.values()
            if (tagged is None or bool(photo.tag_ids) == tagged)
            and (not tags or tags & photo.tag_ids)
            and (within is None or photo.id in within)
            and fits(photo.metadata)
        ]

    def _by_ids(self, project: Project, ids: Iterable[str]) -> list[Photo]:
        """Those of them that there are."""
        wanted = set(ids)
        return [photo for photo in project.photos.values() if photo.id in wanted]

    def _get_images_by_ids(self, call: Call) -> Any:
        return [self._image(photo) for photo in self._by_ids(self._its(call), call.query.get("imageIds", []))]

    def _delete_images(self, call: Call) -> Any:
        project, everything = self._its(call), call.query.get("allImages", False)
        if everything == ("imageIds" in call.query):
            raise Misasked(400, "BadRequestImageBatch", "Give either imageIds or allImages")
        doomed = list(project.photos.values()) if everything else self._by_ids(project, call.query["imageIds"])
        for photo in doomed:
            del project.photos[photo.sha256]
        self._changed(project)
        return Reply(202 if everything or call.query.get("allIterations") else 204)

    def _create_image_tags(self, call: Call) -> Any:
        project, entries = self._its(call), call.body.get("tags", [])
        if not 0 < len(entries) <= MOST_IMAGE_TAGS:
            raise Misasked(400, "BadRequestExceededBatchSize", f"{len(entries)} tags, where 1 to {MOST_IMAGE_TAGS} go")
        summary: dict[str, list[Any]] = {"created": [], "duplicated": [], "exceeded": []}
        for entry in entries:
            photos = self._by_ids(project, [entry["imageId"].lower()])
            tag = entry["tagId"].lower()
            if not photos or tag not in project.tags:
                raise Refused(400, "BadRequestInvalidIds", "There is no such image or tag")
            had = photos[0].tag_ids
            kind = "duplicated" if tag in had else "exceeded" if untaggable(project, had | {tag}) else "created"
            summary[kind].append(entry)
            if kind == "created":
                had.add(tag)
                self._changed(project)
        return summary

    def _delete_image_tags(self, call: Call) -> Any:
        project = self._its(call)
        for photo in self._by_ids(project, call.query["imageIds"]):
            photo.tag_ids -= set(call.query["tagIds"])
        self._changed(project)
        return Reply(204)

    def _update_image_metadata(self, call: Call) -> Any:
        project, ids = self._its(call), call.query["imageIds"]
        if len(ids) > MOST_IMAGES:  # The parameter's own limit says 256, its description 64.
            raise Misasked(400, "BadRequestExceededBatchSize", f"{len(ids)} images, where {MOST_IMAGES} go")
        check_metadata(call.body)
        entries = []
        for each in ids:
            photos = self._by_ids(project, [each])
            for photo in photos:
                photo.metadata.update(call.body)
            status = "OK" if photos else "ErrorImageNotFound"
            entries.append({"imageId": each, "status": status, "metadata": photos[0].metadata if photos else None})
        whole = all(entry["status"] == "OK" for entry in entries)
        return Reply(200 if whole else 207, json.dumps({"isBatchSuccessful": whole, "images": entries}).encode())
