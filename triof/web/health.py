"""Whether the server is alive; asked by the touchscreen before it leaves a page."""

from flask import Blueprint

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> tuple[str, int, dict[str, str]]:
    """200 as long as the process answers."""
    return "ok\n", 200, {"Content-Type": "text/plain", "Cache-Control": "no-store"}
