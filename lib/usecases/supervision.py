"""The energy manager behind OPEV, OSCEV and CEVC: is it alive, and is it well (scenarios 2, 3).

Follows the heartbeat and the state of the partner's DeviceDiagnosis. What its silence means is
the business of each use case: OPEV falls to a safe current, OSCEV forgets the recommendation.

OPEV-005 fixes the loss at 4 s. Managers on small computers and radio links pause for longer than
that, so unless the installer wants it strict, twice the announced time and a second are waited.
"""

from micropython import const

from spine import model
from spine.values import parse_duration
from usecases.heartbeat import Guard

ACTORS = ("CEM", "EnergyGuard", "EnergyBroker")  # products say CEM where the documents do not

_STRICT_MS = const(4_000)
_LONGEST_S = const(60)

_HEARTBEAT = "deviceDiagnosisHeartbeatData"
_STATE = "deviceDiagnosisStateData"


class Supervision(Guard):
    """`beat_ms` is the time of the last heartbeat (None: none yet), `has_failed` the manager's own
    word that it is out of order, `who` its device address or ""."""

    def __init__(self, entity, use_cases, number, is_strict):
        super().__init__(entity, use_cases, ACTORS, number)
        self.beat_ms = None
        self.has_failed = False
        self.who = ""
        self._is_strict = is_strict
        self._patience_ms = _STRICT_MS
        self._client.receive(_STATE, self._take_state)

    def is_offered_by(self, peer, name):
        """Whether a partner announces that it plays its part of the use case `name`."""
        for _, actor in peer.remote.actors_of(name):
            if actor in ACTORS:
                return True
        return False

    def is_alive(self, now):
        """Whether a heartbeat came in time and the manager reports no failure."""
        if self.beat_ms is None or self.has_failed:
            return False
        return now - self.beat_ms < self._patience_ms

    def related(self, kind, peer, client_entity, feature, now):
        super().related(kind, peer, client_entity, feature, now)
        if self._bound:
            self.who = self._bound[0].address or ""

    def _beat(self, peer, datagram, now):
        if not self._counts(peer, datagram):
            return
        is_back = not self.is_alive(now)
        self.beat_ms = now
        self.who = peer.address or ""
        if not self._is_strict:
            self._patience_ms = 1000 + 2000 * self._announced_s(peer, datagram)
        for listener in self.listeners:
            listener.heartbeat(now)
            if is_back:
                listener.supervised(now)

    def _announced_s(self, peer, datagram):
        """The heartbeat's own time-out; nonsense is read as the 4 s of the use case."""
        row = model.function_type(model.find_function(_HEARTBEAT))
        text = peer.decoder.decode(row, datagram.data()).get("heartbeatTimeout", "PT4S")
        try:
            return min(max(parse_duration(text), 4), _LONGEST_S)
        except ValueError:
            return 4

    def _take_state(self, peer, datagram, now):
        """operatingState of the manager; what is not `failure` is good enough."""
        if self._counts(peer, datagram):
            row = model.function_type(model.find_function(_STATE))
            state = peer.decoder.decode(row, datagram.data()).get("operatingState")
            self.has_failed = state == "failure"
            for listener in self.listeners:
                listener.supervised(now)
