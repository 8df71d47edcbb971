"""What those who look after the machine are told: lives, ready or why not, and its metrics; and who may know."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from providers.base import ProviderUnavailable
from providers.fake import FakeProvider
from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.machines import BuildCloudMachine, BuildMachine, Machine
from tests.support.paths import ROOT
from triof.drills.fault_file import FaultFile, InjectedFault
from triof.machine.cameras.base import CameraError
from triof.machine.cameras.browser import BrowserCamera

pytestmark = pytest.mark.slow

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


class Metrics(dict[tuple[str, frozenset[str]], float]):
    """Each sample by its name and the values of its labels."""

    def __call__(self, name: str, *labels: str) -> float:
        return self[name, frozenset(labels)]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self}


def metrics(machine: Machine) -> Metrics:
    page = machine.client().get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return Metrics({(sample.name, frozenset(sample.labels.values())): sample.value for sample in samples})


# ---- ready or not ----


def test_a_machine_that_works_is_alive_and_ready(machine: Machine) -> None:
    assert machine.client().get("/livez").status_code == 200
    ready = machine.client().get("/readyz", environ_base=ELSEWHERE)
    assert ready.status_code == 200
    assert ready.json
    assert (ready.json["ready"], ready.json["reasons"]) == (True, [])


class Cabled(BrowserCamera):
    """A camera with a cable."""

    is_plugged = True

    def take(self, upload: bytes | None) -> bytes:
        self.ping()
        return super().take(upload)

    def ping(self) -> None:
        if not self.is_plugged:
            raise CameraError("The camera is unplugged.")


class Losable(FakeProvider):
    """A provider that may lose its model."""

    is_there = True

    def ping(self) -> None:
        if not self.is_there:
            raise ProviderUnavailable("The model is gone.")


@pytest.fixture
def fragile(build_machine: BuildMachine) -> Machine:
    return build_machine(cleanliness=Losable("cleanliness", ["clean"]), camera=Cabled())


def _lose_journal(machine: Machine) -> None:
    assert machine.services.journal.database.path
    machine.services.journal.database.path.unlink()


def _unplug_camera(machine: Machine) -> None:
    assert isinstance(machine.services.camera, Cabled)
    machine.services.camera.is_plugged = False


def _jam(machine: Machine) -> None:
    machine.hardware.jam("shredder")


def _lose_model(machine: Machine) -> None:
    (model,) = machine.services.sorter.router.members("cleanliness")
    assert isinstance(model, Losable)
    model.is_there = False


@pytest.mark.parametrize(
    ("breaks", "part", "why"),
    [
        (_lose_journal, "journal", "J1: "),
        (_unplug_camera, "camera", "unplugged"),
        (_jam, "slot", "shredder"),
        (_lose_model, "cleanliness", "fake: The model is gone."),
    ],
)
def test_whatever_keeps_it_from_working_is_a_reason(
    fragile: Machine, breaks: Callable[[Machine], None], part: str, why: str
) -> None:
    client, clock = fragile.client(), fragile.clock
    assert client.get("/readyz").status_code == 200
    breaks(fragile)
    assert client.get("/readyz").status_code == 200, "a look holds for some seconds"
    clock.pass_(5)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json
    (reason,) = answer.json["reasons"]
    assert reason["part"] == part
    assert why in reason["why"]


def test_as_long_as_this_machine_can_answer_the_cloud_is_not_looked_for(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine
) -> None:
    cloud.stop()
    machine = cloud_machine()
    assert machine.client().get("/readyz").status_code == 200
    machine = cloud_machine(routes={"waste_type": ("custom_vision",), "cleanliness": ("local_cnn",)})
    answer = machine.client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json
    assert [reason["part"] for reason in answer.json["reasons"]] == ["waste_type"]
    assert cloud.calls == 0


# ---- metrics ----


def test_a_deposit_is_measured(build_machine: BuildMachine) -> None:
    machine = build_machine(waste_type=["cup"])
    visitor = machine.visitor().press("/start").press("/waste/pick-type").press("/return").press("/done")
    visitor.press("/start").press("/waste/pick-type").press("/confirmation", waste_type="bottle").press(
        "/confirmation", waste_type="bottle", sure="1"
    ).wait_idle()
    seen = metrics(machine)
    assert seen("triof_verdicts_total", "accept", "sure") == 2
    assert seen("triof_attempts_total", "waste_type", "fake", "answered") == 2
    assert seen("triof_answer_seconds_count", "cleanliness", "fake") == 2
    assert seen("triof_deposits_total", "returned") == 1
    assert seen("triof_deposits_total", "shredded") == 1
    assert seen("triof_deposits_total", "failed") == 0
    assert seen("triof_confirmations_total", "bottle", "corrected") == 1
    assert seen("triof_model_info", "waste_type", "fake", "script") == 1
    assert seen("triof_camera_last_photo_timestamp_seconds") > 1e9
    assert seen("triof_http_requests_total", "POST", "/waste/pick-type", "303") == 2
    assert seen("triof_process_resident_bytes") > 1e7
    assert seen("triof_disk_free_bytes") > 0


def test_the_cloud_and_what_stands_in_for_it_are_measured(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine
) -> None:
    machine = cloud_machine()
    visitor = machine.visitor().press("/start").press("/waste/pick-type").press("/return").press("/done")
    cloud.stop()
    for _ in range(3):
        visitor.press("/start").press("/waste/pick-type").press("/return").press("/done")
    seen = metrics(machine)
    assert seen("triof_attempts_total", "waste_type", "custom_vision", "answered") == 1
    assert seen("triof_fallbacks_total", "waste_type", "custom_vision") == 3
    assert seen("triof_breaker_state", "custom_vision", "open") == 1
    assert seen("triof_breaker_state", "custom_vision", "closed") == 0
    assert seen("triof_quota_limit", "custom_vision") == 10_000
    assert seen("triof_quota_used", "custom_vision") >= 1


def test_a_camera_that_gives_nothing_is_counted(fragile: Machine) -> None:
    visitor = fragile.visitor().press("/start")
    _unplug_camera(fragile)
    visitor.press("/waste/pick-type")
    assert metrics(fragile)("triof_camera_failures_total") == 1


def test_a_drill_is_not_counted(machine: Machine) -> None:
    fault_file = FaultFile(machine.services.operations.settings.home)
    fault_file.set(InjectedFault("cloud_dead", "http://127.0.0.1:9"), 60)
    machine.visitor().press("/start").press("/waste/pick-type").press("/return")
    fault_file.clear()
    seen = metrics(machine)
    assert seen("triof_judgement_seconds_count") == 0
    assert seen("triof_deposits_total", "returned") == 0


def test_nobody_outside_can_make_up_labels(machine: Machine) -> None:
    client = machine.client()
    for _ in range(3):
        client.get(f"/{uuid4()}")
        client.get(f"/waste/photo/{uuid4()}")
    client.open("/", method="BREW")
    labels = [labels for name, labels in metrics(machine) if name == "triof_http_requests_total"]
    assert sorted(map(sorted, labels)) == [
        ["/waste/photo/<uuid:deposit_id>", "404", "GET"],
        ["404", "GET", "unmatched"],
        ["405", "other", "unmatched"],
    ]


def test_what_cannot_be_read_is_left_out(machine: Machine) -> None:
    def fail() -> float:
        raise OSError

    gauge = machine.services.operations.metrics.gauge
    gauge("triof_broken", "Cannot be read", fail)
    gauge("triof_by_kind", "Numbers with a label", lambda: {("cup",): 3.0}, ["kind"])
    gauge("triof_unknown", "None at the moment", lambda: None)
    seen = metrics(machine)
    assert seen("triof_by_kind", "cup") == 3
    assert not {"triof_broken", "triof_unknown"} & seen.names


def test_every_metric_stands_in_the_docs(machine: Machine) -> None:
    page = (ROOT / "docs" / "reference" / "metrics-and-logs.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(triof_\w+)`", page, re.MULTILINE)
    there = [family.name for family in machine.services.operations.metrics.registry.collect()]
    assert sorted(name.removesuffix("_total") for name in listed) == sorted(there)


# ---- who may know ----


def test_metrics_are_for_this_machine_and_for_keys_that_may_read(machine: Machine) -> None:
    client, keys = machine.client(), machine.services.operations.keys
    asks, reads = keys.create("asks", ["predict"]), keys.create("reads", ["read"])

    def read(secret: str = "", **environ: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return client.get("/metrics", headers=headers, environ_base={**ELSEWHERE, **environ}).status_code

    assert read(REMOTE_ADDR="::1") == 200
    assert read(REMOTE_ADDR="::ffff:127.0.0.1") == 200
    assert read() == 401
    assert read("triof_madeup") == 401
    assert read(asks) == 403
    assert read(reads) == 200
    assert read(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="127.0.0.1") == 401, "it came through a proxy"


@pytest.mark.parametrize("environ", [ELSEWHERE, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"REMOTE_ADDR": "nonsense"}])
def test_the_touchscreen_is_the_machines_own(build_machine: BuildMachine, environ: dict[str, str]) -> None:
    machine = build_machine()
    client = machine.client()
    for path in ("/", "/start", "/confirmation", f"/waste/photo/{uuid4()}"):
        refused = client.get(path, environ_overrides=environ)
        assert refused.status_code == 403
        assert "on the machine itself" in refused.text
    assert client.get("/livez", environ_overrides=environ).status_code == 200
    assert client.get("/static/kiosk.css", environ_overrides=environ).status_code == 200
    assert not machine.events("deposit.opened")


def test_the_touchscreen_is_anybodys_where_the_settings_say_so(build_machine: BuildMachine) -> None:
    client = build_machine(server={"touchscreen_from_anywhere": True}).client()
    assert client.get("/", environ_base=ELSEWHERE).status_code == 200


def test_every_answer_names_its_request(machine: Machine) -> None:
    client = machine.client()
    assert client.get("/", headers={"X-Request-Id": "proxy:4-2.a"}).headers["X-Request-Id"] == "proxy:4-2.a"
    for made_up in ("a b", "x" * 65, "é", ""):
        given = client.get("/nowhere", headers={"X-Request-Id": made_up}).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", given)
