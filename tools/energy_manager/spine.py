"""SPINE on one connection: datagrams, counters, pending requests, dispatch, IEC 63380-3 5.3, 5.5.

A request is a coroutine that returns the answer or raises: `ErrorResult` when the charger answers
with a result that is not 0, `NoAnswer` when it stays silent for longer than its response delay of
10 s. At most 16 requests are outstanding, as with the managers in the field; more of them queue.

Rules of this file: every datagram gets at most one answer; a reply or a result never gets an error
(5.3.2); content that makes no sense is reported by `on_event` and otherwise ignored.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .eebus_json import as_bool, as_int, as_list, as_map, as_maps
from .local_device import (
    BINDING_NECESSARY,
    DESTINATION_UNKNOWN,
    DESTINATION_UNREACHABLE,
    GENERAL_ERROR,
    NODE_MANAGEMENT,
    NOT_SUPPORTED,
    LocalDevice,
    Rejected,
)
from .remote_device import Feature, RemoteDevice, entity_address

VERSION = "1.3.0"
T_RESPONSE_S = 10
MAX_OUTSTANDING = 16

DISCOVERY = "nodeManagementDetailedDiscoveryData"
USE_CASES = "nodeManagementUseCaseData"
_NOT_DATA = ("function", "filter", "manufacturerSpecificExtension", "lastUpdateAt")


class SpineError(Exception):
    """A request did not succeed."""


class ErrorResult(SpineError):
    """The charger answered with an error: `number` (IEC 63380-3 5.3.2) and its own `text`."""

    def __init__(self, number: int, text: str = ""):
        super().__init__(f"error {number}{': ' if text else ''}{text}")
        self.number = number
        self.text = text


class NoAnswer(SpineError):
    """The charger did not answer in time, or the connection ended before it did."""


@dataclass
class _Pending:
    """A request that waits for its answer."""

    future: asyncio.Future
    feature: tuple
    function: str


class Spine:
    """The SPINE side of one connection.

    `send(datagram)` is a coroutine function. `on_data(feature_address, function, via)` is called
    after our copy of the charger's data changed, `via` is `reply` or `notify`. `on_event(kind,
    **details)` reports what else happens.
    """

    def __init__(
        self,
        local: LocalDevice,
        remote: RemoteDevice,
        send: Callable[[dict], Awaitable[None]],
        on_data: Callable[[tuple, str, str], None],
        on_event: Callable[..., None],
    ):
        self.local = local
        self.remote = remote
        self._send = send
        self._on_data = on_data
        self.on_event = on_event
        self._counter = 0
        self._pending: dict[int, _Pending] = {}
        self._subscribed: set[tuple] = set()
        self._outstanding = asyncio.Semaphore(MAX_OUTSTANDING)

    # -- requests -------------------------------------------------------------------------------

    async def read(self, feature: Feature, function: str) -> dict:
        """Read a function of a server feature; return its content after the reply."""
        source = self.local.client_for(feature.type)
        address = (feature.entity, feature.number)
        await self._request("read", source, address, {function: {}})
        return self.remote.get(feature, function)

    async def read_node(self, function: str) -> None:
        """Read a function of the charger's NodeManagement."""
        await self._request("read", NODE_MANAGEMENT, NODE_MANAGEMENT, {function: {}})

    async def write(self, feature: Feature, cmd: dict) -> None:
        """Write to a server feature with acknowledgement."""
        source = self.local.client_for(feature.type)
        await self._request("write", source, (feature.entity, feature.number), cmd)

    async def subscribe(self, feature: Feature) -> None:
        """Subscribe to a server feature, so that it notifies us; once per feature is enough."""
        address = (feature.entity, feature.number)
        if address not in self._subscribed:
            self._subscribed.add(address)
            await self._relate("Subscription", *address, feature.type)

    async def subscribe_node(self) -> None:
        """Subscribe to the charger's NodeManagement: entities and use cases come and go."""
        await self._relate("Subscription", *NODE_MANAGEMENT, "NodeManagement")

    async def bind(self, feature: Feature) -> None:
        """Bind a server feature; one that is bound to us already counts as success."""
        try:
            await self._relate("Binding", feature.entity, feature.number, feature.type)
        except ErrorResult:
            if not await self._is_bound(feature):
                raise

    async def _relate(self, kind: str, entity: tuple, number: int, feature_type: str) -> None:
        client = self._address(*self.local.client_for(feature_type))
        request = {
            "clientAddress": client,
            "serverAddress": self._remote_address(entity, number),
            "serverFeatureType": feature_type,
        }
        call = {f"nodeManagement{kind}RequestCall": {f"{kind.lower()}Request": request}}
        await self._request("call", NODE_MANAGEMENT, NODE_MANAGEMENT, call)

    async def _is_bound(self, feature: Feature) -> bool:
        """Ask the charger's binding table; older stacks refuse a second identical binding."""
        function = "nodeManagementBindingData"
        try:
            await self.read_node(function)
        except SpineError:
            return False
        client = self._address(*self.local.client_for(feature.type))
        table = self.remote.data.get((*NODE_MANAGEMENT, function), {})
        return any(
            as_map(entry.get("clientAddress")) == client
            and entity_address(entry.get("serverAddress")) == feature.entity
            and as_int(as_map(entry.get("serverAddress")).get("feature")) == feature.number
            for entry in as_maps(table.get("bindingEntry"))
        )

    async def notify(self, source: tuple, destination: dict, cmd: dict) -> None:
        """Send one notify from a server feature of ours; `destination` is an address dict."""
        await self._datagram("notify", self._address(*source), destination, cmd)

    async def _request(
        self, classifier: str, source: tuple, destination: tuple, cmd: dict
    ) -> None:
        """Send a request and wait for what ends it."""
        function = next(name for name in cmd if name not in _NOT_DATA)
        async with self._outstanding:
            self._counter += 1
            counter = self._counter
            waiting = asyncio.get_running_loop().create_future()
            self._pending[counter] = _Pending(waiting, destination, function)
            try:
                await self._datagram(
                    classifier,
                    self._address(*source),
                    self._remote_address(*destination),
                    cmd,
                    counter=counter,
                    ack=classifier != "read",
                )
                async with asyncio.timeout(T_RESPONSE_S):
                    await waiting
            except TimeoutError as error:
                raise NoAnswer(f"no answer to {classifier} {function}") from error
            finally:
                del self._pending[counter]
                if waiting.done() and not waiting.cancelled():
                    waiting.exception()  # seen, also when we were cancelled before awaiting it

    async def _datagram(
        self,
        classifier: str,
        source: dict,
        destination: dict,
        cmd: dict,
        *,
        counter: int | None = None,
        reference: int | None = None,
        ack: bool = False,
    ) -> None:
        if counter is None:
            self._counter += 1
            counter = self._counter
        header = {
            "specificationVersion": VERSION,
            "addressSource": source,
            "addressDestination": destination,
            "msgCounter": counter,
        }
        if reference is not None:
            header["msgCounterReference"] = reference
        header["cmdClassifier"] = classifier
        if ack:
            header["ackRequest"] = True
        await self._send({"header": header, "payload": {"cmd": [cmd]}})

    def _address(self, entity: tuple, number: int) -> dict:
        return {"device": self.local.device, "entity": list(entity), "feature": number}

    def _remote_address(self, entity: tuple, number: int) -> dict:
        """The device part is left out only while it is unknown: in the first read."""
        address = {"device": self.remote.address} if self.remote.address else {}
        return {**address, "entity": list(entity), "feature": number}

    def end(self) -> None:
        """The connection is gone: end all requests with `NoAnswer`."""
        for one in self._pending.values():
            if not one.future.done():
                one.future.set_exception(NoAnswer("the connection ended"))

    # -- incoming -------------------------------------------------------------------------------

    async def receive(self, datagram: dict) -> None:
        """Take one datagram of the charger: correlate, update our copy, answer."""
        header = as_map(datagram.get("header"))
        source = as_map(header.get("addressSource"))
        classifier = header.get("cmdClassifier")
        if not isinstance(classifier, str) or as_int(header.get("msgCounter")) is None:
            self.on_event("malformed", reason="incomplete header")
            return
        if source.get("device") == self.local.device:
            return
        self.remote.address = self.remote.address or source.get("device", "")
        commands = as_maps(as_map(datagram.get("payload")).get("cmd"))
        cmd = commands[0] if len(commands) == 1 else {}
        function = next((name for name in cmd if name not in _NOT_DATA), "")
        if classifier in ("reply", "result"):
            self._answered(header, source, function, cmd)
            return
        try:
            await self._serve(header, source, classifier, function, cmd)
        except Rejected as error:
            await self._result(header, error.number, error.text)

    async def _serve(
        self, header: dict, source: dict, classifier: str, function: str, cmd: dict
    ) -> None:
        """Execute a read, call, write or notify of the charger."""
        destination = as_map(header.get("addressDestination"))
        if destination.get("device", self.local.device) != self.local.device:
            raise Rejected(DESTINATION_UNREACHABLE)
        if not function:
            raise Rejected(GENERAL_ERROR, "not exactly one command")
        entity, number = entity_address(destination), as_int(destination.get("feature"), -1)
        if classifier == "read":
            content = self.local.read(entity, number, function)
            await self._answer("reply", header, {function: content})
            self.on_event("read_by_charger", function=function)
            return
        if classifier == "call":
            content = as_map(cmd.get(function))
            done, client, server = self.local.call(
                entity, number, function, content, source.get("device", self.remote.address)
            )
            await self._acknowledge(header)
            self.on_event(done.replace(" ", "_"), client=client, server=server)
        elif classifier == "notify":
            self._update(source, function, cmd, "notify")
            pending = self._oldest(source, function)
            if function == USE_CASES and pending and not pending.future.done():
                pending.future.set_result(None)  # one maker's chargers answer the read this way
            await self._acknowledge(header)
        elif not self.local.knows(entity, number):
            raise Rejected(DESTINATION_UNKNOWN)
        elif classifier == "write":
            raise Rejected(BINDING_NECESSARY)
        else:
            raise Rejected(NOT_SUPPORTED)

    def _answered(self, header: dict, source: dict, function: str, cmd: dict) -> None:
        """End the request a reply or result belongs to."""
        if "msgCounterReference" in header:
            pending = self._pending.get(as_int(header["msgCounterReference"]))
        else:
            pending = self._oldest(source, function)
        # One charger firmware answers calls by a reply that carries a result.
        if function == "resultData" or header.get("cmdClassifier") == "result":
            result = as_map(cmd.get("resultData"))
            error = as_int(result.get("errorNumber"), 0)
            text = str(result.get("description", ""))
        else:
            error, text = 0, ""
            self._update(source, function, cmd, "reply")
        if pending is None:
            self.on_event("unexpected_answer", function=function, error=error, text=text)
        elif not pending.future.done():
            if error:
                pending.future.set_exception(ErrorResult(error, text))
            else:
                pending.future.set_result(None)

    def _oldest(self, source: dict, function: str) -> _Pending | None:
        """Find the request of a reply without reference: same feature, same function."""
        address = (entity_address(source), as_int(source.get("feature"), -1))
        for pending in self._pending.values():
            if (pending.feature, pending.function) == (address, function):
                return pending
        return None

    def _update(self, source: dict, function: str, cmd: dict, via: str) -> None:
        """Change our copy of the charger's data."""
        address = (entity_address(source), as_int(source.get("feature"), -1))
        content = as_map(cmd.get(function))
        try:
            is_partial = bool(as_list(cmd.get("filter")))
            if function in (DISCOVERY, USE_CASES) and not is_partial:
                self.remote.data[(*address, function)] = content
            if function == DISCOVERY:
                for change in self.remote.apply_discovery(content, is_partial):
                    self._entity_changed(*change)
            elif function == USE_CASES:
                self.remote.apply_use_cases(content, is_partial)
            else:
                self.remote.apply(*address, function, cmd)
        except ValueError as error:
            self.on_event("malformed", function=function, reason=str(error))
            return
        self._on_data(address, function, via)

    def _entity_changed(self, change: str, entity: tuple, kind: str) -> None:
        if change == "removed":
            self.local.forget(entity)
            self._subscribed = {one for one in self._subscribed if one[0] != entity}
        self.on_event(f"entity_{change}", entity=list(entity), type=kind)

    async def _acknowledge(self, header: dict) -> None:
        if as_bool(header.get("ackRequest"), False):
            await self._result(header, 0, "")

    async def _result(self, header: dict, number: int, text: str) -> None:
        result = {"errorNumber": number}
        if text:
            result["description"] = text
        await self._answer("result", header, {"resultData": result})

    async def _answer(self, classifier: str, header: dict, cmd: dict) -> None:
        """Answer from the address that was asked, our device filled in."""
        source = {"device": self.local.device, **as_map(header.get("addressDestination"))}
        destination = {"device": self.remote.address, **as_map(header.get("addressSource"))}
        reference = header["msgCounter"]
        await self._datagram(classifier, source, destination, cmd, reference=reference)
