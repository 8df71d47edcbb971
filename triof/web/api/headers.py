"""Response headers of the API: rate limit, deprecation of a version, and CORS."""

from datetime import UTC, date, datetime
from email.utils import format_datetime

from flask import Response, g, request

from triof.access.key_values import WINDOW_SECONDS, KeyUsage
from triof.settings.sections.api import ApiSettings
from triof.web.api import problems

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Prefer",
    "Access-Control-Max-Age": "600",
}
_SHOWN = ", ".join(
    ["Location", "Preference-Applied", "Retry-After", "RateLimit", "RateLimit-Policy", "Deprecation", "Sunset"]
)
_AGE_EXPLAINED = '</api/docs#versions>; rel="deprecation"; type="text/html"'


class Headers:
    """Adds the headers to every response below ``/api/``, including problems."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    def add(self, response: Response) -> Response:
        """Add the headers; registered as an ``after_request`` function of the app."""
        if problems.concern():
            self._add_usage(response)
            self._announce_age(response)
            self._allow_origin(response)
        return response

    def _add_usage(self, response: Response) -> None:
        usage: KeyUsage | None = g.get("api_usage")
        if usage:
            response.headers["RateLimit-Policy"] = f'"key";q={usage.limit};w={WINDOW_SECONDS}'
            response.headers["RateLimit"] = f'"key";r={usage.remaining};t={usage.seconds}'

    def _announce_age(self, response: Response) -> None:
        """Add the Deprecation (RFC 9745) and Sunset (RFC 8594) headers."""
        if not request.path.startswith("/api/v1/"):
            return
        if deprecated_on := self._settings.v1_deprecated_on:
            response.headers["Deprecation"] = f"@{_midnight(deprecated_on).timestamp():.0f}"
            response.headers.add("Link", _AGE_EXPLAINED)
        if sunset_on := self._settings.v1_sunset_on:
            response.headers["Sunset"] = format_datetime(_midnight(sunset_on), usegmt=True)

    def _allow_origin(self, response: Response) -> None:
        if not self._settings.cors_origins:
            return
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin in self._settings.cors_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _SHOWN
            if request.method == "OPTIONS":
                response.headers.update(_PREFLIGHT)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
