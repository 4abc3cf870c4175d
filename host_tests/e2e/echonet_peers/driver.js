// Two npm libraries as controllers, driven by lines of JSON, and as nodes to compare with.
//
//   node driver.js echonet-lite|node-echonet-lite controller OWN-ADDRESS
//   node driver.js echonet-lite|node-echonet-lite node OWN-ADDRESS
//
// A controller prints {"ready": true}, then answers each line
//   {"id": 1, "do": "discover", "node": ADDRESS or null for multicast}  -> "objects" by address
//   {"id": 2, "do": "maps", "node": ADDRESS, "eoj": "02a101"}           -> "inf", "set", "get"
//   {"id": 3, "do": "get", "node": ADDRESS, "eoj": ..., "epcs": [..]}   -> "values" in hex, by EPC
//   {"id": 4, "do": "set", "node": ADDRESS, "eoj": ..., "epc": .., "edt": ..}  -> "esv"
// and prints {"announced": {"node", "eoj", "values"}} for every announcement.
"use strict";

const dgram = require("dgram");
const readline = require("readline");

const [library, role, own] = process.argv.slice(2);
const GROUP = "224.0.23.0";
const VALUES = {
  "80": "30", "82": "00005202", "88": "42", "89": "0000", "8a": "fffff0",
  "9d": "05808188c7da", "c5": "00001cc0", "c7": "41", "da": "44", "d3": "00000000",
};

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const bytes = (hex) => [...Buffer.from(hex, "hex")];
const hex = (value) => Buffer.from(value).toString("hex");
const later = (ms) => new Promise((done) => setTimeout(done, ms));

// Others on this machine may use the port too; one of the libraries does not share it by itself.
const createSocket = dgram.createSocket;
dgram.createSocket = (options, listener) =>
  createSocket(
    { ...(typeof options === "string" ? { type: options } : options), reuseAddr: true }, listener);

// --- echonet-lite

async function controllerOne() {
  const EL = require("echonet-lite");
  const waiting = new Map(); // TID -> function
  const found = {};
  const received = (rinfo, els, error) => {
    if (error || !els) return;
    const values = { ...els.DETAILs };
    if (els.ESV === "73") say({ announced: { node: rinfo.address, eoj: els.SEOJ, values } });
    if (els.SEOJ.startsWith("0ef0") && values.d6) {
      found[rinfo.address] = values.d6.slice(2).match(/.{6}/g);
    }
    const wake = waiting.get(els.TID.toLowerCase());
    if (wake && els.ESV[0] !== "6") wake(els);
  };
  await EL.initialize(["05ff01"], received, 4, { v4: own, autoGetProperties: false });
  // it joins on the interface of the default route only
  await later(200);
  try { EL.sock4.addMembership(GROUP, own); } catch (error) { /* that was the one */ }
  const ask = (node, eoj, esv, details) =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error("no answer")), 5000);
      EL.sendDetails(node, "05ff01", eoj, esv, details).then((tid) => {
        const key = hex(tid);
        waiting.set(key, (els) => {
          waiting.delete(key);
          clearTimeout(timer);
          done(els);
        });
      });
    });
  return {
    async discover({ node }) {
      if (node) await ask(node, "0ef001", "62", { d6: "" });
      else { EL.search(); await later(2000); }
      return { objects: found };
    },
    async maps({ node, eoj }) {
      const { DETAILs } = await ask(node, eoj, "62", { "9d": "", "9e": "", "9f": "" });
      const list = (text) => text.slice(2).match(/.{2}/g) || [];
      return { inf: list(DETAILs["9d"]), set: list(DETAILs["9e"]), get: list(DETAILs["9f"]) };
    },
    async get({ node, eoj, epcs }) {
      const els = await ask(node, eoj, "62", epcs.map((epc) => ({ [epc]: "" })));
      return { esv: els.ESV, values: els.DETAILs };
    },
    async set({ node, eoj, epc, edt }) {
      const els = await ask(node, eoj, "61", { [epc]: edt });
      return { esv: els.ESV, values: els.DETAILs };
    },
  };
}

