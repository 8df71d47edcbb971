"""The steps of ``triof setup``: each asks, tests the part, and returns the settings to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from triof.cli.installation.questions import Questions
from triof.installation import part_tests
from triof.installation.first_run import FirstRun
from triof.installation.settings_files import write_variables
from triof.settings.sections.machine.camera import CameraSettings
from triof.settings.sections.machine.slot import KINDS
from triof.settings.tree import Language, Settings

_CLOUD = {
    "endpoint": ("custom_vision.prediction_endpoint", "Endpoint of the prediction resource"),
    "project_id": ("custom_vision.project_id", "Id of the project"),
    "published_name": ("custom_vision.published_name", "Name of the published iteration"),
}
Values = Mapping[str, str]


@dataclass
class Setup:
    """One call of the command; ``flags`` are those that were given, by the names of their parameters."""

    run: FirstRun
    questions: Questions
    flags: dict[str, Any]
    tests: bool

    @property
    def settings(self) -> Settings:
        """The settings as they hold now."""
        return self.run.loaded.settings

    def text(self, name: str, question: str, default: str | None) -> str:
        """Return the flag ``name``, else the person's answer."""
        given = self.flags.pop(name, None)
        return str(given) if given is not None else self.questions.text(question, _option(name), default or "")

    def choice(self, name: str, question: str, choices: tuple[str, ...], default: str) -> str:
        """Return the flag ``name``, else the person's choice."""
        given = self.flags.pop(name, None)
        return str(given) if given else self.questions.choice(question, _option(name), choices, default)

    def secret(self, name: str, question: str, *, twice: bool = False) -> str:
        """Return the first line of the file of the flag ``name``, else what is typed unseen."""
        if path := self.flags.pop(name, None):
            with click.open_file(str(path), encoding="utf-8-sig", errors="replace") as file:
                return str(file.readline()).rstrip("\r\n")
        return self.questions.secret(question, _option(name), twice=twice)

    def tried(self, values: Values) -> Settings:
        """Return the settings with the values. Raises SettingsError."""
        return self.run.tried(values).settings


def _language(setup: Setup) -> Values:
    return {
        "language": setup.choice("language", "Language of the touchscreen", get_args(Language), setup.settings.language)
    }


def _names(setup: Setup) -> Values:
    held = setup.settings
    name = setup.text("name", "Name of the machine", held.machine.name)
    place = setup.text("place", "Where it stands", held.machine.place)
    tenant = setup.text("tenant", "Company where it stands (empty: none)", held.tenant.name)
    values = {"machine.name": name, "machine.place": place, "tenant.name": tenant}
    return {path: value for path, value in values.items() if value}


def _camera(setup: Setup) -> Values:
    kinds = get_args(CameraSettings.model_fields["kind"].annotation)
    kind = setup.choice("camera", "Camera", kinds, setup.settings.camera.kind)
    values, secrets = _CAMERAS[kind](setup) if kind in _CAMERAS else ({}, {})
    values["camera.kind"] = kind
    if ignored := [name for name in _CAMERA_FLAGS if name in setup.flags]:
        raise click.UsageError(f"{_option(ignored[0])} does not belong to --camera {kind}.")
    found = setup.tried({**values, **secrets})
    if setup.tests:
        _say(part_tests.look(found))
    _keep_private(found, secrets)
    return values


def _folder(setup: Setup) -> tuple[dict[str, str], Values]:
    held = setup.settings.camera.folder
    chosen = Path(setup.text("camera_folder", "Folder of its pictures", str(held))).expanduser().absolute()
    # The demo's pictures are left to the settings, as an update may bring them to another place.
    return {"camera.folder": str(chosen)} if chosen != held.absolute() else {}, {}


def _webcam(setup: Setup) -> tuple[dict[str, str], Values]:
    from triof.machine.cameras.webcam import names_of_webcams

    if names := names_of_webcams():
        _say(f"here: {', '.join(names)}")
    question = "Number, path or name in /dev/v4l/by-id"
    return {"camera.webcam.device": setup.text("camera_device", question, setup.settings.camera.webcam.device)}, {}


