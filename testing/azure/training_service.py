"""Azure Custom Vision's training service without the wire: projects, tags, photos, iterations, exports.

What is unknown about the real service is marked "unknown"; there the stricter guess is taken.
"""

import hashlib
import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from testing.azure.custom_vision_server import Reply, timestamp
from testing.azure.training_api import Call, Misasked, Refused
from testing.azure.training_records import (
    DOMAINS,
    FLAVORS,
    GENERAL,
    MOST_IMAGE_TAGS,
    MOST_IMAGES,
    MOST_TRAINING_IMAGE_BYTES,
    TIERS,
    Export,
    Iteration,
    Outcome,
    Photo,
    Project,
    Tag,
    Tier,
    check_batch,
    check_metadata,
    check_trainable,
    classifier,
    decoded,
    domain_json,
    image_filter,
    iteration_json,
    measures,
    project_json,
    shrunk,
    size_of,
    tag_json,
    untaggable,
)


class TrainingService:
    """Holds the projects and does what is asked. The subclass brings the wire, the lock and ``endpoint``."""

    endpoint: str

    def __init__(self, tier: Tier) -> None:
        self.limits = TIERS[tier]
        self.prediction_resource_id = (
            f"/subscriptions/{uuid.uuid4()}/resourceGroups/triof/providers/Microsoft.CognitiveServices/accounts"
            "/triof-prediction"
        )
        self.training_polls = 2
        self.training_ends_as: Outcome = "Completed"
        self.export_polls = 1
        self.export_ends_as: Literal["Done", "Failed"] = "Done"
        self.unique_project_names = False  # unknown: the code for it exists, yet equal names have been seen
        self.refuses_republishing = True  # unknown: publishing what is published under the same name already
        self.filters: Literal["both", "prefixed", "bare", "refused"] = "both"
        """How ``$filter`` begins, if it is taken at all (unknown: the swagger's example has more than one reading)."""
        self.shuffles = False
        """Whether the answer to an upload comes in another order than the photos did (unknown)."""
        self.violations: list[str] = []
        self.batches: list[int] = []
        """The sizes of the uploads that were taken."""
        self.operations: Counter[str] = Counter()
        """How often each was asked, by its name in the swagger."""
        self.projects: dict[str, Project] = {}
        self.on_call: Callable[[Call], Reply | None] | None = None
        """Called with each request that was understood: may change it, or give an answer in place of the service's."""
        self.refuses_photo: Callable[[bytes], str | None] | None = None
        """Called with each photo that is uploaded: the status with which it is refused (None: it is taken)."""
        self.still_answers: Iteration | None = None
        """The iteration that published names stand for whatever was published since, as the real service may lag."""
        self._blobs: dict[str, Callable[[], tuple[str, bytes]]] = {}
        self._began = datetime.now(UTC)
        self._ticks = 0

    def perform(self, call: Call) -> Reply:
        """Do what is asked. Raises Refused."""
        self.operations[call.operation] += 1
        if self.on_call and (instead := self.on_call(call)):
            return instead
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", call.operation).lower()
        answer = getattr(self, f"_{name}")(call)
        return answer if isinstance(answer, Reply) else Reply(200, json.dumps(answer).encode())

    def _now(self) -> str:
        """A later time at each call, so that newest and oldest are told apart."""
        self._ticks += 1
        return timestamp(max(datetime.now(UTC), self._began + timedelta(milliseconds=self._ticks)))

    def _blob(self, path: str, contents: Callable[[], tuple[str, bytes]]) -> str:
        """A link that needs no key, but its signature."""
        signature = uuid.uuid5(uuid.NAMESPACE_URL, self.prediction_resource_id + path)
        signed = f"/blobs/{path}?sv=2022-11-02&sr=b&sig={signature}"
        self._blobs[signed] = contents
        return self.endpoint + signed

    # Domains and projects

    def _get_domains(self, call: Call) -> Any:
        return [domain_json(domain) for domain in DOMAINS.values()]

    def _get_domain(self, call: Call) -> Any:
        if call.path["domainId"] not in DOMAINS:
            raise Refused(404, "NotFoundDomain", "Invalid domain")
        return domain_json(DOMAINS[call.path["domainId"]])

    def _create_project(self, call: Call) -> Any:
        query = call.query
        domain = classifier(query.get("domainId", GENERAL.id))
        platforms = query.get("targetExportPlatforms", [])
        if platforms and not domain.exportable:
            raise Refused(400, "BadRequestProjectUnsupportedExportPlatform", "The domain cannot be exported")
        if self.unique_project_names and any(query["name"] == each.name for each in self.projects.values()):
            raise Refused(400, "BadRequestProjectNameNotUnique", "There is a project of this name")
        if len(self.projects) >= self.limits.projects:
            raise Refused(400, "BadRequestExceedProjectLimit", "Your subscription has as many projects as it may")
        now = self._now()
        # Multilabel is what the vendor takes when nobody says anything, and is rarely what is wanted.
        kind = query.get("classificationType", "Multilabel")
        project = Project(
            str(uuid.uuid4()),
            query["name"],
            query.get("description"),
            domain,
            kind,
            platforms,
            created=now,
            modified=now,
        )
        self.projects[project.id] = project
        return project_json(project)

    def _get_projects(self, call: Call) -> Any:
        return [project_json(project) for project in sorted(self.projects.values(), key=lambda each: each.id)]

    def _get_project(self, call: Call) -> Any:
        return project_json(self._its(call))

    def _update_project(self, call: Call) -> Any:
        project, body = self._its(call), call.body
        settings = body["settings"]
        project.domain = classifier(settings.get("domainId", project.domain.id))
        project.classification = settings.get("classificationType") or project.classification
        project.platforms = settings.get("targetExportPlatforms") or project.platforms
        project.name, project.description = body["name"], body["description"]
        self._changed(project)
        return project_json(project)

    def _delete_project(self, call: Call) -> Any:
        project = self._its(call)
        if any(iteration.publish_name for iteration in project.iterations.values()):
            raise Refused(400, "BadRequestIterationIsPublished", "Unpublish the project's iterations first")
        del self.projects[project.id]
        return Reply(204)

    def _its(self, call: Call) -> Project:
        project = self.projects.get(call.path["projectId"])
        if project is None:
            raise Refused(404, "NotFoundProject", "Invalid project")
        return project

    def _changed(self, project: Project) -> None:
        project.changes += 1
        project.modified = self._now()

    # Tags

    def _get_tags(self, call: Call) -> Any:
        project = self._its(call)
        counts = Counter(tag for photo in project.photos.values() for tag in photo.tag_ids)
        # Sorted by their random ids: in no order that would help anybody.
        return [tag_json(tag, counts[tag.id]) for tag in sorted(project.tags.values(), key=lambda each: each.id)]

    def _create_tag(self, call: Call) -> Any:
        project, query = self._its(call), call.query
        name, kind = query["name"], query.get("type", "Regular")
        self._refuse_tag(project, name, kind)
        if len(project.tags) >= self.limits.tags:
            raise Refused(400, "BadRequestExceedTagPerProjectLimit", "The project has as many tags as it may")
        tag = Tag(str(uuid.uuid4()), name, query.get("description"), kind)
        project.tags[tag.id] = tag
        self._changed(project)
        return tag_json(tag, 0)

    def _refuse_tag(self, project: Project, name: str, kind: str, itself: Tag | None = None) -> None:
        others = [tag for tag in project.tags.values() if tag is not itself]
        if any(tag.name.casefold() == name.casefold() for tag in others):
            raise Refused(400, "BadRequestTagNameNotUnique", f"There is a tag {name!r} already")
        if kind == "GeneralProduct":
            raise Refused(400, "BadRequestTagType", "Only object detection knows general products")
        if kind == "Negative" and any(tag.type == "Negative" for tag in others):
            raise Refused(400, "BadRequestMultipleNegativeTag", "A project has one negative tag at most")

    def _get_tag(self, call: Call) -> Any:
        project = self._its(call)
        tag = self._tag_of(project, call)
        return tag_json(tag, sum(tag.id in photo.tag_ids for photo in project.photos.values()))

    def _update_tag(self, call: Call) -> Any:
        project = self._its(call)
        tag = self._tag_of(project, call)
        self._refuse_tag(project, call.body["name"], call.body["type"], tag)
        tag.name, tag.description, tag.type = call.body["name"], call.body["description"], call.body["type"]
        self._changed(project)
        return self._get_tag(call)

    def _delete_tag(self, call: Call) -> Any:
        project = self._its(call)
        tag = self._tag_of(project, call)
        del project.tags[tag.id]
        for photo in project.photos.values():
            photo.tag_ids.discard(tag.id)
        self._changed(project)
        return Reply(204)

    def _tag_of(self, project: Project, call: Call) -> Tag:
        if call.path["tagId"] not in project.tags:
            raise Refused(404, "NotFoundTag", "Invalid tag")
        return project.tags[call.path["tagId"]]

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

    # Training

    def _train_project(self, call: Call) -> Any:
        project, query, body = self._its(call), call.query, call.body or {}
        kind, budget = query.get("trainingType") or "Regular", query.get("reservedBudgetInHours", 0)
        if any(each.status == "Training" for each in project.iterations.values()):
            raise Refused(400, "BadRequestTrainingAlreadyInProgress", "Training is already in progress")
        if len(project.iterations) >= self.limits.iterations:
            raise Refused(
                400, "BadRequestExceedIterationPerProjectLimit", "The project has as many iterations as it may"
            )
        if kind == "Advanced" and budget < 1:
            raise Refused(
                400, "BadRequestReservedBudgetInHoursNotEnoughForAdvancedTraining", "Advanced training needs a budget"
            )
        chosen = [tag.lower() for tag in body.get("selectedTags") or project.tags]
        if not project.tags.keys() >= set(chosen):
            raise Refused(400, "BadRequestInvalidIds", "A selected tag is not one of the project")
        check_trainable(project, chosen)
        revision = (project.changes, kind, budget, tuple(sorted(chosen)))
        last = [each for each in project.iterations.values() if each.status == "Completed"][-1:]
        if last and last[0].revision == revision and not query.get("forceTrain"):
            raise Refused(400, "BadRequestTrainingNotNeeded", "Nothing changed since last training")
        project.trainings += 1
        now = self._now()
        iteration = Iteration(
            str(uuid.uuid4()), f"Iteration {project.trainings}", now, now, revision,
            tags=[project.tags[tag] for tag in chosen],
            photo_ids=frozenset(each.id for each in project.photos.values() if each.tag_ids & set(chosen)),
            domain=project.domain,
            classification=project.classification,
            training_type=kind,
            budget=budget,
            polls=self.training_polls + 1,
            ends_as=self.training_ends_as,
        )  # fmt: skip
        project.iterations[iteration.id] = iteration
        return iteration_json(project, iteration, self.prediction_resource_id)

    def _iteration_of(self, project: Project, id_: str) -> Iteration:
        if id_ not in project.iterations:
            raise Refused(404, "NotFoundIteration", "Invalid iteration")
        return project.iterations[id_]

    def _asked_iteration(self, call: Call, *, trained: bool = False) -> tuple[Project, Iteration]:
        project = self._its(call)
        iteration = self._iteration_of(project, call.path["iterationId"])
        if trained and iteration.status != "Completed":
            raise Refused(400, "BadRequestIterationIsNotTrained", f"{iteration.name} is {iteration.status}")
        return project, iteration

    def _look(self, project: Project, iteration: Iteration) -> Any:
        """Each look at an iteration brings its training nearer to the end."""
        if iteration.polls > 0:
            iteration.polls -= 1
            if iteration.polls == 0:
                iteration.modified = self._now()
                iteration.trained_at = iteration.modified if iteration.ends_as == "Completed" else None
        return iteration_json(project, iteration, self.prediction_resource_id)

    def _get_iterations(self, call: Call) -> Any:
        project = self._its(call)
        return [self._look(project, each) for each in sorted(project.iterations.values(), key=lambda each: each.id)]

    def _get_iteration(self, call: Call) -> Any:
        return self._look(*self._asked_iteration(call))

    def _update_iteration(self, call: Call) -> Any:
        project, iteration = self._asked_iteration(call)
        if any(each.name == call.body["name"] for each in project.iterations.values() if each is not iteration):
            raise Refused(400, "BadRequestIterationNameNotUnique", "There is an iteration of this name")
        iteration.name, iteration.modified = call.body["name"], self._now()
        return iteration_json(project, iteration, self.prediction_resource_id)

    def _delete_iteration(self, call: Call) -> Any:
        project, iteration = self._asked_iteration(call)
        if iteration.publish_name:
            raise Refused(400, "BadRequestIterationIsPublished", "Unpublish the iteration first")
        if iteration.status == "Training":
            raise Refused(400, "BadRequestTrainingAlreadyInProgress", "Training cannot be cancelled")
        del project.iterations[iteration.id]
        return Reply(204)

    def _get_iteration_performance(self, call: Call) -> Any:
        _, iteration = self._asked_iteration(call, trained=True)
        if not 0 <= call.query.get("threshold", 0.5) <= 1:
            raise Misasked(400, "BadRequest", "threshold is not between 0 and 1")
        # Unlike each other and always the same, as measured ones would be.
        share = {tag.id: uuid.UUID(tag.id).int % 1000 / 10_000 for tag in iteration.tags}
        per_tag = [
            {"id": tag.id, "name": tag.name, **measures(0.9 + share[tag.id], 0.85 + share[tag.id])}
            for tag in sorted(iteration.tags, key=lambda each: each.id)
        ]
        mean = sum(share.values()) / len(share)
        return {"perTagPerformance": per_tag, **measures(0.9 + mean, 0.85 + mean)}

    # Publishing and exporting

    def published(self, project_id: str, name: str) -> tuple[Project, Iteration]:
        """What the prediction resource serves under this name. Raises Refused."""
        project = self.projects.get(project_id.lower())
        if project is None:
            raise Refused(404, "NotFoundProject", "Invalid project")
        for iteration in project.iterations.values():
            if iteration.publish_name == name:
                return project, self.still_answers or iteration
        raise Refused(404, "NotFoundIteration", "Invalid iteration")

    def _publish_iteration(self, call: Call) -> Any:
        project, iteration = self._asked_iteration(call, trained=True)
        name, overwrite = call.query["publishName"], call.query.get("overwrite", False)
        if call.query["predictionId"].casefold() != self.prediction_resource_id.casefold():
            raise Refused(400, "BadRequestInvalidPublishTarget", "Invalid prediction resource id")
        again = iteration.publish_name == name and not self.refuses_republishing
        if iteration.publish_name and not overwrite and not again:
            raise Refused(400, "BadRequestIterationIsPublished", f"It is published as {iteration.publish_name!r}")
        holder = next((each for each in project.iterations.values() if each.publish_name == name), iteration)
        if holder is not iteration and not overwrite:
            raise Refused(400, "BadRequestInvalidPublishName", f"{holder.name} is published as {name!r}")
        holder.publish_name = None
        iteration.publish_name = name
        return True

    def _unpublish_iteration(self, call: Call) -> Any:
        _, iteration = self._asked_iteration(call)
        if not iteration.publish_name:
            raise Refused(400, "BadRequestIterationNotPublished", f"{iteration.name} is not published")
        iteration.publish_name = None
        return Reply(204)

    def _export_iteration(self, call: Call) -> Any:
        _, iteration = self._asked_iteration(call)
        if iteration.status == "Training":
            raise Refused(400, "BadRequestExportWhileTraining", f"{iteration.name} is being trained")
        self._asked_iteration(call, trained=True)
        platform, flavor = call.query["platform"], call.query.get("flavor")
        if not iteration.domain.exportable or flavor not in FLAVORS.get(platform, (None,)):
            message = f"{iteration.domain.name} is not exported to {platform} {flavor}"
            raise Refused(400, "BadRequestExportValidationFailed", message)
        if (platform, flavor) in iteration.exports:
            raise Refused(400, "BadRequestExportAlreadyInProgress", f"{iteration.id} is already queued for export")
        export = Export(platform, flavor, self.export_polls + 1, self.export_ends_as)
        iteration.exports[platform, flavor] = export
        return self._export(iteration, export)

    def _get_exports(self, call: Call) -> Any:
        _, iteration = self._asked_iteration(call)
        for export in iteration.exports.values():
            export.polls = max(0, export.polls - 1)
        return [self._export(iteration, export) for export in iteration.exports.values()]

    def _export(self, iteration: Iteration, export: Export) -> dict[str, Any]:
        path = f"exports/{iteration.id}/{quote(f'{export.platform}.{export.flavor}')}.zip"
        done = export.status == "Done"
        return {
            "platform": export.platform,
            "status": export.status,
            "downloadUri": self._blob(path, lambda: self._exported(iteration, export)) if done else None,
            "flavor": export.flavor,
            "newerVersionAvailable": False,
        }

    def _exported(self, iteration: Iteration, export: Export) -> tuple[str, bytes]:
        """The file behind a link: its type and contents."""
        raise NotImplementedError
