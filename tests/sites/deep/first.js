// A worker that writes in its first lines, under its name; and again whenever it is asked to.

"use strict";

importScripts(`${origin}/unseen/write.js`);

const writeOnce = async (value) => {
  await write([["put", value, globalThis.name || "service"]]);
  new BroadcastChannel("committed").postMessage(value);
};

void writeOnce(globalThis.name || "service");
globalThis.onmessage = ({ data }) => writeOnce(data);
globalThis.onconnect = ({ ports }) => (ports[0].onmessage = globalThis.onmessage);
