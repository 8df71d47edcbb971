"""The scenes of a deposit at the touchscreen, from the first touch to the end."""

from functools import partial
from pathlib import Path

from PIL import Image, ImageFilter

from tools.screens.scripted import Answer
from tools.screens.visit import PageVisit, ScreenState
from triof.common.paths import DEMO_PICTURES
from triof.machine.hardware.base import Part

_TRAY, _ODD_SIZE = DEMO_PICTURES.with_name("demo_empty") / "bottle-clean-1.jpg", (900, 675)
"""Only pictures of the size of the reference are compared with it, so that the demo pictures are not."""
_UNSURE: Answer = {"scores": {"bottle": 0.46, "cup": 0.41, "cutlery": 0.08, "other": 0.05}}
_STAINED: Answer = {"scores": {"clean": 0.58, "dirty": 0.42}}
_FOREIGN: Answer = {"scores": {"bottle": 0.5, "cup": 0.3, "cutlery": 0.1, "other": 0.1}, "unfamiliarity": 1.4}
_OTHER: Answer = {"scores": {"bottle": 0.01, "cup": 0.01, "cutlery": 0.01, "other": 0.97}}
_NOTHING: Answer = {"scores": {"bottle": 0.01, "cup": 0.01, "cutlery": 0.01, "other": 0.97}, "nothing": 0.95}
_DIRTY: Answer = {"scores": {"clean": 0.03, "dirty": 0.97}}
_CUP: Answer = {"scores": {"bottle": 0.01, "cup": 0.98, "cutlery": 0.005, "other": 0.005}}
_CUTLERY: Answer = {"scores": {"bottle": 0.01, "cup": 0.005, "cutlery": 0.98, "other": 0.005}}


def empty_slot(home: Path) -> Path:
    """Write a picture of the empty slot; return its path."""
    path = home / "empty.png"
    Image.open(_TRAY).resize(_ODD_SIZE).save(path)
    return path


def _item_at_the_edge(home: Path) -> Path:
    """Write the same picture with an item that lies partly outside of it."""
    slot, path = Image.open(empty_slot(home)).convert("RGB"), home / "edge.png"
    item = Image.new("RGB", (420, 260), (40, 110, 190))
    slot.paste(item, (0, 210))
    slot.filter(ImageFilter.GaussianBlur(1)).save(path)
    return path


def inserted(visit: PageVisit, picture: str = "bottle-clean-1", **answers: Answer) -> PageVisit:
    """Open the slot before a machine that will answer so."""
    visit.script.see(picture)
    visit.script.answer(**answers)
    return visit.go().press("/start").at("insert")


def judged(visit: PageVisit, picture: str = "bottle-clean-1", **answers: Answer) -> PageVisit:
    """Have an item judged."""
    return inserted(visit, picture, **answers).press("/waste/pick-type").at("pick_type", "returned")


def confirmed(visit: PageVisit, picture: str = "bottle-clean-1", **answers: Answer) -> PageVisit:
    """Confirm what the machine is sure of."""
    return judged(visit, picture, **answers).press("/confirmation")


def doubted(visit: PageVisit) -> None:
    """Choose another type than the one that the machine is sure of."""
    judged(visit)
    visit.page.click(".tile--cup")
    visit.press("/confirmation").at("pick_type", state="doubt")


def _own_camera(visit: PageVisit) -> None:
    visit.go().press("/start").at("insert")
    visit.page.wait_for_selector("video.live:not([hidden])")


def _chooser(visit: PageVisit) -> None:
    visit.go().press("/start").at("insert")


def _no_photo(visit: PageVisit) -> None:
    _chooser(visit)
    text = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"}
    visit.page.set_input_files('input[name="image"]', text)
    visit.press("/waste/pick-type")
    visit.page.wait_for_selector("main .alert")


def _thinking(visit: PageVisit, part: str, state: str) -> None:
    inserted(visit).hold(part).press("/waste/pick-type").at("judging", state=state)


def _nothing_chosen(visit: PageVisit) -> None:
    judged(visit, waste_type=_UNSURE).press("/confirmation")
    visit.page.wait_for_selector("[data-please-choose]:not([hidden])")


def _none_of_these(visit: PageVisit) -> None:
    judged(visit, "other-can-1", waste_type=_FOREIGN)
    visit.page.click(".tile--other")
    visit.press("/confirmation").at("returned")


def _called_dirty(visit: PageVisit) -> None:
    judged(visit, "cup-dirty-1", waste_type=_CUP, cleanliness=_STAINED)
    visit.page.click(".action:has([value=dirty]) button")
    visit.at("returned")


def _corrected(visit: PageVisit) -> None:
    doubted(visit)
    visit.page.click(".action:has([name=sure]) button")
    visit.at("thanks")


def _busy(visit: PageVisit) -> None:
    inserted(visit.another())
    visit.go().at("attract", state="busy")


def _no_picture(visit: PageVisit) -> None:
    inserted(visit)
    visit.script.see(None)
    visit.press("/waste/pick-type")
    visit.page.wait_for_selector("main .alert")


