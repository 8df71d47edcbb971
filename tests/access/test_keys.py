"""Keys of the API, from `triof keys` to what they open."""

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.support.api_desk import START, Desk, form
from tests.support.clock import Clock
from tests.support.machines import BuildMachine, Machine
from triof.access.key_values import KeyScope
from triof.access.rate_limit import MovingWindow
from triof.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(machine: Machine, tmp_path: Path) -> Desk:
    return Desk(machine, tmp_path / "home")


def test_a_key_is_shown_once_and_only_its_digest_is_kept(desk: Desk, tmp_path: Path) -> None:
    made = desk.triof("create", "erp", "--scope", "read", "--days", "30", "--per-minute", "60")
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    assert key.startswith("triof_")
    assert len(key) == len("triof_") + 43
    assert desk.told(key) == (200, "")
    desk.keys.close()
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert key.removeprefix("triof_").encode() not in path.read_bytes(), path
    listed = desk.triof("list").output
    assert listed.startswith("erp")
    for part in ("read", "60 a minute", "last used 2026-11-01"):
        assert part in listed
    assert key not in listed + desk.triof("list", "--json").output


def test_wrong_commands_are_told_in_a_sentence(desk: Desk) -> None:
    assert desk.triof("list").output == "There are no keys: `triof keys create NAME` makes one.\n"
    assert desk.triof("create", "erp").exit_code == 0
    twice = desk.triof("create", "erp")
    assert (twice.exit_code, "There is a key 'erp' already" in twice.output) == (1, True)
    for command in ("revoke", "rotate"):
        unknown = desk.triof(command, "crm")
        assert (unknown.exit_code, "There is no key 'crm'" in unknown.output) == (1, True)
    assert desk.triof("revoke", "erp").exit_code == 0
    again = desk.triof("rotate", "erp")
    assert (again.exit_code, "was taken back already" in again.output) == (1, True)
    assert "revoked on" in desk.triof("list").output
    for wrong in (("x", "--per-minute", "3"), ("two words",), ("",)):
        assert desk.triof("create", *wrong).exit_code == 2


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic dHJpb2Y6dHJpb2Y=", "Basic é", "triof_x", "Bearer triof_x", "Bearer é"],
)
def test_without_a_key_nothing_is_answered(desk: Desk, header: str | None) -> None:
    answer = desk.client.get("/api/v2/machine", headers={"Authorization": header} if header is not None else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="triof"')
    assert answer.json
    assert answer.json["code"] in ("key_missing", "key_unknown")


def test_each_scope_opens_its_own_and_admin_everything(desk: Desk, jpeg: bytes) -> None:
    doors: tuple[tuple[KeyScope, tuple[int, int]], ...] = (
        ("predict", (200, 403)),
        ("read", (403, 200)),
        ("admin", (200, 200)),
    )
    for scope, opened in doors:
        key = desk.keys.create(scope, [scope])
        desk.clock.pass_(2)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "image/jpeg"}
        predicted = desk.client.post("/api/v1/predict", data=jpeg, headers=headers)
        assert (predicted.status_code, desk.get(key).status_code) == opened
        refused = predicted if predicted.status_code == 403 else desk.get(key)
        if refused.status_code == 403:
            assert refused.json
            assert refused.json["code"] == "scope_missing"
            assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_a_key_that_may_ask_may_fetch_what_came_of_it_and_of_nothing_else(desk: Desk, jpeg: bytes) -> None:
    asks, other = desk.keys.create("erp", ["predict"]), desk.keys.create("crm", ["predict"])
    reads = desk.keys.create("wall", ["read"])
    headers = {"Authorization": f"Bearer {asks}", "Content-Type": "image/jpeg", "Prefer": "respond-async"}
    accepted = desk.client.post("/api/v2/predict", data=jpeg, headers=headers)
    assert accepted.status_code == 202
    assert desk.jobs.work()
    where = accepted.headers["Location"]
    done = desk.get(asks, where)
    assert (done.status_code, done.json and done.json["status"]) == (200, "succeeded")
    assert [desk.get(key, where).status_code for key in (other, reads)] == [404, 404]
    assert desk.told(asks) == (403, "scope_missing")
    rotated = desk.keys.rotate("erp")
    desk.clock.pass_(2)
    assert desk.get(rotated, where).status_code == 200


def test_a_key_ends_when_its_time_is_over(desk: Desk) -> None:
    key = desk.keys.create("guest", ["read"], expires_at=START + timedelta(hours=1))
    assert desk.told(key) == (200, "")
    desk.clock.pass_(3600)
    assert desk.told(key) == (401, "key_expired")


