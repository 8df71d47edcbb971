"""The OpenAPI document: it says what is served, and schemathesis finds nothing between the two."""

import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema

from testing.image_files import encoded
from tests.support.api_desk import Desk, served
from tests.support.machines import BuildMachine
from tests.support.paths import ROOT
from tools.fuzz_api import fuzz
from triof.web.api.problems import KINDS
from triof.web.api.request_parsing import RAW_TYPES
from triof.web.api.routes import ROUTES

pytestmark = pytest.mark.slow

EXAMPLES = 4
"""Of each operation and kind of request; nothing was found with 60 either, in four times the time."""

# A schema cannot say what a photo is: these are some, and what is none is for the fuzzer.
PHOTOS = st.sampled_from([encoded(Image.new("RGB", (40, 40), colour), "PNG") for colour in ("grey", "red")])


@pytest.fixture
def desk(build_machine: BuildMachine, tmp_path: Path) -> Desk:
    return Desk(build_machine(api={"per_minute": 1_000_000, "queue_length": 50}), tmp_path / "home")


def document(desk: Desk) -> Any:
    return desk.client.get("/api/openapi.json").json


def test_schemathesis_finds_nothing(desk: Desk) -> None:
    for media_type in RAW_TYPES:
        schemathesis.openapi.media_type(media_type, PHOTOS)
    schemathesis.openapi.format("binary", PHOTOS)
    config = SchemathesisConfig.from_path(ROOT / "schemathesis.toml")
    config.projects.default.generation.max_examples = EXAMPLES
    config.projects.default.generation.deterministic = True
    config.projects.default.headers = {"Authorization": f"Bearer {desk.keys.create('schemathesis', ['admin'])}"}
    found: list[str] = []
    tried: Counter[str] = Counter()
    with served(desk.app) as url:
        schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", config=config)
        event: Any
        for event in from_schema(schema).execute():
            if type(event).__name__ in ("NonFatalError", "FatalError"):
                found.append(str(getattr(event, "info", event)))
            for checks in event.recorder.checks.values() if type(event).__name__ == "ScenarioFinished" else ():
                tried[event.phase.name] += 1
                found += [f"{check.name}: {check.failure_info.failure}" for check in checks if check.failure_info]
    assert not found, "\n\n".join(found[:5])
    assert set(tried) == {"EXAMPLES", "COVERAGE", "FUZZING", "STATEFUL_TESTING"}
    assert tried.total() > 150


def test_odd_requests_are_answered_with_problems(desk: Desk) -> None:
    came = fuzz(desk.app, desk.keys.create("fuzz", ["admin"]), 400, seed=1, each=lambda n: n % 3 or desk.jobs.work())
    for expected in ("200", "202", "415 not_a_photo", "422 damaged", "401 key_unknown", "422 idempotency_key_reused"):
        assert came[expected], came


def test_the_document_and_the_server_know_the_same_addresses(desk: Desk) -> None:
    served_ = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in desk.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.docs"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = document(desk)
    assert {(path, method) for path, methods in told["paths"].items() for method in methods} == served_
    for path, methods in told["paths"].items():
        for operation in methods.values():
            assert bool(operation["security"]) == (path != "/api/openapi.json")


def test_every_problem_is_explained_where_its_type_leads(desk: Desk) -> None:
    page = desk.client.get("/api/docs")
    for code in KINDS:
        assert f'id="{code}"' in page.text
    # One comes of addresses that are in no document, the others inside of answers.
    told = str(document(desk))
    assert {code for code in KINDS if f"{code}:" not in told} == {"method_not_allowed", "interrupted", "not_begun"}


def test_the_page_begins_with_the_newest_version_and_scrolls_by_keyboard(desk: Desk) -> None:
    text = desk.client.get("/api/docs?lang=en").text
    places = [text.index(f'<div id="{name}">') for name in ("predict_v2", "machine", "predict_v1", "document")]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("<summary>") > len(ROUTES)
    blocks = re.findall(r"<pre[^>]*>|<div[^>]*><table>", text)
    assert len(blocks) > len(ROUTES)
    assert all(re.search(r'role="region" tabindex="0" aria-label="[^"]+"', block) for block in blocks)


def test_the_page_speaks_french(desk: Desk) -> None:
    text = desk.client.get("/api/docs?lang=fr").text
    assert '<html lang="fr">' in text
    assert "Chaque requête porte une clé\xa0:" in text
    for french in (
        "Juger une photo et dire pourquoi",
        "Il faut une clé avec le droit predict ou read.",
        "<code>key_missing</code>\xa0: La requête ne porte pas de clé d’API.",
        "Envoyez l’en-tête <code>Authorization: Bearer CLÉ</code>.",
        "Ce que la machine est sûre de voir\xa0; <code>null</code> si elle n’est pas sûre.",
    ):
        assert french in text
    # Each description of the document, which stays in English, is a whole cell, paragraph or heading of the page.
    in_english = descriptions(document(desk))
    assert "Judge a photo, and say why" in in_english
    shown = set(re.findall(r">([^<>]+)<", text))
    assert in_english & shown <= {"respond-async"}, "the value of a header"


def descriptions(part: Any) -> set[str]:
    """Every summary and description in a part of the document, as HTML."""
    if isinstance(part, list):
        return set().union(*map(descriptions, part))
    if not isinstance(part, dict):
        return set()
    own = {escape(part[name]) for name in ("summary", "description") if isinstance(part.get(name), str)}
    return own.union(*map(descriptions, part.values()))


def test_the_page_needs_nothing_from_elsewhere(desk: Desk) -> None:
    page = desk.client.get("/api/docs")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script|<style| style=|https?://(?!localhost)", page.text)
    for style in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text):
        assert desk.client.get(style).status_code == 200
    for path in document(desk)["paths"]:
        assert path in page.text
    for target in re.findall(r'href="#([^"]+)"', page.text):
        assert f'id="{target}"' in page.text, target
