"""The touchscreen's pages: each shows one stage of the deposit, each step of the machine is a POST.

A GET never moves anything; a page that does not match the deposit's stage redirects to the one that does, so reload,
the back button and a second touch do no harm.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, redirect, render_template, request, session, url_for
from flask_babel import get_locale
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.deposits.machine_faults import MachineFault
from triof.deposits.maintenance import UnderMaintenance
from triof.deposits.visit import Deposit, DepositStage, ReturnReason
from triof.machine.cameras.base import CameraError
from triof.machine.slot import Jammed, SlotError
from triof.observability import logs
from triof.services import KioskServices
from triof.settings.tree import Settings
from triof.statistics.contribution import contribution
from triof.storage.database_errors import DatabaseUnusable
from triof.web import fault_codes, privacy_notice, texts
from triof.web.access import is_from_here
from triof.web.kiosk.choosing import choosing, judged_by

log = get_logger(__name__)

Page = str | BaseResponse

_LANGUAGE_KEPT_SECONDS = 60
_POLL_SECONDS = 5
_STEP_SECONDS = 0.2
"""Seconds between two looks at a step of the machine: a tenth of a second is lost with each step on average."""
_NOTICE_SECONDS = 60

_STOPS = (UnderMaintenance, SlotError, DatabaseUnusable)
"""Faults that end a step; the next page says which."""

_PAGES = {
    DepositStage.INSERTING: "kiosk.insert",
    DepositStage.JUDGING: "kiosk.judging",
    DepositStage.CHOOSING: "kiosk.pick_type",
    DepositStage.SORTING: "kiosk.confirmation",
    DepositStage.SHREDDED: "kiosk.confirmation",
    DepositStage.RETURNED: "kiosk.confirmation",
}


class Refresh(NamedTuple):
    """Delay and target of a page's refresh."""

    seconds: float
    url: str

    @property
    def whole_seconds(self) -> int:
        """The delay without JavaScript."""
        return max(1, math.ceil(self.seconds))