def test_a_running_server_notices_within_two_seconds_that_a_key_was_revoked(desk: Desk) -> None:
    key = desk.keys.create("erp", ["read"])
    assert desk.told(key) == (200, "")
    assert desk.triof("revoke", "erp").exit_code == 0
    desk.clock.pass_(2)
    assert desk.told(key) == (401, "key_revoked")


def test_a_rotated_key_has_a_new_secret_and_the_old_one_only_for_the_grace(desk: Desk) -> None:
    first = desk.keys.create("erp", ["read"])
    second = desk.keys.rotate("erp", timedelta(minutes=10))
    assert desk.told(first) == desk.told(second) == (200, "")
    desk.clock.pass_(600)
    assert (desk.told(first), desk.told(second)) == ((401, "key_unknown"), (200, ""))
    third = desk.triof("rotate", "erp").stdout.strip()
    desk.clock.pass_(2)
    assert (desk.told(second), desk.told(third)) == ((401, "key_unknown"), (200, ""))
    assert len(desk.keys.all()) == 1


def test_last_use_is_noted_at_most_once_a_minute(desk: Desk) -> None:
    key = desk.keys.create("erp", ["read"])

    def noted() -> datetime | None:
        moment: datetime | None = desk.keys.all()[0].last_used_at
        return moment

    assert noted() is None
    for seconds, expected in ((0, 0), (59, 0), (1, 60), (30, 60)):
        desk.clock.pass_(seconds)
        assert desk.told(key)[0] == 200
        assert noted() == START + timedelta(seconds=expected)


def test_each_key_has_a_limit_of_its_own_which_photos_of_a_batch_use_up(desk: Desk, jpeg: bytes) -> None:
    small, large = desk.keys.create("small", ["admin"], per_minute=16), desk.keys.create("large", ["admin"])
    first = desk.get(small)
    assert first.headers["RateLimit-Policy"] == '"key";q=16;w=60'
    assert first.headers["RateLimit"] == '"key";r=15;t=60'
    desk.clock.pass_(10)
    headers = {"Authorization": f"Bearer {small}"}
    batch = desk.client.post("/api/v2/predict-batch", data=form(*[jpeg] * 15), headers=headers)
    assert (batch.status_code, batch.headers["RateLimit"]) == (200, '"key";r=0;t=50')
    refused = desk.get(small)
    assert (refused.status_code, refused.json and refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "50"
    assert desk.told(large) == (200, "")
    desk.clock.pass_(50.001)
    assert desk.told(small) == (200, "")
    # One more than there is room for, and when there will be room for both.
    refused = desk.client.post("/api/v2/predict-batch", data=form(jpeg, jpeg), headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")


@pytest.mark.parametrize("days", [-1, 1])
def test_limits_do_not_go_by_the_wall_clock(desk: Desk, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    key = desk.keys.create("small", ["read"], per_minute=16)
    assert [desk.told(key)[0] for _ in range(17)] == [200] * 16 + [429]
    turned = time.time() + days * 86_400
    monkeypatch.setattr(time, "time", lambda: turned)
    assert desk.get(key).headers["Retry-After"] == "60"
    desk.clock.pass_(60)
    assert desk.told(key) == (200, "")


@given(
    limit=st.integers(16, 40),
    uses=st.lists(st.tuples(st.floats(0, 70), st.integers(1, 16)), min_size=1, max_size=40),
)
def test_what_is_refused_fits_after_the_time_that_is_told_and_not_before(
    limit: int, uses: list[tuple[float, int]]
) -> None:
    clock = Clock()
    window = MovingWindow(60, clock)
    taken: list[tuple[float, int]] = []
    for pause, cost in uses:
        clock.pass_(pause)
        use = window.use("key", limit, cost)
        before = sum(amount for at, amount in taken if at > clock() - 60)
        assert use.allowed == (before + cost <= limit)
        taken += [(clock(), cost)] * use.allowed
        assert use.remaining == limit - before - cost * use.allowed
        if not use.allowed:
            clock.pass_(use.seconds - 0.01)
            assert not window.use("key", limit, cost).allowed
            clock.pass_(0.011)
            assert window.use("key", limit, cost).allowed
            taken.append((clock(), cost))


def test_a_key_of_another_machine_opens_nothing_here(build_machine: BuildMachine, tmp_path: Path) -> None:
    desk = Desk(build_machine(), tmp_path / "home")
    made = CliRunner().invoke(
        main, [f"--set=home={tmp_path / 'home'}", "--set=machine_id=machine-2", "keys", "create", "erp"]
    )
    assert desk.told(made.stdout.strip()) == (401, "key_unknown")
