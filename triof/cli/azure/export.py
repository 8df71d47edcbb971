"""``triof azure export``: download a model for use without the cloud."""

import re
from pathlib import Path

import click

from triof.azure.downloads import check_export
from triof.cli.azure.session import check_trained, session
from triof.cli.bundles.activate import put_into_service
from triof.cli.bundles.install import show
from triof.cli.shared.actor import user
from triof.rollout import installation


@click.command()
@click.argument("iteration", metavar="ITERATION")
@click.option("--out", type=click.Path(path_type=Path), help="The zip; default: <project>-<iteration>.zip here.")
@click.option("--install", is_flag=True, help="Try it on reference photos and install it as a local bundle.")
@click.option("--activate", is_flag=True, help="With --install: let the machine answer with it from now on.")
@click.pass_context
def export(ctx: click.Context, iteration: str, out: Path | None, *, install: bool, activate: bool) -> None:
    """Export ITERATION (a name, the beginning of an id, or latest) for TensorFlow Lite, and download it."""
    if activate and not install:
        raise click.UsageError("--activate belongs to --install.")
    if out and out.exists() and not out.is_file():
        raise click.BadParameter(f"{out} is no file, and is not replaced: name another one.", param_hint="--out")
    with session(ctx) as opened:
        chosen = opened.trainer.find_iteration(iteration)
        check_trained(chosen)
        out = out or Path(f"{_file_name(opened.trainer.project().name)}-{chosen.id[:8]}.zip")
        out.parent.mkdir(parents=True, exist_ok=True)
        with opened.console.status("Exporting") as shown:
            opened.trainer.export(chosen, out, check_export, on_look=shown.update)
        opened.say(f"{chosen.name} is in {out}.")
        if not install:
            opened.say(f"To let this machine answer with it: `triof bundles install {out} --activate`")
            return
        installed = installation.install(out, opened.settings, user())
        show(installed)
        if activate:
            put_into_service(opened.settings, f"{installed.card.task}/{installed.card.version}", comment="exported")
        else:
            opened.say(f"To let this machine answer with it: `triof bundles activate {installed.card.version}`")


def _file_name(project: str) -> str:
    """Return a file name for a project, whose name may contain slashes."""
    return re.sub(r"[^\w.-]+", "-", project).strip("-.") or "model"
