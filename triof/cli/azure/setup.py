"""``triof azure setup``: create the project and its tags."""

import click

from providers.base import LABELS, ProviderMisconfigured
from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.records import Project
from providers.text_files import plain
from triof.cli.azure.session import Session, keep, project_errors, session

_NEGATIVE = "Negative"


@click.command()
@click.option("--name", default="triof", show_default=True, help="Of a project that is made or found by its name.")
@click.pass_context
def setup(ctx: click.Context, name: str) -> None:
    """Create the project and its tags where they are missing, and store the project's id in the settings.

    May be run again at any time: it only adds.
    """
    with session(ctx) as opened:
        project = _project(opened, name)
        if fault := project_errors(project):
            raise ProviderMisconfigured(
                f"The project {project.name!r} is of no use here: {fault}. Make another one with --name, and unset"
                " custom_vision.project_id."
            )
        opened.say(f"project {project.name} ({project.id})")
        _add_tags(opened, project)
        keep(opened, project_id=project.id)


def _project(opened: Session, name: str) -> Project:
    """Return the project of the settings, else the one of that name, else a new one."""
    trainer = opened.trainer
    if opened.settings.custom_vision.project_id:
        return trainer.project()
    projects = trainer.projects()
    named = [project for project in projects if project.name == name]
    if len(named) > 1:
        ids = ", ".join(project.id for project in named)
        raise ProviderMisconfigured(
            f"Several projects are called {name!r}: set custom_vision.project_id to one of {ids}."
        )
    if named:
        return named[0]
    if len(projects) >= trainer.tier.projects:
        raise ProviderMisconfigured(
            f"{opened.settings.custom_vision.training_tier} takes {trainer.tier.projects} projects, and there are"
            f" {', '.join(project.name for project in projects)}: remove one in the portal, or use it with --name."
        )
    return trainer.create_project(name)


def _add_tags(opened: Session, project: Project) -> None:
    there = {plain(tag.name) for tag in opened.trainer.tags(project.id)}
    for name, negative in _wanted(opened.settings.custom_vision):
        if plain(name) in there:
            opened.say(f"  tag {name}: is there")
        else:
            opened.trainer.create_tag(project.id, name, negative=negative)
            opened.say(f"  tag {name}: made{' (what does not belong in the machine)' if negative else ''}")


def _wanted(options: CustomVisionOptions) -> list[tuple[str, bool]]:
    """Return the tags that the settings map to a waste type, each with whether it is the Negative tag."""
    tags = [tag for tag, label in options.tags.items() if label in LABELS["waste_type"]]
    return [(_NEGATIVE, True) if tag == _NEGATIVE.casefold() else (tag, False) for tag in tags]
