"""Start the firmware for a board of boards/, on a fake chip: board_on_fake_chip.py BOARD OPTION...

Runs under MicroPython's Unix port. The chip joins the Wi-Fi "Carport" at 127.0.0.1 if the settings
have it; its pilot line shows no car. Pins that change are printed as events when the node ends.
"""

import json
import sys

from tools import fake_machine

name = sys.argv[1]
world = fake_machine.reset()
world.wifi_address = "127.0.0.1"
world.joins = {"Carport": (1010, "sunny side")}
world.idle_mv = 1_650
board = fake_machine.load("boards.%s.board" % name).create()
world.analog[36] = 1_500 + 1_200

from firmware import board as choice  # noqa: E402
from firmware.main import main  # noqa: E402

choice.make = lambda options: board
main(sys.argv[2:])
coil = [level for _, gpio, level in world.log if gpio == 26]
print(json.dumps({"event": "pins", "coil": coil}))