def _left_inside(visit: PageVisit) -> None:
    visit.script.hardware.put_item(True)
    inserted(visit)
    visit.page.wait_for_selector("main .alert")


def _moving(visit: PageVisit, part: str, state: str) -> None:
    visit.hold(part)
    confirmed(visit).at("sorting", state=state)


def _reaches_out(visit: PageVisit) -> None:
    inserted(visit)
    visit.script.see(_item_at_the_edge(visit.script.home))
    visit.press("/waste/pick-type").at("returned")


def _taken_back(visit: PageVisit) -> None:
    visit.script.hardware.put_item(False)
    inserted(visit)
    visit.script.hardware.put_item(True)
    visit.press("/waste/pick-type").at("pick_type")
    visit.script.hardware.put_item(False)
    visit.press("/confirmation").at("returned")


def _stopped(visit: PageVisit) -> None:
    judged(visit)
    visit.script.hardware.press_stop()
    visit.press("/confirmation").at("returned")


def _jammed(visit: PageVisit, part: Part) -> None:
    judged(visit, "cup-clean-1", waste_type=_CUP)
    visit.script.hardware.jam(part)
    visit.press("/confirmation").at("returned")


def _cancelled(visit: PageVisit, picture: str | None) -> None:
    opened = judged(visit, picture) if picture else inserted(visit)
    opened.press("/return").at("returned")


SCENES = (
    ScreenState("attract", lambda visit: visit.go().at("attract"), reduced=True),
    ScreenState("busy", _busy),
    ScreenState("privacy", lambda visit: visit.go("/privacy").at("privacy")),
    ScreenState("insert", inserted, reduced=True),
    ScreenState("insert-no-picture", _no_picture, keeps_language=False),
    ScreenState("insert-left-inside", _left_inside),
    ScreenState("thinking-closing", partial(_thinking, part="slot", state="closing")),
    ScreenState("thinking", partial(_thinking, part="provider", state="photo"), reduced=True),
    ScreenState("choose-sure-bottle", judged, reduced=True),
    ScreenState("choose-sure-cup", partial(judged, picture="cup-clean-1", waste_type=_CUP)),
    ScreenState("choose-sure-cutlery", partial(judged, picture="cutlery-clean-1", waste_type=_CUTLERY)),
    ScreenState("choose-unsure-type", partial(judged, waste_type=_UNSURE), reduced=True),
    ScreenState("choose-nothing-chosen", _nothing_chosen),
    ScreenState("choose-unsure-cleanliness", partial(judged, cleanliness=_STAINED), reduced=True),
    ScreenState("choose-type-not-answered", partial(judged, waste_type=None)),
    ScreenState("choose-cleanliness-not-answered", partial(judged, cleanliness=None)),
    ScreenState("choose-unfamiliar", partial(judged, picture="other-can-1", waste_type=_FOREIGN)),
    ScreenState("choose-mismatch", doubted, reduced=True),
    ScreenState("sorting-box", partial(_moving, part="box", state="box")),
    ScreenState("sorting-shred", partial(_moving, part="shredder", state="shred")),
    ScreenState("thanks", lambda visit: confirmed(visit).at("thanks"), reduced=True),
    ScreenState("thanks-corrected", _corrected),
    ScreenState("returned-other", partial(judged, picture="other-can-1", waste_type=_OTHER), reduced=True),
    ScreenState("returned-dirty", partial(judged, picture="cup-dirty-1", waste_type=_CUP, cleanliness=_DIRTY)),
    ScreenState("returned-nothing-seen", partial(judged, picture="other-empty-1", waste_type=_NOTHING)),
    ScreenState("returned-reaches-out", _reaches_out),
    ScreenState("returned-cancelled", partial(_cancelled, picture="bottle-clean-1")),
    ScreenState("returned-cancelled-before", partial(_cancelled, picture=None)),
    ScreenState("returned-taken-back", _taken_back),
    ScreenState("returned-emergency-stop", _stopped),
    *(ScreenState(f"returned-jammed-{part}", partial(_jammed, part=part)) for part in ("box", "shredder")),
    ScreenState("returned-none-of-these", _none_of_these),
    ScreenState("returned-called-dirty", _called_dirty),
)
OWN_CAMERA = (
    ScreenState("insert-own-camera", _own_camera),
    ScreenState("insert-choose-photo", _chooser, scripts=False),
    ScreenState("insert-not-a-photo", _no_photo, scripts=False),
)
TENANT = tuple(
    ScreenState(f"tenant-{scene.name}", scene.reach)
    for scene in SCENES
    if scene.name in {"attract", "choose-sure-bottle", "thanks", "returned-other", "returned-dirty"}
)
LOW = tuple(
    ScreenState(f"low-{scene.name}", scene.reach)
    for scene in SCENES
    if scene.name
    in {"attract", "insert", "choose-unsure-type", "choose-unsure-cleanliness", "choose-mismatch", "thanks"}
)
