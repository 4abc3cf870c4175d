"""Lock of a socket: a motor with an H-bridge and a feedback switch.

The bridge is driven for 300 ms and then released, half a second after the plug was seen, so that
the hand is gone. The feedback is read with both inputs low. Up to five attempts, a second apart;
then the lock has failed. The bridge is never left energised.
"""

from machine import Pin
from micropython import const

_DELAY_MS = const(500)
_DRIVE_MS = const(300)
_PAUSE_MS = const(1_000)
_ATTEMPTS = const(5)


class MotorLock:
    """`locked` is the level of the feedback pin when the plug is locked."""

    def __init__(self, lock: int, unlock: int, feedback: int, locked: int = 1):
        self._lock = Pin(lock, Pin.OUT, value=0)
        self._unlock = Pin(unlock, Pin.OUT, value=0)
        self._feedback = Pin(feedback, Pin.IN)
        self._locked = locked
        self._wanted = None  # until the first wish
        self._attempts = 0
        self._is_driven = False
        self._next_ms = None  # None: at once, or nothing to do
        self.has_failed = False

    def set(self, locked: bool) -> None:
        """Want the plug locked or free; the motor runs from `poll`."""
        self._wanted = locked
        self._attempts = 0
        self._next_ms = None
        self.has_failed = False

    def is_locked(self) -> bool:
        """Return what the feedback shows; False while the motor runs."""
        return not self._is_driven and self._feedback.value() == self._locked

    def poll(self, now: int) -> None:
        """Do what is due."""
        if self._wanted is None:
            return
        if self._next_ms is None:
            self._next_ms = now + (_DELAY_MS if self._wanted else 0)
        if now < self._next_ms:
            return
        if self._is_driven:
            self._lock.value(0)
            self._unlock.value(0)
            self._is_driven = False
            self._next_ms = now + _PAUSE_MS
        elif self.is_locked() == self._wanted:
            self.has_failed = False
            self._attempts = 0
        elif self._attempts >= _ATTEMPTS:
            self.has_failed = True
        else:
            self._attempts += 1
            (self._lock if self._wanted else self._unlock).value(1)
            self._is_driven = True
            self._next_ms = now + _DRIVE_MS
