"""The boxes of the machines: how full they are, and the button for the person who has emptied one."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from triof.operations import use_cases
from triof.operations.use_cases import UseCaseRefused
from triof.services import Services
from triof.statistics.boxes import NEARLY_FULL, BoxFill
from triof.statistics.queries import Statistics
from triof.web import login
from triof.web.dashboard.condition import Level

_MOST_MACHINES = 8
"""Boxes of more machines are not shown: nobody could read them, and each costs some queries."""


@dataclass(frozen=True)
class ShownBoxes:
    """The boxes to show, the fullest first; ``left_out`` is the number of machines whose boxes are not among them."""

    boxes: Sequence[BoxFill]
    left_out: int


def shown(statistics: Statistics, machines: Sequence[str]) -> ShownBoxes:
    """Return the boxes of ``machines``; of a single one by their number."""
    if len(machines) > _MOST_MACHINES:
        return ShownBoxes([], len(machines))
    found = [box for machine in machines for box in statistics.boxes(machine)]
    return ShownBoxes(found if len(machines) == 1 else sorted(found, key=lambda box: -box.share), 0)


def level(box: BoxFill) -> Level:
    """Return how urgent it is to empty the box."""
    return "well" if box.share < NEARLY_FULL else "look" if box.share < 1 else "bad"


class BoxActions:
    """What operators and technicians do with the boxes."""

    def __init__(self, around: Services) -> None:
        self._health = around.operations.health
        self._journal = around.journal
        self._statistics = around.operations.statistics

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """Return the blueprint, for every user who is logged in."""
        blueprint = Blueprint("boxes", __name__, url_prefix="/dashboard/boxes")
        blueprint.post("/emptied")(self.emptied)
        blueprint.before_request(gate.check)
        login.add_error_pages(blueprint)
        return blueprint

    def emptied(self) -> login.Page:
        """Record that a box was emptied, as `triof slot emptied` does."""
        number, machine = request.form.get("box", type=int) or 0, request.form.get("machine", "")
        try:
            use_cases.empty_box(self._statistics, self._journal, machine, number, actor=g.user.name)
        except UseCaseRefused:
            return Response(render_template("dashboard/fault.html", fault="not_valid"), 400)
        self._health.look_again()
        return redirect(url_for("dashboard.today"), 303)
