"""``triof reference``: take, show and forget the reference picture of the empty slot."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from triof.cli import load_settings
from triof.common.atomic_files import keep_state
from triof.common.errors import TriofError
from triof.deposits import slot_watch
from triof.deposits.lamp import lamp_on
from triof.judging import photo
from triof.machine.cameras.registry import build_camera
from triof.machine.hardware.registry import build_hardware
from triof.machine.reference_store import ReferenceStore, SlotReference
from triof.machine.slot import Slot, SlotError
from triof.settings.tree import Settings
from triof.storage import data_folder

_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.2


@click.group()
def reference() -> None:
    """The reference picture of the empty slot."""


@reference.command()
@click.option(
    "--picture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A picture of the empty slot by the same camera, instead of one taken now.",
)
@click.pass_context
def take(ctx: click.Context, picture: Path | None) -> None:
    """Take the reference picture of the empty, closed slot, also in a running kiosk."""
    settings = load_settings(ctx).settings
    data_folder.make(settings)
    store = ReferenceStore(settings.home, settings.camera)
    if picture:
        shown = photo.load(picture.read_bytes(), settings.photo)
        _tell(store.save(shown.picture, shown.width, shown.height))
        return
    _tell(_taken(settings, store))


@reference.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture to this file, a PNG.")
@click.pass_context
def show(ctx: click.Context, out: Path | None) -> None:
    """Show when the reference was taken; exit 1 if there is none."""
    settings = load_settings(ctx).settings
    found = ReferenceStore(settings.home, settings.camera).current()
    if not found:
        raise TriofError("There is no reference of this camera: empty the slot, then `triof reference take`.")
    _tell(found[0], len(found))
    if out:
        found[0].picture.save(out, "PNG")


@reference.command()
@click.pass_context
def forget(ctx: click.Context) -> None:
    """Remove the reference, so that whole pictures are judged; the machine may learn a new one."""
    settings = load_settings(ctx).settings
    was_there = ReferenceStore(settings.home, settings.camera).forget()
    click.echo("The reference is removed." if was_there else "There was no reference.")


def _taken(settings: Settings, store: ReferenceStore) -> SlotReference:
    """Return the reference that this process took, or the running kiosk, which alone can use the camera."""
    slot_watch.check_kind(settings.camera.kind)
    try:
        lock = data_folder.take_machine(settings)
    except data_folder.MachineTaken:
        return _requested(settings, store)
    try:
        camera = build_camera(settings.camera)
        try:
            with _lit(settings):
                return slot_watch.take(camera, store, settings.photo)
        finally:
            camera.close()
    finally:
        lock.release()


@contextmanager
def _lit(settings: Settings) -> Iterator[None]:
    """Light the slot, as for the photos that the reference is compared with."""
    slot = Slot(build_hardware(settings))
    try:
        with lamp_on(slot):
            yield
    finally:
        with suppress(SlotError):
            slot.release()


def _requested(settings: Settings, store: ReferenceStore) -> SlotReference:
    request = settings.home / slot_watch.REQUEST_FILE
    before = store.current()
    keep_state(request, b"")
    try:
        until = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
            if not request.exists() and (found := store.current()) and found != before:
                return found[0]
    finally:
        request.unlink(missing_ok=True)
    raise TriofError(
        f"The running kiosk has not taken the picture within {_WAIT_SECONDS:g} s: end the deposit under way, close the"
        " slot, and try again. If its camera failed, `triof doctor` and its log say why."
    )


def _tell(found: SlotReference, of: int = 1) -> None:
    when = f"{found.taken_at:%Y-%m-%d %H:%M} UTC" if found.taken_at else "shipped with the demo"
    more = f", one of {of}" if of > 1 else ""
    click.echo(f"reference of the empty slot: {found.width} x {found.height}, {when}{more}")
