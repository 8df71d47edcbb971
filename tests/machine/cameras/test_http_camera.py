"""An IP camera that drips, stalls, breaks off and refuses; and what is told of it, without its login."""

import logging
from collections.abc import Callable, Iterator
from traceback import format_exception
from typing import Any

import pytest
from pydantic import ValidationError

from testing.ip_camera import Behaviour, IpCamera
from tests.support.camera_contract import shortly
from triof.machine.cameras.base import CameraError
from triof.machine.cameras.http import HttpCamera
from triof.settings.loader import load
from triof.settings.sections.machine.camera import CameraSettings

pytestmark = pytest.mark.slow

PATHS = ("/snapshot.jpg", "/video", "/bare")
SECRETS = ("s3cret", "marie", "t0ken", "secret-path", "bWFyaWU6czNjcmV0")

Build = Callable[..., HttpCamera]


@pytest.fixture
def device() -> Iterator[IpCamera]:
    with IpCamera() as camera:
        yield camera


@pytest.fixture
def build(device: IpCamera) -> Iterator[Build]:
    cameras: list[HttpCamera] = []

    def build(url: str, **changes: Any) -> HttpCamera:
        http = {"url": url, "timeout_seconds": 0.3, **changes}
        cameras.append(HttpCamera(CameraSettings.model_validate({"kind": "http", "http": http}), pause=shortly))
        return cameras[-1]

    yield build
    device.unplug()
    for camera in cameras:
        camera.close()


REFUSED: dict[Behaviour, str] = {
    "login": r"refuses the login \(401\).*camera\.http\.user",
    "missing": r"has no such address \(404\).*camera\.http\.url",
    "error": r"answers with an error \(500\)",
    "redirect": r"sends elsewhere \(302, to elsewhere\.example\)",
    "stalls": r"has not answered within 0\.3 s",
    "drips": r"takes more than 0\.3 s for a picture",
    "breaks_off": r"broke off|ended its stream|cannot be reached",
    "half": r"broken pictures",
    "garbage": r"broken pictures",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("behaviour", REFUSED)
def test_what_is_wrong_is_told_and_is_over_with_its_cause(
    device: IpCamera, build: Build, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, path: str
) -> None:
    caplog.set_level(logging.INFO)
    device.behaviour = behaviour
    camera = build(device.url(f"{path}?key=t0ken", "marie:wrong-s3cret"))
    with pytest.raises(CameraError, match=REFUSED[behaviour]) as lost:
        camera.ping()
    assert lost.value.code == "C1"
    told = "".join([*format_exception(lost.value), caplog.text])
    assert not [secret for secret in SECRETS if secret in told]
    device.behaviour = "well"
    # A connection that still drips may have to run into its time first.
    for _ in range(3):
        try:
            assert camera.take(None)
            break
        except CameraError:
            continue
    else:
        raise AssertionError("it does not come back")
    camera.ping()


def test_a_page_instead_of_a_picture_says_what_came(device: IpCamera, build: Build) -> None:
    device.behaviour = "page"
    with pytest.raises(CameraError, match=r"sends text/html instead of a JPEG"):
        build(device.url()).ping()


@pytest.mark.parametrize("login", ["basic", "digest"])
def test_a_login_is_sent_from_the_settings_or_the_address(device: IpCamera, build: Build, login: Any) -> None:
    device.behaviour = "digest" if login == "digest" else "login"
    for path in PATHS:
        assert build(device.url(path), user="marie", password="s3cret", login=login).take(None)
        assert build(device.url(path, "marie:s3cret"), login=login).take(None)
    assert {told.partition(" ")[0].lower() for told in device.logins} == {login}


def test_a_login_of_the_environment_is_not_sent(
    device: IpCamera, build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login marie password s3cret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert build(device.url()).take(None)
    assert device.logins == []


def test_an_idle_snapshot_camera_is_asked_once_a_second(device: IpCamera, build: Build) -> None:
    camera = build(device.url())
    camera.take(None)
    asked = len(device.history)
    camera.preview()
    assert len(device.history) <= asked + 1


def test_the_settings_want_an_address_and_never_show_it() -> None:
    for http in ({}, {"url": ""}, {"url": "ftp://camera/x"}, {"url": "camera"}):
        with pytest.raises(ValidationError, match=r"camera\.http\.url|camera's address"):
            CameraSettings.model_validate({"kind": "http", "http": http})
    settings = load({"camera.kind": "http", "camera.http.url": "http://a:s3cret@cam/t0ken"}).settings
    assert "s3cret" not in repr(settings)
    assert "t0ken" not in repr(settings)
