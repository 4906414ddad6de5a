"use strict";

const workers = {
  long: () => new Worker("classic.js?lengthen"),
  served: () => new Worker("classic.js?served"),
  kept: () => new Worker("classic.js?keep"),
  classic: () => new Worker("classic.js?secret#hash"),
  strict: () => new Worker("strict.js"),
  module: () => new Worker("module.mjs", { type: "module" }),
  wrapped: () => new Worker("wrapped.mjs", { type: "module" }),
  frozen: () => new Worker("frozen.mjs", { type: "module" }),
  shell: () => new Worker("shell.js"),
  arrow: () => new Worker("arrow.js"),
  nested: () => new Worker("nested.js"),
  shared: () => new SharedWorker("classic.js").port,
  sharedModule: () => new SharedWorker("module.mjs", { type: "module" }).port,
  blob: () => new Worker(URL.createObjectURL(new Blob([`importScripts("${location.origin}/workers/classic.js")`]))),
};

// Resolves with what an expression is in a worker of this kind.
window.evaluateIn = async (kind, expression) => {
  const worker = (evaluateIn[kind] ??= workers[kind]());
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(expression, [port2]);
  const { data } = await new Promise((resolve) => (port1.onmessage = resolve));
  return data;
};

// Resolves with what happens to a worker with this script: "error", or its first message.
window.fateOf = (script) =>
  new Promise((resolve) => {
    const worker = new Worker(script);
    worker.onerror = (event) => {
      event.preventDefault();
      resolve("error");
    };
    worker.onmessage = ({ data }) => resolve(data);
  });

// Starts so many workers, of which each writes a number under its own, and ends each once it has.
window.startMany = async (count) => {
  const done = Array.from({ length: count }, async (_, number) => {
    const worker = new Worker(`classic.js?${number}`);
    const { port1, port2 } = new MessageChannel();
    worker.postMessage(`write([["put", ${number}, "many ${number}"]]).then(() => null)`, [port2]);
    await new Promise((resolve) => (port1.onmessage = resolve));
    worker.terminate();
  });
  await Promise.all(done);
};

// Has a worker of this kind commit the operations while this thread has something else to do, for
// some seconds. (A request that it waits for would not do: Firefox takes messages meanwhile.)
window.writeWhileBusy = async (kind, operations) => {
  await evaluateIn(kind, "opened().then(() => null)");
  const written = evaluateIn(kind, `write(${operations}).then(() => null)`);
  for (const end = performance.now() + 5000; performance.now() < end;);
  await written;
};

// Resolves when a worker of this kind has committed the operations.
window.writeIn = async (kind, operations) =>
  void (await evaluateIn(kind, `write(${JSON.stringify(operations)}).then(() => null)`));

// Shows a page in a frame; resolves with what that says.
window.embed = (src) =>
  new Promise((resolve) => {
    addEventListener("message", ({ data }) => resolve(data.before), { once: true });
    const frame = document.createElement("iframe");
    frame.src = src;
    document.body.append(frame);
  });

// In a frame: `#in=KIND&put=VALUE` writes in a worker of this kind, and says that it has.
const inFrame = new URLSearchParams(location.hash.slice(1));
if (inFrame.has("in")) {
  addEventListener("load", async () => {
    await writeIn(inFrame.get("in"), [["put", inFrame.get("put"), inFrame.get("put")]]);
    parent.postMessage({ before: "written" }, "*");
  });
}
