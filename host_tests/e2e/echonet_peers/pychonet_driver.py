"""pychonet as a controller, driven by the same lines of JSON as driver.js.

python pychonet_driver.py OWN-ADDRESS
"""

import asyncio
import json
import sys
import threading

from pychonet import ECHONETAPIClient
from pychonet.lib.const import GET, SETC
from pychonet.lib.functions import decodeEchonetMsg
from pychonet.lib.udpserver import UDPServer

_ESV = {0x71: "71", 0x51: "51", 0x72: "72", 0x52: "52"}


class Driver:
    """Calls pychonet as its users do; the services of the answers are seen on the way."""

    def __init__(self, own: str):
        self._server = UDPServer(local_ip=own)
        self._server.run("0.0.0.0", 3610, asyncio.get_running_loop())
        self._client = ECHONETAPIClient(self._server)
        self._client.configure(
            logger=lambda text: None, discover_callback=self._meet, message_timeout=50
        )
        self._services = {}  # TID → ESV
        self._server.subscribe(self._watch)
        self._met = []

    async def _meet(self, host):
        if host not in self._met:
            self._met.append(host)

    async def _watch(self, data, address):
        message = decodeEchonetMsg(data)
        self._services[message["TID"]] = message["ESV"]
        if message["ESV"] == 0x73:
            eoj = "%02x%02x%02x" % (message["SEOJGC"], message["SEOJCC"], message["SEOJCI"])
            values = {"%02x" % item["EPC"]: item["EDT"].hex() for item in message["OPC"]}
            say({"announced": {"node": address[0], "eoj": eoj, "values": values}})

    def _state(self, node, eoj):
        return self._client._state[node]["instances"][eoj[0]][eoj[1]][eoj[2]]

    async def discover(self, node=None, **_):
        if node is None:
            search = asyncio.ensure_future(self._client.discover())
            await asyncio.sleep(2)  # nobody answers from the group's address, so it would wait
            search.cancel()
        for host in [node] if node else self._met:
            await self._client.discover(host)
        found = {}
        for host, state in self._client._state.items():
            if "discovered" in state:
                found[host] = [
                    "%02x%02x%02x" % (group, code, number)
                    for group, codes in state["instances"].items()
                    for code, instances in codes.items()
                    for number in instances
                ]
        return {"objects": found}

    async def maps(self, node, eoj):
        eoj = bytes.fromhex(eoj)
        await self._client.getAllPropertyMaps(node, *eoj)
        state = self._state(node, eoj)
        maps = {}
        for name, epc in (("inf", 0x9D), ("set", 0x9E), ("get", 0x9F)):
            maps[name] = ["%02x" % item for item in state[epc]]
        return maps

    async def get(self, node, eoj, epcs):
        eoj = bytes.fromhex(eoj)
        codes = [int(epc, 16) for epc in epcs]
        await self._client.echonetMessage(node, *eoj, GET, [{"EPC": code} for code in codes])
        state = self._state(node, eoj)
        values = {}
        for code in codes:
            value = state.get(code)
            values["%02x" % code] = value.hex() if isinstance(value, bytes) else str(value)
        return {"esv": self._service(), "values": values}

    async def set(self, node, eoj, epc, edt):
        value = {"EPC": int(epc, 16), "PDC": len(edt) // 2, "EDT": int(edt, 16)}
        await self._client.echonetMessage(node, *bytes.fromhex(eoj), SETC, [value])
        return {"esv": self._service()}

    def _service(self):
        return _ESV.get(self._services.get(self._client._next_tx_tid), "none")


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


async def main(own: str) -> None:
    driver = Driver(own)
    loop = asyncio.get_running_loop()
    requests = asyncio.Queue()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(requests.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(requests.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    say({"ready": True})
    while request := await requests.get():
        verb, number = request.pop("do"), request.pop("id")
        try:
            say({"id": number, **await getattr(driver, verb)(**request)})
        except Exception as error:
            say({"id": number, "error": repr(error)})


asyncio.run(main(sys.argv[1]))
