"""``triof classify``: judge photos."""

import json
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from providers.base import TASKS, Prediction
from providers.text_files import decoded
from triof import services
from triof.cli import load_settings, tell
from triof.common.file_finder import FileFinder
from triof.common.image_files import look_in
from triof.judging import photo
from triof.judging.cloud_providers import left_out
from triof.judging.photo import PhotoError
from triof.judging.router import fallen_back
from triof.judging.sorter import Judgement, Sorter
from triof.settings.sections.photo import PhotoLimits

_TURNS = 20
"""Attempts to get a slot from our own rate limiter, which other processes share."""
_LONGEST_WAIT = 5.0
"""Longest Retry-After, in seconds, after which a photo is sent once more."""
_REASONS = {
    "sure": "",
    "unsure_type": "not sure of the type",
    "unsure_cleanliness": "not sure that it is clean",
    "type_not_answered": "no answer on the type",
    "cleanliness_not_answered": "no answer on the cleanliness",
    "unfamiliar": "like nothing it has learned",
    "nothing_seen": "nothing to be seen",
    "reaches_out": "a part of it is outside of the picture",
    "other": "not plastic we can use",
    "dirty": "not clean",
}


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--mode", type=click.Choice(["auto", "cloud", "local"]), help="Overrule the mode of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in the order of the input.")
@click.pass_context
def classify(ctx: click.Context, paths: tuple[str, ...], mode: str | None, as_json: bool) -> None:
    """Print what each photo shows and what the machine would do.

    PATHS are files and folders (recursive); - reads a list of them from standard input. Exits 1 if any photo failed;
    with --mode cloud, a fall-back counts as a failure.
    """
    settings = load_settings(ctx, mode=mode).settings
    if mode == "cloud" and (missing := left_out(settings)):
        raise click.UsageError(f"There is no cloud to ask: {'; '.join(missing.values())}.")
    # --mode overrides the machine's switch.
    sorter = services.build_sorter(settings, (lambda: settings.mode) if mode else None)
    sorter.router.prepare()
    failed = False
    empty: list[str] = []
    for answer in sorter.map(lambda path: _judge(sorter, path, settings.photo), _files(paths, empty)):
        failed |= "error" in answer
        click.echo(json.dumps(answer) if as_json else _line(answer))
    for source in empty:
        click.echo(f"No photo was found in {source}: name a file, or a folder that holds some.", err=True)
    ctx.exit(1 if failed or empty else 0)


def _files(paths: Iterable[str], empty: list[str]) -> Iterator[str]:
    """Yield the files to judge; paths without a photo are added to ``empty``."""
    for path in paths:
        if path == "-":
            listed = _listed(sys.stdin.buffer.read())
            empty += [] if listed else ["the list on standard input"]
            yield from _files(listed, empty)
        elif _is_folder(path):
            found = look_in(Path(path))
            tell([found.remark])
            empty += [] if found.pictures else [path]
            yield from map(str, found.pictures)
        else:
            yield path


def _listed(content: bytes) -> list[str]:
    """Return the paths of a list, one a line, which may come from another system."""
    finder = FileFinder(Path())
    # Windows copies a path in quotes.
    lines = [re.sub(r'^"(.+)"$', r"\1", line.strip()) for line in decoded(content, legacy=True).split("\n")]
    return [_meant(line, finder) for line in lines if line and line != "-"]


def _meant(line: str, finder: FileFinder) -> str:
    """Return the path of the file that a line names; the line itself if it is a path, or names no file."""
    found = finder.find(line)
    return line if not found or found == Path(line) else str(found)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # the error is reported when it is read
        return False


def _judge(sorter: Sorter, path: str, limits: PhotoLimits) -> dict[str, Any]:
    try:
        judgement = _in_turn(sorter, _read(Path(path), limits))
    except FileNotFoundError:
        return _error(path, "not_found", "There is no such file: check the path.")
    except OSError as error:
        return _error(path, "unreadable", f"The file cannot be read ({error.strerror}): check its permissions.")
    except ValueError as error:
        return _error(path, "not_found", f"There can be no such file ({error}): check the path.")
    except PhotoError as error:
        return _error(path, error.code, str(error))
    for unanswered in judgement.unanswered.values():
        return _error(path, "no_provider_answered", str(unanswered))
    if judgement.mode == "cloud" and (cause := fallen_back(judgement.predictions["waste_type"])):
        return _error(path, "fell_back", f"The cloud did not answer: {cause.message}")
    return _answer(path, judgement)


def _in_turn(sorter: Sorter, image: bytes) -> Judgement:
    """Judge within our rate limit; after a 429, once more after the vendor's delay.

    After that the local prediction is used.
    """
    asked_again = False
    for _ in range(_TURNS):
        wait = sorter.router.rate_wait()
        time.sleep(0.0 if wait.by_vendor else wait.seconds)
        judgement = sorter.judge(image)
        causes = [fallen_back(prediction) for prediction in judgement.predictions.values()]
        if not any(cause and cause.outcome == "RateLimited" for cause in causes):
            break
        wait = sorter.router.rate_wait()
        if wait.by_vendor:
            if asked_again or wait.seconds > _LONGEST_WAIT:
                break
            asked_again = True
            time.sleep(wait.seconds)
    return judgement


def _read(path: Path, limits: PhotoLimits) -> bytes:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise PhotoError("not_a_photo", "This is no regular file: name a photo, or a folder of photos.")
    photo.check_length(found.st_size, limits)
    return path.read_bytes()


def _error(path: str, code: str, message: str) -> dict[str, Any]:
    return {"path": path, "error": {"code": code, "message": message}}


def _answer(path: str, judgement: Judgement) -> dict[str, Any]:
    verdict = judgement.verdict
    return {
        "path": path,
        **{task: _prediction(judgement.predictions[task]) for task in TASKS},
        "verdict": {"action": verdict.action, "label": verdict.label, "reason": verdict.reason},
        "duration_ms": round(judgement.duration * 1000, 2),
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "label": prediction.label,
        "probability": prediction.probability,
        "scores": dict(prediction.scores),
        "provider": prediction.provider,
        "model_version": prediction.model_version,
    }


def _line(answer: dict[str, Any]) -> str:
    if error := answer.get("error"):
        return click.style(f"error   {answer['path']}: {error['message']}", fg="red")
    seen = ", ".join(f"{answer[task]['label']} {answer[task]['probability']:.1%}" for task in TASKS)
    why = _REASONS[answer["verdict"]["reason"]]
    who = answer["waste_type"]["provider"]
    return f"{answer['verdict']['action']:<7} {answer['path']}: {seen} ({who}){' - ' + why if why else ''}"
