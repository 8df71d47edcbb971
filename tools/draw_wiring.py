"""Draw how the parts are wired to a Raspberry Pi: ``python -m tools.draw_wiring``.

Writes docs/images/wiring.svg and the wiring table in docs/guide/build-a-machine.md, both from the default pin table of
the settings (``slot.gpiozero``).
"""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from triof.settings.sections.machine.gpio import GpioSettings

ROOT = Path(__file__).resolve().parent.parent
PICTURE = Path("docs", "images", "wiring.svg")
PAGE = Path("docs", "guide", "build-a-machine.md")
HEADER: dict[int, int] = {
    2: 3,
    3: 5,
    4: 7,
    14: 8,
    15: 10,
    17: 11,
    18: 12,
    27: 13,
    22: 15,
    23: 16,
    24: 18,
    10: 19,
    9: 21,
    25: 22,
    11: 23,
    8: 24,
    7: 26,
    5: 29,
    6: 31,
    12: 32,
    13: 33,
    19: 35,
    16: 36,
    26: 37,
    20: 38,
    21: 40,
}
"""Place on the 40-pin header by BCM number."""
_ROW, _WIDTH, _EDGE, _TOP = 40, 900, 16, 92
_STYLE = """\
text { font: 14px sans-serif; fill: #1b1f24 } .small { font-size: 12px; fill: #57606a } .head { font-weight: bold }
.board { fill: #eaf2f8; stroke: #1f5f8b } .part { fill: #ffffff; stroke: #57606a } .pin { fill: #1f5f8b }
.signal { stroke: #1f5f8b; stroke-width: 2 } .power { stroke: #c0392b; stroke-width: 2 } .warn { fill: #c0392b }"""


class Wire(NamedTuple):
    """One pin: the setting that names it, the part, and how it is wired."""

    setting: str
    part: str
    how: str


WIRES = (
    Wire("slot_servo", "servo of the slot's door", "signal wire; power from its own 5 V supply, grounds joined"),
    Wire("box_servo", "servo of the boxes", "signal wire; power from the same supply"),
    Wire("shredder_relay", "relay board, channel 1: the shredder's contactor", "signal; the board's 5 V and ground"),
    Wire("lamp_relay", "relay board, channel 2: the lamp in the slot", "signal"),
    Wire("slot_switch", "switch at the slot's door", "contact to ground, closed while the door is closed"),
    Wire("item_sensor", "receiver of the item's beam", "open collector to ground while the beam is broken"),
    Wire("emergency_stop", "emergency stop, second contact", "opening contact to ground"),
    Wire("status_red", "status light, red", "by a resistor of 330 ohms to the light, its cathode to ground"),
    Wire("status_green", "status light, green", "the same"),
    Wire("status_blue", "status light, blue", "the same"),
)


def picture(table: GpioSettings) -> str:
    """The drawing as SVG."""
    height = _TOP + _ROW * len(WIRES) + 110
    body = "\n".join([*_board(height), *_wires(table), *_power(height)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">\n'
        f"<title>Wiring of the machine's parts to a Raspberry Pi</title>\n<style>\n{_STYLE}\n</style>\n"
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _board(height: int) -> Iterator[str]:
    yield f'<rect class="board" x="{_EDGE}" y="{_EDGE}" width="250" height="{height - 2 * _EDGE}" rx="8"/>'
    yield f'<text class="head" x="{_EDGE + 14}" y="{_EDGE + 28}">Raspberry Pi, 40-pin header</text>'
    yield f'<text class="small" x="{_EDGE + 14}" y="{_EDGE + 50}">BCM number, place on the header</text>'


def _wires(table: GpioSettings) -> Iterator[str]:
    for row, wire in enumerate(WIRES):
        y, bcm = _TOP + row * _ROW + _ROW // 2, int(getattr(table, wire.setting))
        yield f'<text x="{_EDGE + 90}" y="{y + 5}">GPIO {bcm}</text>'
        yield f'<text class="small" x="{_EDGE + 165}" y="{y + 5}">pin {HEADER[bcm]}</text>'
        yield f'<line class="signal" x1="{_EDGE + 250}" y1="{y}" x2="400" y2="{y}"/>'
        yield f'<circle class="pin" cx="{_EDGE + 250}" cy="{y}" r="6"/>'
        yield f'<rect class="part" x="400" y="{y - 16}" width="484" height="34" rx="6"/>'
        yield f'<text x="412" y="{y - 2}">{escape(wire.part)}</text>'
        yield f'<text class="small" x="412" y="{y + 13}">{escape(wire.how)}</text>'


def _power(height: int) -> Iterator[str]:
    y = height - 84
    yield f'<text x="{_EDGE + 90}" y="{y + 5}">ground</text>'
    yield f'<text class="small" x="{_EDGE + 165}" y="{y + 5}">pin 6, 9 …</text>'
    yield f'<line class="power" x1="{_EDGE + 250}" y1="{y}" x2="400" y2="{y}"/>'
    yield f'<rect class="part" x="400" y="{y - 16}" width="484" height="34" rx="6"/>'
    yield f'<text x="412" y="{y + 5}">common ground of supplies, relay board, switches, sensor and lights</text>'
    yield (
        f'<text class="warn" x="400" y="{y + 46}">The stop button\'s first contact cuts the supply of shredder and '
        "motors itself:</text>"
    )
    yield f'<text class="warn" x="400" y="{y + 64}">it is wired without the computer.</text>'


def listed(table: GpioSettings) -> str:
    """The wiring table in Markdown."""
    rows = [
        f"| {wire.part} | {bcm} | {HEADER[bcm]} | {wire.how} | `slot.gpiozero.{wire.setting}` |"
        for wire in WIRES
        for bcm in [int(getattr(table, wire.setting))]
    ]
    return "\n".join(["| part | BCM | pin | how | setting |", "|---|---|---|---|---|", *rows])


def page(text: str, table: GpioSettings) -> str:
    """The page with its table drawn again."""
    return re.sub(r"(?<=<!-- wiring -->\n).*?(?=\n<!-- /wiring -->)", lambda _: listed(table), text, flags=re.DOTALL)


def main() -> None:
    """Draw."""
    table = GpioSettings()
    (ROOT / PICTURE).write_text(picture(table), encoding="utf-8")
    (ROOT / PAGE).write_text(page((ROOT / PAGE).read_text(encoding="utf-8"), table), encoding="utf-8")
    print(f"Written: {PICTURE}, and the wiring table in {PAGE}")


if __name__ == "__main__":
    main()
