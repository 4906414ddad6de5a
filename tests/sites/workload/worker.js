// A worker of any kind that runs a writer, and reports to the port that comes with it.

"use strict";

importScripts("/node_modules/dexie/dist/dexie.js", "perform.js");

globalThis.oninstall = () => skipWaiting();
globalThis.onmessage = (event) => {
  const performing = performAll(event.data, (report) => event.ports[0].postMessage(report));
  event.waitUntil?.(performing);
};
