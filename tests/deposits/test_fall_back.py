"""The cloud comes and goes; the person has an answer every time, and page and journal tell whose and why."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.cloud_failures import SESSION, believed, check_journal, deposit
from tests.support.machines import BuildCloudMachine
from tests.support.paths import ROOT
from triof.common.paths import DEMO_PICTURES
from triof.judging.mode import Switch

pytestmark = pytest.mark.slow


def test_five_deposits_while_the_cloud_comes_and_goes(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine
) -> None:
    machine = cloud_machine(mode="cloud")
    visitor = machine.visitor()
    for turn in SESSION:
        turn.happens(cloud)
        deposit(visitor)
        told = re.search(r'class="judged-by">.*</svg>(.*)</figcaption>', visitor.page.text)
        assert (told and told[1].replace("&#39;", "'")) == turn.said
        visitor.press("/confirmation", waste_type=visitor.ticked).wait_idle().open("/confirmation")
        assert visitor.shown == "thanks"
        visitor.press("/done")
    check_journal(machine)


def test_each_cloud_answer_has_a_local_one_beside_it(cloud_machine: BuildCloudMachine) -> None:
    machine = cloud_machine()
    deposit(machine.visitor())
    (judged,) = machine.events("deposit.judged")
    assert judged.deposit_id
    rows = machine.services.journal.predictions(judged.deposit_id)
    types = {row.provider: row for row in rows if row.task == "waste_type"}
    assert types["custom_vision"].believed
    assert not types["local_cnn"].believed
    assert types["local_cnn"].label == types["custom_vision"].label == "bottle"
    assert judged.detail["mode"] == "auto"


def test_in_cloud_mode_a_fall_back_is_shown_as_a_fault(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.fault = "server_error"
    for mode, fault in (("auto", False), ("cloud", True)):
        visitor = cloud_machine(mode=mode).visitor()
        deposit(visitor)
        assert ("judged-by" in visitor.page.text) is fault
        visitor.press("/return").press("/done")
    assert [record.levelname for record in caplog.records if "router.fell_back" in record.message] == [
        "WARNING",
        "ERROR",
    ]


def test_the_switch_turns_a_running_machine(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, tmp_path: Path
) -> None:
    machine = cloud_machine()
    switch = Switch(tmp_path / "home", "auto")
    for mode, provider in (("local", "local_cnn"), ("auto", "custom_vision")):
        switch.turn(mode, "somebody", "a test")  # type: ignore[arg-type]
        visitor = machine.visitor()
        deposit(visitor)
        assert believed(machine)[-1].provider == provider
        visitor.press("/return").press("/done")
    assert cloud.calls == 1


def test_a_breaker_that_opened_stays_open_over_a_restart(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine
) -> None:
    cloud.fault = "server_error"
    machine = cloud_machine()
    for _ in range(3):
        visitor = machine.visitor()
        deposit(visitor)
        visitor.press("/return").press("/done")
    assert [event.reason for event in machine.events("breaker.opened")] == ["custom_vision"]
    asked = cloud.received
    again = cloud_machine()
    deposit(again.visitor())
    assert cloud.received == asked
    assert believed(again)[-1].attempts[0]["outcome"] == "BreakerOpen"


NO_SOCKETS = """
import sys

tried = []


def forbid(event, args):
    if event.startswith("socket."):
        tried.append(event)
        raise PermissionError(f"{event} in local mode")


from triof import services
from triof.app import create_app
from triof.settings.loader import load
from triof.judging.mode import Switch

settings = load().settings
sys.addaudithook(forbid)
built = services.build_kiosk(settings)
client = create_app(settings, built).test_client()
image = open(sys.argv[1], "rb").read()
list(built.sorter.router.problems())
judgement = built.sorter.judge(image)
assert client.get("/").status_code == 200
assert judgement.predictions["waste_type"].provider == "local_cnn", judgement
assert not tried, tried
Switch(settings.home, settings.mode).turn("auto", "test", "to see that the trap works")
built.sorter.judge(image)
assert tried, "the trap does not work"
built.close()
print("no socket")
"""


def test_local_mode_opens_no_socket_to_anywhere(cloud: CustomVisionServer, tmp_path: Path) -> None:
    environ = {
        "PATH": "",
        "TRIOF_HOME": str(tmp_path / "home"),
        "TRIOF_MODE": "local",
        "TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT": cloud.endpoint,
        "TRIOF_CUSTOM_VISION__PREDICTION_KEY": cloud.key,
        "TRIOF_CUSTOM_VISION__PROJECT_ID": cloud.project_id,
        "TRIOF_CUSTOM_VISION__PUBLISHED_NAME": cloud.published_name,
    }
    command = [sys.executable, "-c", NO_SOCKETS, str(DEMO_PICTURES / "bottle-clean-1.jpg")]
    ran = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout == "no socket\n", ran.stderr
    assert cloud.connections == 0
