"""Makes the strict server behave as a recording of the real service says (``triof azure rehearse``)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from testing.azure.replies import Fault
from testing.azure.training_server import TrainingServer
from testing.http_replies import Reply

Forms = Literal["both", "prefixed", "bare", "refused"]
_FORMS: Mapping[tuple[bool, bool], Forms] = {
    (True, True): "both",
    (True, False): "prefixed",
    (False, True): "bare",
    (False, False): "refused",
}
_STEPS: Mapping[str, Fault] = {"too_fast": "rate_limited", "wrong_key": "empty_401"}
"""The fault that answers as the service did in a step of the rehearsal."""


def behave_as(server: TrainingServer, recording: Path) -> None:
    """Take over which form of a filter holds, and the replies of the service to what it refuses."""
    kept = json.loads(recording.read_text(encoding="utf-8"))
    holds = {form for form, told in kept["facts"].get("filters", {}).items() if told["found"] == told["expected"]}
    prefixed, bare = (any(form.startswith(start) for form in holds) for start in ("metadata=", "triof_batch"))
    server.filters = _FORMS[prefixed, bare]
    for step, fault in _STEPS.items():
        if told := kept["replies"].get(step):
            server.canned[fault] = _reply(told)


def _reply(told: Mapping[str, Any]) -> Reply:
    body = told["body"] if isinstance(told["body"], str) else json.dumps(told["body"])
    headers = {name.title(): str(value) for name, value in told["headers"].items()}
    return Reply(int(told["status"]), body.encode(), headers)
