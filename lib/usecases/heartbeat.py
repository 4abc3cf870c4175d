"""Heartbeats both ways (deviceDiagnosisHeartbeatData, IEC 63380-3 5.5.5; LPC and LPP scenario 3).

`HeartbeatSource` sends ours to whoever subscribed. `Guard` finds the partner that may limit us,
subscribes to its heartbeat and tells its listeners of each beat it receives.

Whose heartbeat counts ("KEO rule"): with several candidates on a partner it is the entity that
bound our LoadControl feature (TC_SPINE_RTS_003); a single candidate is subscribed at once. When
that partner is gone nobody else's heartbeat stands in for it, until somebody else binds: what it
limited must not be kept alive by a partner that does not know of it. The announced timeout is
informative: LPC and LPP fix theirs at 120 s.
"""

from micropython import const

from spine.device import CLIENT, SERVER
from spine.values import duration
from usecases.use_case import UseCase

PERIOD_MS = const(25_000)  # T_HB_TX <= 60 s; well below, since jitter trips strict partners
_TIMEOUT_S = const(60)

_HEARTBEAT = "deviceDiagnosisHeartbeatData"
_DIAGNOSIS = "DeviceDiagnosis"


class HeartbeatSource(UseCase):
    """Our heartbeat on the DeviceDiagnosis server of an entity. No subscriber, no traffic."""

    def __init__(self, entity, timestamp):
        """`timestamp()` gives the wall time as xs:dateTime text, or None if it is not known."""
        super().__init__(entity)
        self._timestamp = timestamp
        self._counter = 0
        self._next = None
        self._feature = entity.feature(_DIAGNOSIS, SERVER)
        self._feature.serve(_HEARTBEAT, self._read)

    def _read(self, peer):
        data = {"heartbeatCounter": self._counter, "heartbeatTimeout": duration(_TIMEOUT_S)}
        timestamp = self._timestamp()
        if timestamp:
            data["timestamp"] = timestamp
        return data

    def related(self, kind, peer, client_entity, feature, now):
        """A first beat follows each new subscription."""
        if kind == "subscription" and feature is self._feature:
            self._next = now

    def tick(self, now):
        if self._next is None or now < self._next:
            return
        if not self.entity.device.subscriptions.of_feature(self._feature):
            self._next = None
            return
        self._counter = (self._counter + 1) & 0x3FFFFFFF
        self._feature.changed(_HEARTBEAT)
        self._next = now + PERIOD_MS

    def deadline(self):
        return self._next


class Guard(UseCase):
    """The energy guard: whom we listen to, and its heartbeat.

    `use_cases` lists the use cases for which a partner is a guard, `actors` what it is called in
    them. Listeners get `heartbeat(now)` for each beat and `guard_bound(peer, now)` when a partner
    binds LoadControl. `number` is that of our client feature, None for the next.
    """

    def __init__(self, entity, use_cases, actors=("EnergyGuard",), number=None):
        super().__init__(entity)
        self.listeners = []
        self.use_cases = use_cases
        self._actors = actors
        self._sources = []  # (peer, remote entity, remote feature) subscribed to
        self._bound = None  # (peer, client entity) of the LoadControl binding
        self._owner = None  # name of who bound last, connected or not
        self._client = entity.feature(_DIAGNOSIS, CLIENT, number)
        self._client.receive(_HEARTBEAT, self._beat)

    def peer_changed(self, peer, now):
        candidates = self._candidates(peer)
        if len(candidates) == 1 or (self._bound and self._bound[0] is peer):
            self._listen(peer, candidates, now)

    def related(self, kind, peer, client_entity, feature, now):
        if kind != "binding" or feature.feature_type != "LoadControl":
            return
        if feature.entity is not self.entity:
            return
        self._bound = (peer, client_entity)
        if self._owner not in (None, peer.name):
            self._forget(peer)  # its heartbeats did not count until now: read one again
        self._owner = peer.name
        self._listen(peer, self._candidates(peer), now)
        for listener in self.listeners:
            listener.guard_bound(peer, now)

    def peer_lost(self, peer):
        self._forget(peer)
        if self._bound and self._bound[0] is peer:
            self._bound = None

    def _forget(self, peer):
        self._sources = [source for source in self._sources if source[0] is not peer]

    def _candidates(self, peer):
        """(entity, feature) of the heartbeat servers that may be the guard's.

        A guard whose announcement names no entity, or none at all, is found by its binding.
        """
        servers = peer.remote.servers(_DIAGNOSIS)
        entities = [
            entity
            for name in self.use_cases
            for entity, actor in peer.remote.actors_of(name)
            if actor in self._actors
        ]
        if self._bound and self._bound[0] is peer:
            entities = [self._bound[1]]
        elif not entities:
            return []
        return [server for server in servers if server[0] in entities] or servers

    def _listen(self, peer, candidates, now):
        """Subscribe to heartbeats, then read one: a reply counts as a beat."""
        for entity, feature in candidates:
            source = (peer, entity, feature)
            if source in self._sources:
                continue
            self._sources.append(source)
            local = (self.entity.address, self._client.number)
            peer.subscribe(now, local, (entity, feature), _DIAGNOSIS)
            for name in self._client.handlers:
                peer.read(now, local, (entity, feature), name)

    def _beat(self, peer, datagram, now):
        """A heartbeat arrived. Counter and time may look odd, it is proof of life all the same."""
        if self._counts(peer, datagram):
            for listener in self.listeners:
                listener.heartbeat(now)

    def _counts(self, peer, datagram):
        """Whether it comes from the entity that bound us; anybody's counts until one has."""
        if not self._bound:
            return self._owner in (None, peer.name)
        bound_peer, bound_entity = self._bound
        entities = [server[0] for server in peer.remote.servers(_DIAGNOSIS)]
        own = bound_entity in entities
        return peer is bound_peer and (not own or datagram.source_entity == bound_entity)