def _ip_camera(setup: Setup) -> tuple[dict[str, str], Values]:
    """Ask for address and login; a held secret is neither shown nor asked for again."""
    held = setup.settings.camera.http
    asked = "Its address (empty: as it is)" if held.url else "Its address, such as http://192.168.1.20/snapshot.jpg"
    secrets = {"camera.http.url": setup.text("camera_url", asked, None)}
    user = setup.text("camera_user", "User of its login (empty: none)", held.user)
    if user and ("camera_password_file" in setup.flags or user != held.user or not held.password):
        secrets["camera.http.password"] = setup.secret("camera_password_file", "Password of its login")
    return {"camera.http.user": user} if user else {}, {path: value for path, value in secrets.items() if value}


_CAMERAS = {"folder": _folder, "webcam": _webcam, "http": _ip_camera}
_CAMERA_FLAGS = ("camera_folder", "camera_device", "camera_url", "camera_user", "camera_password_file")


def _hardware(setup: Setup) -> Values:
    question = f"Motors and sensors ({', '.join(KINDS)}, or module:Class)"
    values = {"slot.kind": setup.text("hardware", question, setup.settings.slot.kind)}
    found = setup.tried(values)
    if values["slot.kind"] == "gpiozero":
        _say(f"its pins (BCM numbers), each a line below [slot.gpiozero] of {setup.run.file}:")
        for name, pin in found.slot.gpiozero.pins().items():
            _say(f"  {name} = {pin}")

    def may_move() -> bool:
        # Only simulated parts hurt no hand.
        is_harmless = values["slot.kind"] == "simulated" or bool(setup.flags.get("move"))
        return is_harmless or setup.questions.is_confirmed("The slot will open and close. Is it free?")

    if setup.tests:
        _say(part_tests.move(found, may_move))
    return values


def _judging(setup: Setup) -> Values:
    held = setup.settings
    now = "local" if held.mode == "local" or not held.custom_vision.is_set else "cloud"
    if (
        setup.choice("judging", "Who judges: this machine alone, or the cloud first", ("local", "cloud"), now)
        == "local"
    ):
        return {"mode": "local"}
    values = {"mode": "auto"}
    for name, (path, question) in _CLOUD.items():
        values[path] = setup.text(name, question, getattr(held.custom_vision, path.partition(".")[2]))
    has_key = held.custom_vision.prediction_key or held.custom_vision.prediction_key_file
    key = (
        "" if has_key and "key_file" not in setup.flags else setup.secret("key_file", "Key of the prediction resource")
    )
    secrets = {"custom_vision.prediction_key": key} if key else {}
    found = setup.tried({**values, **secrets})
    _keep_private(found, secrets)
    if setup.tests:
        _say(part_tests.reach_cloud(found))
    return values


def _login(setup: Setup) -> Values:
    from triof.access.users import Users
    from triof.storage import data_folder

    if setup.flags.get("no_login"):
        return {}
    with data_folder.database(setup.settings) as database:
        users = Users(database)
        technicians = [user.name for user in users.all() if user.may_act]
        if technicians and not setup.flags.get("login"):
            _say(f"{', '.join(technicians)} may log in already")
            return {}
        name = setup.text("login", "Name for the technician's login (empty: none)", None)
        if not name:
            _say("none: `triof users create NAME --role technician` makes one later")
            return {}
        user = users.create(name, "technician", setup.secret("password_file", "Password", twice=True))
    _say(f"{user.name} may log in at /dashboard")
    return {}


STEPS: Mapping[str, tuple[Callable[[Setup], Values], tuple[str, ...]]] = {
    "language": (_language, ("language",)),
    "name": (_names, ("name", "place", "tenant")),
    "camera": (_camera, ("camera", *_CAMERA_FLAGS)),
    "hardware": (_hardware, ("hardware",)),
    "judging": (_judging, ("judging", *_CLOUD, "key_file")),
    "login": (_login, ("login", "password_file")),
}
"""Each step, and the flags that answer it: one of them has a step done again."""


def _keep_private(found: Settings, secrets: Values) -> None:
    """Write secrets, by the paths of their settings, to a file that only the machine's user can read."""
    if secrets:
        variables = {f"TRIOF_{path.upper().replace('.', '__')}": value for path, value in secrets.items()}
        write_variables(found.home / ".env", variables)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _say(sentence: str) -> None:
    click.echo(f"  {sentence}")
