"use strict";

const workers = {
  dedicated: async () => new Worker("worker.js"),
  service: async () => {
    const registration = await navigator.serviceWorker.register("worker.js");
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    while (worker.state !== "activated") await new Promise((resolve) => (worker.onstatechange = resolve));
    return worker;
  },
};

// What the writers of this page have reported, by name.
window.writers = {};

window.start = (writer) => {
  const state = { begun: "", done: 0, ended: false, notes: [], errors: [] };
  writers[writer.name] = state;
  const report = ({ begun, done, ended, note, error }) => {
    state.begun = begun ?? state.begun;
    state.done += done ?? 0;
    state.ended ||= ended ?? false;
    if (note !== undefined) state.notes.push(note);
    if (error !== undefined) state.errors.push(error);
  };
  const run = async () => {
    if (writer.kind === "page") return performAll(writer, report);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => report(data);
    (await workers[writer.kind]()).postMessage(writer, [port2]);
  };
  run().catch((error) => report({ ended: true, error: String(error) }));
};
