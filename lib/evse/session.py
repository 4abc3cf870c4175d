"""Energy since plug-in: the meter's total now minus its total then, never an integral.

A session that was open before a restart is handed in by `restore`, so that a car found
connected at boot continues its session instead of counting as a new one; call it before the
first step. Storage is the owner's business.
"""


class Session:
    """One plug-in at a time; `energy_wh` stays readable after the end."""

    def __init__(self):
        self.count = 0
        self.is_open = False
        self.started_ms = None
        self.start_wh = None  # None until the meter gave a total
        self.energy_wh = 0

    def restore(self, count: int, start_wh: "int | None") -> None:
        """Continue from storage: sessions so far, and the total at plug-in if one was open."""
        self.count = count
        self.is_open = start_wh is not None
        self.start_wh = start_wh

    def begin(self, now: int) -> None:
        """A car was plugged in; a restored open session goes on."""
        self.started_ms = now
        if not self.is_open:
            self.is_open = True
            self.count += 1
            self.start_wh = None
            self.energy_wh = 0

    def update(self, total_wh: int) -> None:
        """Take the total of a good meter reading."""
        if not self.is_open:
            return
        if self.start_wh is None or total_wh < self.start_wh:  # the second: meter replaced
            self.start_wh = total_wh - self.energy_wh
        self.energy_wh = total_wh - self.start_wh

    def end(self) -> None:
        """The car was unplugged, or none was found after a restart."""
        self.is_open = False