class KioskPages:
    """The pages of one machine."""

    def __init__(self, services: KioskServices, settings: Settings) -> None:
        self._deposits = services.deposits
        self._health = services.operations.health
        self._statistics = services.operations.statistics
        self._warning_seconds = settings.deposit.warning_seconds
        self._router = services.sorter.router
        self._settings = settings
        self._default_language = settings.language
        self._from_anywhere = settings.server.touchscreen_from_anywhere
        self._technician_from_anywhere = settings.technician.from_anywhere
        self._support = settings.support

    def blueprint(self) -> Blueprint:
        """Return the blueprint with every route of the touchscreen."""
        blueprint = Blueprint("kiosk", __name__)
        blueprint.before_request(self._admit)
        blueprint.get("/")(self.attract)
        blueprint.get("/privacy")(self.privacy)
        blueprint.post("/start")(self.start)
        blueprint.get("/start")(self.insert)
        blueprint.post("/take-out")(self.take_out)
        blueprint.post("/waste/pick-type")(self.judge)
        blueprint.get("/waste/judging")(self.judging)
        blueprint.get("/waste/pick-type")(self.pick_type)
        blueprint.get("/waste/photo/<uuid:deposit_id>")(self.photo)
        blueprint.post("/confirmation")(self.confirm)
        blueprint.get("/confirmation")(self.confirmation)
        blueprint.post("/return")(self.give_back)
        blueprint.post("/stay")(self.stay)
        blueprint.post("/done")(self.done)
        blueprint.errorhandler(RequestEntityTooLarge)(self.too_large)
        return blueprint

    def _admit(self) -> None:
        """Reject requests from other computers, as the pages need no login."""
        if not self._from_anywhere and not is_from_here():
            abort(403)
        self._bind()

    def _bind(self) -> None:
        if deposit := self._deposits.of(_visitor()):
            logs.bind(deposit_id=str(deposit.id))

    def attract(self) -> Page:
        """Show the start page, or why the machine takes nothing now."""
        if self._deposits.of(_visitor()):
            return self._to_current_page()
        # Always refreshes: a fault or another person's deposit must show without a touch.
        refresh = Refresh(_POLL_SECONDS, url_for("kiosk.attract"))
        if str(get_locale()) != self._default_language:
            refresh = Refresh(_LANGUAGE_KEPT_SECONDS, url_for("kiosk.attract", lang=self._default_language))
        if fault := self._deposits.fault():
            return self._out_of_order(fault, refresh)
        if self._deposits.is_interrupted():
            return render_template("kiosk/interrupted.html", refresh=refresh, technician_url=self._technician_url())
        return render_template(
            "kiosk/attract.html",
            hints=[texts.hint(check.name) for check, _ in self._health.latest().needed_failures()],
            going_on=self._going_on(),
            busy=self._deposits.busy(_visitor()),
            refresh=refresh,
            technician_url=self._technician_url(),
        )

    def privacy(self) -> Page:
        """Show the notice about the camera; a visitor's own deposit goes first."""
        if self._deposits.of(_visitor()):
            return self._to_current_page()
        return render_template(
            "kiosk/privacy.html",
            sentences=privacy_notice.sentences(self._settings, self._router.mode),
            contact=self._settings.privacy.contact,
            refresh=Refresh(_NOTICE_SECONDS, url_for("kiosk.attract", lang=self._default_language)),
        )

    def _out_of_order(self, fault: MachineFault, refresh: Refresh) -> Page:
        part = fault.part if isinstance(fault, Jammed) else None
        return render_template(
            "kiosk/out_of_order.html",
            code=fault.code,
            fault=fault_codes.of(fault.code),
            part=part,
            stuck=texts.JAMS[part] if part else None,
            support=self._support,
            refresh=refresh,
            technician_url=self._technician_url(),
        )

    def _going_on(self) -> str | None:
        """Return a sentence for the staff about a fault that stops no deposit."""
        if not (fault := self._deposits.faults.of_parts()):
            return None
        row = fault_codes.of(fault.code)
        return f"{fault.code}: {row.cause} {row.remedy}"

    def _technician_url(self) -> str | None:
        """Return the link to the technician's page, which other computers get only where the settings say so."""
        return url_for("technician.overview") if self._technician_from_anywhere or is_from_here() else None

    def start(self) -> Page:
        """Open the slot."""
        before = self._deposits.of(_visitor())
        page = self._step(lambda: self._deposits.open(_visitor()), (*_STOPS, CameraError))
        if (begun := self._deposits.of(_visitor())) and not (before and before.id == begun.id):
            # The items that one person gave, one after the other.
            session["given"] = _given(before) if before else {}
        return page

    def take_out(self) -> Page:
        """Open the slot for the item of an interrupted deposit."""
        return self._step(lambda: self._deposits.let_out(_visitor()))

    def insert(self) -> Page:
        """Ask for the item."""
        deposit = self._deposit_at(DepositStage.INSERTING)
        if not deposit:
            return self._to_current_page()
        fault = deposit.problem or ("leftover" if deposit.leftover else None)
        return render_template(
            "kiosk/insert.html",
            camera=self._deposits.camera.kind,
            photo_error=texts.PHOTO_FAULTS[fault] if fault else None,
            **self._clock(deposit, "kiosk.insert"),
        )

    def judge(self) -> Page:
        """Begin to close the slot, take the photo and judge it."""
        upload = request.files.get("image")
        image = upload.read() if upload else None
        return self._step(lambda: self._deposits.judge(_visitor(), image))

    def judging(self) -> Page:
        """Show the photo while it is judged."""
        deposit = self._deposit_at(DepositStage.JUDGING)
        if not deposit:
            return self._to_current_page()
        return render_template(
            "kiosk/judging.html",
            photo_url=_photo_url(deposit),
            refresh=Refresh(_STEP_SECONDS, url_for("kiosk.judging")),
        )

    def pick_type(self) -> Page:
        """Show the photo and the judgement, to confirm or correct."""
        deposit = self._deposit_at(DepositStage.CHOOSING)
        if not deposit:
            return self._to_current_page()
        return render_template(
            "kiosk/pick_type.html",
            photo_url=_photo_url(deposit),
            **choosing(deposit, list(self._deposits.boxes)),
            **judged_by(deposit),
            **self._clock(deposit, "kiosk.pick_type"),
        )

    def photo(self, deposit_id: UUID) -> Response:
        """The photo of the visitor's own deposit."""
        deposit = self._deposits.of(_visitor())
        if not deposit or deposit.id != deposit_id or not deposit.photo:
            abort(404)
        return Response(deposit.photo, mimetype="image/jpeg")

    def confirm(self) -> Page:
        """Sort by the chosen type, or return the item; without a choice, say that one is needed."""
        deposits, visitor, form = self._deposits, _visitor(), request.form
        chosen = form.get("waste_type", "")
        if "again" in form:
            return self._step(lambda: deposits.choose_again(visitor))
        if form.get("cleanliness") == "dirty":
            return self._step(lambda: deposits.call_dirty(visitor))
        if chosen not in deposits.boxes and chosen != "other":
            return self._step(lambda: deposits.ask_again(visitor, "not_chosen"))
        return self._step(lambda: deposits.confirm(visitor, chosen, sure="sure" in form))

    def confirmation(self) -> Page:
        """Show the sorting, then the thanks; or the return of the item with its reason."""
        deposit = self._deposit_at(DepositStage.SORTING, DepositStage.SHREDDED, DepositStage.RETURNED)
        if not deposit:
            return self._to_current_page()
        if deposit.reason:
            return self._returned(deposit, deposit.reason)
        chosen = deposit.chosen or ""
        shown = {"label": chosen, "name": texts.NAMES[chosen]}
        if deposit.stage is DepositStage.SHREDDED:
            return render_template(
                "kiosk/thanks.html",
                contribution=contribution(self._statistics, _given(deposit)),
                corrected=_is_corrected(deposit),
                refresh=self._to_attract(deposit),
            )
        refresh = Refresh(_STEP_SECONDS, url_for("kiosk.confirmation"))
        box = self._deposits.boxes[chosen]
        return render_template("kiosk/sorting.html", **shown, step=deposit.step, box=box, refresh=refresh)

    def give_back(self) -> Page:
        """Cancel the deposit and return the item."""
        return self._step(lambda: self._deposits.give_back(_visitor()))

    def stay(self) -> Page:
        """Extend the timeout of the page: the employee is still there."""
        return self._step(lambda: self._deposits.stay(_visitor()))

    def done(self) -> Page:
        """End the deposit: the item is taken back, or the thanks are read."""
        page = self._step(lambda: self._deposits.finish(_visitor()))
        if not self._deposits.of(_visitor()):
            session.pop("language", None)
        return page

    def too_large(self, _: RequestEntityTooLarge) -> Page:
        """Handle a request body above the size limit, which was not read."""
        return self._step(lambda: self._deposits.ask_again(_visitor(), "too_many_bytes"))

    def _returned(self, deposit: Deposit, reason: ReturnReason) -> Page:
        label = deposit.judgement.verdict.label if deposit.judgement else None
        state = texts.return_state(deposit)
        left = math.ceil(self._deposits.seconds_left(deposit))
        return render_template(
            "kiosk/returned.html",
            reason=reason,
            state=state,
            **texts.RETURNS[state]._asdict(),
            part=deposit.part,
            stuck=texts.JAMS[deposit.part] if deposit.part else None,
            closes_in=left if self._deposits.closes_slot(deposit) else None,
            photo_url=_photo_url(deposit),
            label=label,
            name=texts.NAMES[label] if label else None,
            **judged_by(deposit),
            may_retry=reason not in ("jammed", "emergency_stop", "out_of_order"),
            # Without JavaScript the countdown is that of the page.
            refresh=Refresh(1 if deposit.is_held else min(left + 1, _POLL_SECONDS), url_for("kiosk.confirmation")),
        )

    def _step(self, move: Callable[[], None], stops: tuple[type[TriofError], ...] = _STOPS) -> BaseResponse:
        try:
            move()
        except stops as error:
            log.warning("deposit.stopped", code=getattr(error, "code", ""), cause=error)
        self._bind()
        return self._to_current_page()

    def _deposit_at(self, *stages: DepositStage) -> Deposit | None:
        deposit = self._deposits.of(_visitor())
        return deposit if deposit and deposit.stage in stages else None

    def _to_current_page(self) -> BaseResponse:
        deposit = self._deposits.of(_visitor())
        return redirect(url_for(_PAGES[deposit.stage] if deposit else "kiosk.attract"), 303)

    def _clock(self, deposit: Deposit, page: str) -> dict[str, Any]:
        """Return the refresh of the page and, from the warning on, the seconds left."""
        left = self._deposits.seconds_left(deposit)
        if left > self._warning_seconds:
            return {"refresh": Refresh(math.ceil(left - self._warning_seconds), url_for(page)), "time_left": None}
        return {"refresh": Refresh(math.ceil(left) + 1, url_for(page)), "time_left": math.ceil(left)}

    def _to_attract(self, deposit: Deposit) -> Refresh:
        return Refresh(math.ceil(self._deposits.seconds_left(deposit)) + 1, url_for("kiosk.attract"))


def _visitor() -> str:
    return str(session.setdefault("visitor", uuid4().hex))


def _given(deposit: Deposit) -> Counter[str]:
    """Return the visitor's shredded items by type, including that of ``deposit``."""
    shredded = [deposit.chosen] if deposit.stage is DepositStage.SHREDDED and deposit.chosen else []
    return Counter(session.get("given", {})) + Counter(shredded)


def _is_corrected(deposit: Deposit) -> bool:
    """Return whether the person chose another type than the one predicted."""
    predicted = deposit.judgement.predictions.get("waste_type") if deposit.judgement else None
    return predicted is not None and predicted.label != deposit.chosen


def _photo_url(deposit: Deposit) -> str | None:
    return url_for("kiosk.photo", deposit_id=deposit.id) if deposit.photo else None
