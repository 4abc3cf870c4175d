"""The client side of a connection: what we ask a partner, and when we ask again.

Covers IEC 63380-3 5.3.2 (message counter, response delay, time-outs, repetition) and the client's
part of 5.5.4 and 5.5.5. A use case reads, subscribes and binds with the methods below; data comes
back to a callback, or to the handlers of the feature that asked (`Feature.receive`), which keep a
copy with `updated` if they need one.

Rules of this file: a request that is not answered is repeated with a new counter, a refused one is
not (IG 2.6); an answer that comes late counts all the same.
"""

from micropython import const

from spine import model, restricted
from spine.changes import apply
from spine.datagram import END, address_text, write_header
from spine.errors import TIMEOUT
from spine.output import Output

RESPONSE_DELAY_MS = const(10_000)  # maxResponseDelay where none is announced (TS 5.2.5.3)
REPEAT_AFTER_S = (30, 300, 900)  # pauses before an unanswered request is repeated (IG 2.6.2)
MAX_PENDING = const(16)  # requests under way
MAX_OUTBOX = const(64)  # datagrams; more means that the owner does not send them

_NODE_MANAGEMENT = ((0,), 0)


class Client:
    """Base of spine.peer.Peer."""

    def __init__(self, device):
        self.device = device
        self.address = None  # device address of the partner, learned from its datagrams
        self.outbox = []
        self.is_overrun = False  # more than MAX_OUTBOX was to be sent: end the connection
        self.decoder = model.Decoder()
        self._pending = {}  # msgCounter -> (deadline, repetitions, on_answer, the request)

    def discover(self, now):
        """Read the partner's detailed discovery; subscription and use cases follow its reply."""
        self.read(now, _NODE_MANAGEMENT, _NODE_MANAGEMENT, "nodeManagementDetailedDiscoveryData")

    def read(self, now, source, destination, function, on_answer=None, options=b""):
        """Read a function of the partner. Addresses are (entity, feature) pairs.

        `on_answer(datagram or None, error number, now)` gets the reply, an error, or the time-out
        after the last repetition; without it a reply goes to the handlers of the source feature.
        `options` from spine.options restrict it: only where `read.partial` is announced.
        """
        self._ask(now, ("read", source, destination, function, {}, options), on_answer)

    def write(self, now, source, destination, function, data, on_answer=None, options=b""):
        """Write natural `data` to a function of the partner, with acknowledgement.

        The source feature must be bound. `options` only where `write.partial` is announced.
        """
        self._ask(now, ("write", source, destination, function, data, options), on_answer)

    def call(self, now, function, data, on_answer=None):
        """Call a NodeManagement function of the partner, with acknowledgement."""
        request = ("call", _NODE_MANAGEMENT, _NODE_MANAGEMENT, function, data, b"")
        self._ask(now, request, on_answer)

    def subscribe(self, now, source, destination, feature_type, on_answer=None):
        """Subscribe our client feature to a server feature of the partner (5.5.5)."""
        self._relate(now, "Subscription", source, destination, feature_type, on_answer)

    def bind(self, now, source, destination, feature_type, on_answer=None):
        """Bind our client feature to a server feature of the partner (5.5.4)."""
        self._relate(now, "Binding", source, destination, feature_type, on_answer)

    def _relate(self, now, kind, source, destination, feature_type, on_answer):
        request = {
            "clientAddress": {
                "device": self.device.address,
                "entity": source[0],
                "feature": source[1],
            },
            "serverAddress": {
                "device": self.address,
                "entity": destination[0],
                "feature": destination[1],
            },
            "serverFeatureType": feature_type,
        }
        data = {kind.lower() + "Request": request}
        self.call(now, "nodeManagement%sRequestCall" % kind, data, on_answer)

    def _ask(self, now, request, on_answer, repetitions=0):
        """Send a request of ours. With too many under way the oldest is given up."""
        if len(self._pending) >= MAX_PENDING:
            self.log("too many requests under way")
            self._complete(min(self._pending), None, TIMEOUT, now)
        classifier, source, destination, function, data, options = request
        # A partner that has not said a word yet is asked again after 30 s (TS D.3).
        wait = 0
        if self.address is not None:
            wait = self.remote.delays.get(destination, RESPONSE_DELAY_MS)
        if repetitions < len(REPEAT_AFTER_S):
            wait += REPEAT_AFTER_S[repetitions] * 1000
        counter = self.device.next_counter()
        self._pending[counter] = (now + wait, repetitions, on_answer, request)
        out = begin(
            address_text(self.device.address, source[0], source[1]),
            address_text(self.address, destination[0], destination[1]),
            counter,
            None,
            classifier,
            classifier != "read",
        )
        out.extend(options)
        model.encode_function(out, model.find_function(function), data)
        self.finish(out)

    def updated(self, datagram, copy):
        """The natural data of a function after a reply or notify, given our `copy` of it so far.

        `copy` is {} at first. Raises SpineError: after that from a handler the function is read
        again.
        """
        row = model.find_function(datagram.function)
        delete, partial = restricted.parse_filters(row, datagram.filters, self.decoder)
        stated = self.decoder.decode(model.function_type(row), datagram.data())
        return apply(row, copy, stated, delete, partial)

    def _oldest_read(self, source, function):
        """The counter of our oldest open read of a function of the partner, or None."""
        for counter in sorted(self._pending):
            request = self._pending[counter][3]
            if request[0] == "read" and request[2] == source and request[3] == function:
                return counter
        return None

    def _complete(self, reference, datagram, number, now):
        """End the request that `reference` names. Returns whether somebody waited for it."""
        pending = self._pending.pop(reference, None)
        if pending is None or pending[2] is None:
            return False
        pending[2](datagram, number, now)
        return True

    def tick(self, now):
        """Repeat or end requests that were not answered; that is no reason to close (IG 2.6.4)."""
        late = [counter for counter in self._pending if self._pending[counter][0] <= now]
        for counter in sorted(late):
            if counter not in self._pending:  # given up meanwhile, for another request
                continue
            _, repetitions, on_answer, request = self._pending[counter]
            self.log("%s %d was not answered" % (request[3], counter))
            if repetitions < len(REPEAT_AFTER_S):
                del self._pending[counter]
                self._ask(now, request, on_answer, repetitions + 1)
            else:
                self._complete(counter, None, TIMEOUT, now)

    def deadline(self):
        """When the next request runs out, or None."""
        if not self._pending:
            return None
        return min([pending[0] for pending in self._pending.values()])

    def finish(self, out):
        """Close the datagram and put it into the outbox."""
        out.extend(END)
        if len(self.outbox) >= MAX_OUTBOX:
            self.is_overrun = True
        else:
            self.outbox.append(out.parts())


def begin(source, destination, counter, reference, classifier, ack_request=False):
    """A new datagram up to its command."""
    out = Output()
    write_header(out, source, destination, counter, reference, classifier, ack_request)
    return out
