"""Azure Custom Vision's training service without the wire: training, publishing and exporting.

What is unknown about the real service is marked "unknown"; there the stricter guess is taken.
"""

import uuid
from typing import Any
from urllib.parse import quote

from testing.azure.training_api import Call, Misasked, Refused
from testing.azure.training_photos import PhotoOperations
from testing.azure.training_records import (
    FLAVORS,
    Export,
    Iteration,
    Project,
    check_trainable,
    iteration_json,
    measures,
)
from testing.http_replies import Reply


class TrainingService(PhotoOperations):
    """The whole service; the subclass brings the wire, the lock and ``endpoint``."""

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
