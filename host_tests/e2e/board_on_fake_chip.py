"""Start the firmware for esp32_devkit on a fake chip: board_on_fake_chip.py FOLDER OPTION...

Runs under MicroPython's Unix port, from the sources, or from an image if FOLDER is one of compiled
modules and not "sources". The chip joins the Wi-Fi "Carport" at 127.0.0.1 if the settings have it;
its pilot line shows no car. What the coil's pin did is printed when the node ends.
"""

import json
import sys

from tools import fake_machine

folder = sys.argv[1]
world = fake_machine.reset()
world.wifi_address = "127.0.0.1"
world.joins = {"Carport": (1010, "sunny side")}
world.idle_mv = 1_650  # 25 degrees
world.analog[36] = 1_500 + 1_200  # +12 V
world.inputs[27] = 1  # the contacts are open
if folder == "sources":
    board = fake_machine.load("boards.esp32_devkit.board").create()

    from firmware import board as choice
    from firmware.main import main

    choice.make = lambda options: board
else:
    fake_machine.stay("machine", "network")
    sys.path[:] = [folder, ".frozen"]
    from pilotwire import main

main(sys.argv[2:])
coil = [level for _, gpio, level in world.log if gpio == 26]
print(json.dumps({"event": "pins", "coil": coil}))
