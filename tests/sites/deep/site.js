"use strict";

// The names of the workers that have committed.
window.committed = [];
const channel = new BroadcastChannel("committed");
channel.onmessage = ({ data }) => committed.push(data);
// Chromium keeps no page with a channel that brings messages.
onpagehide = () => channel.close();

const address = (script) => `${location.origin}/deep/${script}`;

const kinds = {
  classic: (name) => new Worker("first.js", { name }),
  module: (name) => new Worker("first.mjs", { name, type: "module" }),
  blob: (name) =>
    new Worker(URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(address("first.js"))})`])), { name }),
  wrapped: (name) => new Worker("wrapped.js", { name }),
  frozen: (name) => new Worker("frozen.js", { name }),
  nested: (name) => new Worker("outer.js", { name }),
  shared: (name) => new SharedWorker("first.js", { name }),
  // A service worker has no name.
  service: (name) => void navigator.serviceWorker.register(`service.js?${name}`),
};

// Starts a worker that writes under its name.
window.start = (kind, name) => void ((window.workers ??= {})[name] = kinds[kind](name));

// Has a worker write this under its name once more. It says that it has committed again.
window.again = (name, value) => {
  const worker = workers[name];
  (worker.port ?? worker).postMessage(value);
};

// The same by the service worker.
window.againInService = async (value) => (await navigator.serviceWorker.ready).active.postMessage(value);

window.times = (count, action) => Array.from({ length: count }, (_, number) => void action(number)).length;

// In the page's first script.
const wanted = new URLSearchParams(location.search).get("start");
if (wanted !== null) start(wanted, "at the load");
