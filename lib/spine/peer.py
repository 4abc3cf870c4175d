"""One connected SPINE partner: takes its datagrams apart and answers them.

Covers IEC 63380-3 5.3.2 (acknowledgement, Table 2, processing order); asking is in spine.client.
`receive` and `tick` leave datagrams in `outbox`, each a list of buffers; the owner sends them over
SHIP.

Rules of this file:
- exactly one answer for each request; nothing ever answers a result, and no application error
  answers a reply or notify (TC_SPINE_COMP_004, _DATA_006, _DATA_008);
- a result with an error is always sent, a result without error only if asked for;
- all checks come before any change.
"""

from spine import model, restricted
from spine.client import Client, begin
from spine.datagram import address_text, major, parse
from spine.device import CLIENT, SERVER, WRITE
from spine.errors import (
    BINDING_REQUIRED,
    COMMAND_NOT_SUPPORTED,
    COMMAND_REJECTED,
    DESTINATION_UNKNOWN,
    DESTINATION_UNREACHABLE,
    GENERAL_ERROR,
    NO_ERROR,
    SpineError,
)
from spine.remote import Remote


class Peer(Client):
    """A partner on one connection. `name` is its SKI, for logs.

    `log(peer, text)` is called for whatever an installer might have to know.
    """

    def __init__(self, device, name, log):
        super().__init__(device)
        self.name = name
        self.remote = Remote()  # what its discovery told
        self.is_restricted = False  # the partner may read, but not yet write
        self.behind = {}  # device address -> Peer reached through this one (spine.enhanced)
        self._log = log

    # --- life cycle -------------------------------------------------------------------------

    def start(self, now):
        """Data exchange is open: ask for the partner's structure (5.5.1)."""
        self.device.peers.append(self)
        self.discover(now)

    def stop(self):
        """The connection is gone: forget everything that hung on it (5.5.4 "Persistence")."""
        for peer in self.behind.values():
            peer.stop()
        self.behind = {}
        self.device.peers.remove(self)
        self.device.bindings.drop_peer(self)
        self.device.subscriptions.drop_peer(self)
        self._pending = {}
        self.outbox = []
        for use_case in self.device.use_cases:
            use_case.peer_lost(self)

    def structure_changed(self, now):
        """The partner's tree or use cases changed: let the use cases look for their partners."""
        for use_case in self.device.use_cases:
            use_case.peer_changed(self, now)

    def log(self, text):
        """Report something to the owner."""
        self._log(self, text)

    # --- sending ----------------------------------------------------------------------------

    def notify(self, entry, function):
        """Notify the subscriber of a relation of a function's whole data."""
        out = self.begin_notify(entry)
        function.write_to(out, self)
        self.finish(out)

    def begin_notify(self, entry):
        """Begin a notify to the subscriber of a relation; append its command, then `finish`."""
        return begin(
            entry.feature.address,
            address_text(self.address, entry.client_entity, entry.client_feature),
            self.device.next_counter(),
            None,
            "notify",
        )

    def _begin_answer(self, datagram, classifier):
        """Begin an answer from the requested destination to the requesting source."""
        return begin(
            address_text(
                self.device.address, datagram.destination_entity, datagram.destination_feature
            ),
            address_text(
                datagram.source_device or self.address,
                datagram.source_entity,
                datagram.source_feature,
            ),
            self.device.next_counter(),
            datagram.counter,
            classifier,
        )

    def _result(self, datagram, number, description=""):
        out = self._begin_answer(datagram, "result")
        data = {"errorNumber": number}
        if description:
            data["description"] = description
        model.encode_function(out, model.find_function("resultData"), data)
        self.finish(out)
        if number:
            self.log(
                "%s of %s refused: %d %s"
                % (datagram.classifier, datagram.function, number, description)
            )

    # --- receiving --------------------------------------------------------------------------

    def receive(self, text, now):
        """Take one datagram (bytes or memoryview); answers are in `outbox` afterwards."""
        try:
            datagram = parse(text)
        except (ValueError, TypeError, IndexError) as error:
            self.log("datagram discarded: %s" % error)
            return
        if datagram.source_device == self.device.address:
            self.log("datagram from our own address discarded")
            return
        if major(datagram.version) > 1:
            self.log("datagram of incompatible version %s discarded" % datagram.version)
            return
        if self.address is None and datagram.source_device is not None:
            self.address = datagram.source_device
        if self.is_restricted and datagram.classifier == "write":
            self._result(datagram, COMMAND_REJECTED, "PIN needed")
            return
        self.behind.get(datagram.source_device, self).take(datagram, now)

    def take(self, datagram, now):
        """Take a datagram of this device that has been read."""
        classifier = datagram.classifier
        if classifier == "result":
            self._take_result(datagram, now)
        elif classifier in ("reply", "notify"):
            self._take_data(datagram, now)
        else:
            self._take_request(datagram, now)

    def _take_result(self, datagram, now):
        number = NO_ERROR
        try:
            row = model.find_function("resultData")
            result = self.decoder.decode(model.function_type(row), datagram.data())
            number = result.get("errorNumber", NO_ERROR)
        except ValueError:
            self.log("unreadable result")
        self._complete(datagram.reference, None, number, now)

    def _take_data(self, datagram, now):
        """Replies and notifies: their content is never answered with an application error."""
        destination = self._destination(datagram)
        if datagram.classifier == "reply" and datagram.function == "resultData":
            self._take_result(datagram, now)  # a known stack answers calls this way
            return
        if datagram.ack_request:
            self._result(datagram, NO_ERROR if destination else DESTINATION_UNKNOWN)
        source = (datagram.source_entity, datagram.source_feature)
        reference = datagram.reference
        if reference is None and not datagram.filters:
            # Some reply without reference, or with a notify, to what was read (5.3.2).
            reference = self._oldest_read(source, datagram.function)
        handler = destination and destination.handlers.get(datagram.function)
        try:
            if not self._complete(reference, datagram, NO_ERROR, now) and handler:
                handler(self, datagram, now)
        except SpineError as error:
            # A restricted notify that we cannot follow: ask for the whole.
            self.log("%s: %s" % (datagram.function, error.description))
            if handler and datagram.classifier == "notify":
                own = (destination.entity.address, destination.number)
                self.read(now, own, source, datagram.function)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self.log("%s not understood: %s" % (datagram.function, error))

    def _destination(self, datagram):
        if datagram.destination_device not in (None, self.device.address):
            return None
        return self.device.find_feature(datagram.destination_entity, datagram.destination_feature)

    def _take_request(self, datagram, now):
        try:
            self._carry_out(datagram, now)
        except SpineError as error:
            self._result(datagram, error.number, error.description)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self._result(datagram, GENERAL_ERROR, "malformed data")
            self.log("malformed %s: %s" % (datagram.function, error))

    def _carry_out(self, datagram, now):
        """Check a request in the order of 5.3.2 and carry it out. Raises SpineError."""
        if datagram.destination_device not in (None, self.device.address):
            raise SpineError(DESTINATION_UNREACHABLE, "no such device")
        feature = self._destination(datagram)
        if feature is None:
            raise SpineError(DESTINATION_UNKNOWN, "no such feature")
        if datagram.commands != 1:
            raise SpineError(GENERAL_ERROR, "one command expected")
        function = feature.find(datagram.function)
        if function is None or feature.role == CLIENT:
            raise SpineError(COMMAND_NOT_SUPPORTED, "function not supported")
        # spine-go states an empty name in restricted reads.
        if datagram.stated_function not in (None, "", datagram.function):
            raise SpineError(COMMAND_REJECTED, "function and data differ")
        delete, partial = restricted.parse_filters(function.row, datagram.filters, self.decoder)
        if datagram.classifier == "read":
            self._read(datagram, function, delete, partial)
        elif datagram.classifier == "write":
            self._write(datagram, feature, function, delete, partial)
        elif datagram.classifier == "call":
            self._called(datagram, function, now)
        else:
            raise SpineError(COMMAND_NOT_SUPPORTED, "unknown classifier")

    def _read(self, datagram, function, delete, partial):
        if not function.operations:
            raise SpineError(COMMAND_NOT_SUPPORTED, "not readable")
        if delete:
            raise SpineError(COMMAND_REJECTED, "delete filter in a read")
        out = self._begin_answer(datagram, "reply")
        if partial:
            out.extend(b'{"function":"%s"},' % function.name.encode())
            out.extend(b'{"filter":[[{"cmdControl":[{"partial":[]}]}]]},')
        function.write_to(out, self, partial)
        self.finish(out)

    def _write(self, datagram, feature, function, delete, partial):
        if feature.role != SERVER or not function.operations & WRITE:
            raise SpineError(COMMAND_NOT_SUPPORTED, "not writable")
        source = (self, datagram.source_entity, datagram.source_feature, feature)
        if not self.device.bindings.find(*source):
            raise SpineError(BINDING_REQUIRED, "binding required")
        unusable = self.decoder.unusable
        stated = self.decoder.decode(model.function_type(function.row), datagram.data())
        if self.decoder.unusable != unusable:
            raise SpineError(GENERAL_ERROR, "value of a wrong type")
        for commit in function.prepare_write(self, stated, delete, partial):
            commit()
        feature.changed(function.name)
        if datagram.ack_request:
            self._result(datagram, NO_ERROR)

    def _called(self, datagram, function, now):
        call = getattr(function, "call", None)
        if call is None:
            raise SpineError(COMMAND_NOT_SUPPORTED, "not callable")
        row = function.row
        call(self, self.decoder.decode(model.function_type(row), datagram.data()), now)
        if datagram.ack_request:
            self._result(datagram, NO_ERROR)
