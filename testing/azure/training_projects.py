"""The training service without the wire: projects and tags.

What is unknown about the real service is marked "unknown"; there the stricter guess is taken.
"""

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from testing.azure.replies import timestamp
from testing.azure.training_api import Call, Refused
from testing.azure.training_records import (
    DOMAINS,
    GENERAL,
    TIERS,
    Iteration,
    Outcome,
    Project,
    Tag,
    Tier,
    classifier,
    domain_json,
    project_json,
    tag_json,
)
from testing.http_replies import Reply


class ProjectOperations:
    """Projects and tags; each operation is the method of its name. Subclasses bring the others, and ``endpoint``."""

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

    def _iteration_of(self, project: Project, id_: str) -> Iteration:
        if id_ not in project.iterations:
            raise Refused(404, "NotFoundIteration", "Invalid iteration")
        return project.iterations[id_]