async function nodeOne() {
  const EL = require("echonet-lite");
  const details = { "02a101": {} };
  for (const epc in VALUES) details["02a101"][epc] = bytes(VALUES[epc]);
  const received = (rinfo, els, error) => {
    if (error || !els || els.DEOJ !== "02a101") return;
    if (els.ESV === EL.GET) EL.replyGetDetail(rinfo, els, details);
  };
  await EL.initialize(["02a101"], received, 4, {
    v4: own, ignoreMe: false, autoGetProperties: false });
  await later(300);
}

// --- node-echonet-lite

const numbers = (eoj) => bytes(eoj);

async function controllerTwo() {
  const Library = require("node-echonet-lite");
  const el = new Library({ type: "lan", netif: own });
  const found = {};
  const properties = (message) => {
    const values = {};
    for (const item of message.prop) {
      values[item.epc.toString(16)] = item.buffer ? hex(item.buffer) : "";
    }
    return values;
  };
  const call = (start) =>
    new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error("no answer")), 5000);
      start((error, result) => {
        clearTimeout(timer);
        if (error) fail(error); else done(result);
      });
    });
  await new Promise((done, fail) => el.init((error) => (error ? fail(error) : done())));
  const listen = () => {
    el.removeAllListeners("notify");
    el.on("notify", ({ device, message }) => {
      if (message.esv !== "INF") return;
      say({ announced: { node: device.address, eoj: hex(message.seoj), values: properties(message) } });
    });
  };
  listen();
  const send = (node, eoj, esv, prop) =>
    call((done) => el.send(node, numbers(eoj), esv, prop, done));
  return {
    async discover({ node }) {
      if (node) {
        const { message } = await send(node, "0ef001", "Get", [{ epc: 0xd6, edt: null }]);
        found[node] = message.prop[0].edt.list.map((eoj) => hex(eoj));
      } else {
        el.startDiscovery((error, result) => {
          if (!error) found[result.device.address] = result.device.eoj.map((eoj) => hex(eoj));
        });
        await later(3500);
        el.stopDiscovery();
      }
      return { objects: found };
    },
    async maps({ node, eoj }) {
      const { message } = await call((done) => el.getPropertyMaps(node, numbers(eoj), done));
      const list = (codes) => codes.map((code) => code.toString(16).padStart(2, "0"));
      const { inf, set, get } = message.data;
      return { inf: list(inf), set: list(set), get: list(get) };
    },
    async get({ node, eoj, epcs }) {
      const prop = epcs.map((epc) => ({ epc: parseInt(epc, 16), edt: null }));
      const { message } = await send(node, eoj, "Get", prop);
      return { esv: message.esv, values: properties(message) };
    },
    async set({ node, eoj, epc, edt }) {
      const value = Buffer.from(edt, "hex");
      const { message } = await call((done) =>
        el.setPropertyValue(node, numbers(eoj), parseInt(epc, 16), value, done));
      return { esv: message.esv, values: properties(message) };
    },
  };
}

async function nodeTwo() {
  const Library = require("node-echonet-lite");
  const core = require("node-echonet-lite/lib/core/core.js");
  const el = new Library({ type: "lan", netif: own });
  await new Promise((done, fail) => el.init((error) => (error ? fail(error) : done())));
  el.on("data", ({ device, message }) => {
    if (message.esv !== "Get" || hex(message.deoj) !== "02a101") return;
    let good = true;
    const prop = message.prop.map(({ epc }) => {
      const value = VALUES[epc.toString(16)];
      good = good && value !== undefined;
      return { epc, edt: value === undefined ? null : Buffer.from(value, "hex") };
    });
    const answer = core.create({
      tid: message.tid, seoj: message.deoj, deoj: message.seoj,
      esv: good ? "Get_Res" : "Get_SNA", prop });
    el.mELNet.send(device.address, answer);
  });
}

// --- the conversation

const roles = {
  "echonet-lite": { controller: controllerOne, node: nodeOne },
  "node-echonet-lite": { controller: controllerTwo, node: nodeTwo },
};

(async () => {
  const verbs = await roles[library][role]();
  say({ ready: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      say({ id: request.id, ...(await verbs[request.do](request)) });
    } catch (error) {
      say({ id: request.id, error: String(error) });
    }
  }
  process.exit(0);
})();
