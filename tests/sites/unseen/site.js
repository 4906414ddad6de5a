"use strict";

const workers = {
  dedicated: async () => new Worker("worker.js"),
  // Leaves no trace in the page.
  blob: async () => new Worker(URL.createObjectURL(new Blob([`importScripts("${location.origin}/unseen/worker.js")`]))),
  shared: async () => new SharedWorker("worker.js").port,
  service: async () => {
    const registration = await navigator.serviceWorker.register("worker.js");
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    while (worker.state !== "activated") await new Promise((resolve) => (worker.onstatechange = resolve));
    return worker;
  },
};

// Resolves when a worker of this kind has committed the operations.
window.writeIn = async (kind, operations) => {
  const worker = await (writeIn[kind] ??= workers[kind]());
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(operations, [port2]);
  await new Promise((resolve) => (port1.onmessage = resolve));
};

// Puts a number under "page", each time another one, until `stopWriting` is called.
window.keepWriting = async (milliseconds) => {
  let number = 0;
  let goesOn = true;
  window.stopWriting = () => (goesOn = false);
  while (goesOn) {
    await write([["put", number++, "page"]]);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
};
