"""Checks of the camera and the slot."""

from triof.common.image_files import look_in
from triof.machine.cameras.base import (
    UNWATCHED,
    BlackPicture,
    BlurredPicture,
    CameraError,
    CoveredCamera,
    FrozenPicture,
    OverexposedPicture,
    PoorPicture,
)
from triof.machine.reference_store import ReferenceStore
from triof.machine.slot import SlotError
from triof.monitoring.event_reader import latest_first
from triof.observability.health_checks.check import (
    AlertStep,
    CheckedParts,
    CheckResult,
    faulty,
    health_check,
    ok,
    warning,
)
from triof.statistics.boxes import NEARLY_FULL
from triof.statistics.queries import Statistics
from triof.storage import data_folder


@health_check(needed=True, alert="camera")
def camera(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera can take a picture."""
    if not parts.camera:
        return None
    if _is_taken(parts):
        return ok(f"{parts.settings.camera.kind}, which the running kiosk uses and checks: see its /readyz")
    found = parts.camera()
    try:
        found.ping()
    except (FrozenPicture, PoorPicture):
        return ok(found.kind)  # it gives pictures: the checks below tell what is wrong with them
    except CameraError as error:
        return faulty(error)
    if found.kind != "folder":
        return ok(found.kind)
    folder = parts.settings.camera.folder
    if remark := look_in(folder).remark:
        return warning(remark, alert="clear")
    return ok(f"{found.kind} {folder}")


@health_check(needed=True, alert="camera_frozen")
def camera_frozen(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera does not repeat one picture."""
    return _picture(parts, FrozenPicture)


@health_check(alert="camera_black")
def camera_black(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera's pictures are not black."""
    return _picture(parts, BlackPicture)


@health_check(alert="camera_overexposed")
def camera_overexposed(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera's pictures are not white."""
    return _picture(parts, OverexposedPicture)


@health_check(alert="camera_blurred")
def camera_blurred(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera's pictures are in focus."""
    return _picture(parts, BlurredPicture)


@health_check(alert="camera_covered")
def camera_covered(parts: CheckedParts) -> CheckResult | None:
    """Check that nothing covers the camera."""
    return _picture(parts, CoveredCamera)


@health_check(alert="slot_view")
def slot_view(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera's pictures match the reference of the empty slot."""
    if not (parts.camera and parts.settings.slot_view.enabled):
        return None
    watch = parts.slot_watch
    if watch and (change := watch.change()):
        moved = f"the camera has moved by {100 * change.shift:.0f} % of the picture"
        why = moved if change.shift >= 0.01 else "the camera has moved, its lens is dirty or the lamp is off"
        return warning(
            f"{100 * (1 - change.matching):.0f} % of the picture's border no longer match the empty slot: {why}.",
            "Put the camera back and clean its lens, or take a new reference: `triof reference take`.",
            value=1 - change.matching,
        )
    # Before the first photo nothing is known, so that an alert of before the start stays open.
    alert: AlertStep = "keep" if watch and not watch.has_compared else "clear"
    references = ReferenceStore(parts.settings.home, parts.settings.camera).current()
    if not references:
        return ok("no reference of the empty slot, so that whole pictures are judged: `triof reference take`", alert)
    taken_at = references[0].taken_at
    return ok(f"reference of {taken_at:%Y-%m-%d %H:%M} UTC" if taken_at else f"{len(references)} of the demo", alert)


@health_check(needed=True, alert="jammed")
def slot(parts: CheckedParts) -> CheckResult | None:
    """Check for a jammed part, and that the latest deposit was finished."""
    unfinished = _unfinished(parts)
    if not parts.slot:
        return unfinished
    found = parts.slot()
    try:
        if fault := found.fault():
            raise fault
        is_open = found.is_open()
    except SlotError as error:
        return faulty(error)
    slot_settings = parts.settings.slot
    return unfinished or ok(f"{slot_settings.kind}, {'open' if is_open else 'closed'}, boxes {slot_settings.boxes}")


@health_check(alert="box_bottle")
def box_bottle(parts: CheckedParts) -> CheckResult | None:
    """Check that the box of bottles has room."""
    return _box(parts, "bottle")


@health_check(alert="box_cup")
def box_cup(parts: CheckedParts) -> CheckResult | None:
    """Check that the box of cups has room."""
    return _box(parts, "cup")


@health_check(alert="box_cutlery")
def box_cutlery(parts: CheckedParts) -> CheckResult | None:
    """Check that the box of cutlery has room."""
    return _box(parts, "cutlery")


def _box(parts: CheckedParts, waste_type: str) -> CheckResult | None:
    journal = parts.journal()
    if not (journal and parts.slot):
        return None
    statistics = parts.statistics or Statistics(journal.database, parts.settings, parts.now)
    box = next(each for each in statistics.boxes(journal.machine_id) if each.waste_type == waste_type)
    told = f"box {box.number} is {box.share:.0%} full: {box.grams:,.0f} of {box.capacity_grams:,.0f} g"
    if box.share < NEARLY_FULL:
        return ok(told)
    remedy = f"Empty it, then press “Emptied” on the dashboard, or `triof slot emptied {box.number}`."
    return warning(f"B{told[1:]}.", remedy, round(box.share, 3))


def _is_taken(parts: CheckedParts) -> bool:
    """Return whether `triof doctor` cannot open the camera, as only one program can at a time."""
    settings = parts.settings
    is_exclusive = settings.camera.kind in ("webcam", "picamera2")
    return parts.is_thorough and is_exclusive and data_folder.is_machine_taken(settings)


def _picture(parts: CheckedParts, fault: type[CameraError]) -> CheckResult | None:
    """Check the pictures of a camera that a thread watches for one fault."""
    if not parts.camera or _is_taken(parts):
        return None
    found = parts.camera()
    if found.kind in UNWATCHED:
        return None
    try:
        found.ping()
    except fault as error:
        return faulty(error, status="failed" if fault is FrozenPicture else "warning")
    except PoorPicture:
        return ok("no")
    except CameraError:
        return ok("not known, as the camera gives no new picture", alert="keep")
    return ok("no")


def _unfinished(parts: CheckedParts) -> CheckResult | None:
    journal = parts.journal()
    if not journal:
        return None
    with journal.database.read() as connection:
        failures, shredded, returned = (
            latest_first(connection, journal.machine_id, kind, 1)
            for kind in ("deposit.failed", "deposit.shredded", "deposit.returned")
        )
    if not failures or any(over and over[0].at >= failures[0].at for over in (shredded, returned)):
        return None
    return warning(
        f"The latest deposit was not finished ({failures[0].reason}).", "`triof slot` names the part that is stuck."
    )
