"""The board this firmware is for: the simulator, which has options.

An image for another board has a file with the same function here; tools/romfs.py writes it.
"""


def make(options):
    """Return the one board; `options` are those of the start (firmware.main)."""
    from boards.sim.board import create

    return create(
        phases=options.phases,
        feed_in_w=options.feed_in_w,
        iso15118=options.iso15118,
        switch_phases=options.switch_phases,
    )
