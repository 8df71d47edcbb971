"""Sends the API what nobody should: mutated photos, broken forms, headers of rubbish.

Whatever comes, the answer has to be a success or a problem document, and no server error but the deliberate 503::

    python -m tools.fuzz_api --count 10000 --seed 7
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from flask import Flask
from PIL import Image

from triof import services
from triof.app import create_app
from triof.common.paths import DEMO_PICTURES
from triof.settings.tree import Settings

_PATHS = (
    *("/api/v1/predict", "/api/v2/predict") * 9,
    *("/api/v1/predict-batch", "/api/v2/predict-batch") * 3,
    "/api/v2/predictions/0bc560be-17f3-4f79-918b-2b7354d8d632",
    "/api/v2/deposits/summary?since=2026-11-01&until=nonsense",
    "/api/v3/predict",
    "/api/v2/predict/%00/../..",
)
_TYPES = (
    *("image/jpeg", "image/png", "application/octet-stream", "multipart/form-data; boundary=b") * 10,
    *("multipart/form-data", "application/json", "text/plain; charset=utf-99", "image/jpeg; x", "", "☃/☃"),
)
_PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
_END = b"\r\n--b--\r\n"


@dataclass(frozen=True)
class Odd:
    """One request that nobody should send."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def photos() -> list[bytes]:
    """Small whole ones of every format, to be mutated."""
    picture = Image.open(next(DEMO_PICTURES.glob("*.jpg"))).convert("RGB").resize((96, 64))
    seeds = []
    for format_ in ("JPEG", "PNG", "WEBP", "BMP", "GIF"):
        buffer = BytesIO()
        picture.save(buffer, format_)
        seeds.append(buffer.getvalue())
    return seeds


def mutated(chance: random.Random, image: bytes) -> bytes:
    """The image with bytes flipped, cut, doubled, or replaced by noise."""
    body = bytearray(image)
    for _ in range(chance.choice((0, 1, 1, 2, 8, 64))):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(6):
            case 0 if body:
                body[at % len(body)] = chance.randrange(256)
            case 1:
                del body[at:]
            case 2:
                body[at:at] = chance.randbytes(chance.randrange(16))
            case 3:
                del body[at : at + chance.randrange(64)]
            case 4 if len(body) < 100_000:
                body += body[at : at + 512]
            case 5 if body:
                # Sizes and lengths stand in front.
                body[at % min(len(body), 64)] = chance.choice((0, 0xFF, 0x7F, 0x80))
    return bytes(body)


def odd(chance: random.Random, seeds: list[bytes]) -> Odd:
    """A request made by ``chance``."""
    body = mutated(chance, chance.choice(seeds)) if chance.random() < 0.8 else chance.randbytes(chance.randrange(300))
    type_ = chance.choice(_TYPES)
    if "boundary" in type_:
        body = b"\r\n".join(_PART + body for _ in range(chance.choice((1, 1, 1, 2, 17)))) + _END
        body = mutated(chance, body) if chance.random() < 0.3 else body
    headers = {"Content-Type": type_} if type_ else {}
    for name, values in (
        ("Idempotency-Key", ("", "a", "b", "c", "é", "x" * 300, str(chance.random()))),
        ("Prefer", ("respond-async", "wait=1, respond-async", ",;=", "\x7f")),
        ("Origin", ("https://evil.example", "null")),
        ("Content-Encoding", ("gzip", "br")),
        ("Accept", ("text/html", "*/*;q=x")),
        ("Authorization", ("Bearer triof_x", "Bearer", "Basic é", "Bearer " + "x" * 5000)),
    ):
        if chance.random() < 0.06:
            headers[name] = chance.choice(values)
    method = "POST" if chance.random() < 0.95 else chance.choice(("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"))
    return Odd(method, chance.choice(_PATHS), headers, body)


def fuzz(app: Flask, key: str, count: int, seed: int, each: Callable[[int], object] = lambda _: None) -> Counter[str]:
    """How often each status and problem came. Raises AssertionError for what must not."""
    chance, seeds, client, came = random.Random(seed), photos(), app.test_client(), Counter[str]()
    for number in range(count):
        asked = odd(chance, seeds)
        headers = {"Authorization": f"Bearer {key}", **asked.headers}
        answer = client.open(asked.path, method=asked.method, data=asked.body, headers=headers)
        code = ""
        if answer.status_code >= 400 and asked.method != "HEAD":
            assert answer.content_type == "application/problem+json", (number, asked, answer.text)
            code = answer.json["code"] if answer.json else ""
        assert answer.status_code < 500 or code in ("queue_full", "no_provider_answered"), (number, asked, answer.text)
        came[f"{answer.status_code} {code}".strip()] += 1
        each(number)
    return came


def main() -> None:
    """Fuzz a server of its own, with the real photo decoder and judges that answer by script."""
    parser = argparse.ArgumentParser(description="Sends the API what nobody should.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        routes = {"waste_type": ("fake",), "cleanliness": ("fake",)}
        settings = Settings(home=Path(home), routes=routes, api={"per_minute": 1_000_000, "queue_length": 50})
        built = services.build(settings)
        try:
            key = built.operations.keys.create("fuzz", ["admin"])
            jobs = built.operations.jobs
            came = fuzz(
                create_app(settings, built), key, arguments.count, arguments.seed, lambda n: n % 3 or jobs.work()
            )
        except AssertionError as error:
            sys.exit(f"This must not happen: {error}")
        finally:
            built.close()
    for what, count in sorted(came.items()):
        print(f"{count:7,}  {what}")
    print(f"{came.total():7,}  in all, none of them a server error that was not meant")


if __name__ == "__main__":
    main()
