"""Checks the signature of a request, AWS Signature Version 4, independently of the vendor's library."""

import hmac
import re
from email.message import Message
from hashlib import sha256
from typing import NamedTuple

from testing.aws.replies import BAD_SIGNATURE, NO_TOKEN, UNKNOWN_CLIENT
from testing.http_replies import Reply

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/rekognition/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_NEEDED = {"host", "x-amz-date", "x-amz-target"}


class Credentials(NamedTuple):
    """An access key of AWS."""

    id: str
    secret: str


def refused(headers: Message, body: bytes, credentials: Credentials, region: str) -> Reply | None:
    """Why a ``POST /`` with these headers is not let in."""
    found = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    if not found:
        return NO_TOKEN
    key, day, signed_region, names, signature = found.groups()
    if key != credentials.id:
        return UNKNOWN_CLIENT
    moment, signed = headers.get("X-Amz-Date", ""), names.split(";")
    if not moment.startswith(day) or signed_region != region or not set(signed) >= _NEEDED:
        return BAD_SIGNATURE
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, sha256(body).hexdigest()])
    scope = f"{day}/{region}/rekognition/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, sha256(canonical.encode()).hexdigest()])
    derived = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), text):
        derived = hmac.new(derived, part.encode(), sha256).digest()
    return None if hmac.compare_digest(derived.hex(), signature) else BAD_SIGNATURE
