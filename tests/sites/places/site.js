// Writes from every kind of document that shares this origin's databases, each with its own
// window's IndexedDB.

"use strict";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// Puts a value under a key by the given factory, over a connection of its own.
window.putBy = async (factory, key, value) => {
  const request = factory.open("places", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("items");
  const database = await done(request);
  const transaction = database.transaction("items", "readwrite");
  transaction.objectStore("items").put(value, key);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  database.close();
};

const frame = (attributes) =>
  new Promise((resolve) => {
    const element = document.createElement("iframe");
    element.onload = () => resolve(element);
    Object.assign(element, attributes);
    document.body.append(element);
  });

const put = (place, { indexedDB }) => window.putBy(indexedDB, place, `from ${place}`);

window.places = {
  top: () => put("top", window),
  async blank() {
    // Not waited for: the initial empty document is there at once.
    const element = document.createElement("iframe");
    document.body.append(element);
    await put("blank", element.contentWindow);
  },
  async srcdoc() {
    const { contentWindow } = await frame({ srcdoc: "<p>A document from an attribute.</p>" });
    await put("srcdoc", contentWindow);
  },
  async blob() {
    const src = URL.createObjectURL(new Blob(["<p>A document from a blob.</p>"], { type: "text/html" }));
    const { contentWindow } = await frame({ src });
    await put("blob", contentWindow);
  },
  async svg() {
    const src = URL.createObjectURL(new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], { type: "image/svg+xml" }));
    const { contentWindow } = await frame({ src });
    await put("svg", contentWindow);
  },
  async xml() {
    const src = URL.createObjectURL(new Blob(["<data/>"], { type: "application/xml" }));
    const { contentWindow } = await frame({ src });
    await put("xml", contentWindow);
  },
  async xhtml() {
    const text = '<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>';
    const src = URL.createObjectURL(new Blob([text], { type: "application/xhtml+xml" }));
    const { contentWindow } = await frame({ src });
    await put("xhtml", contentWindow);
  },
  async sandboxed() {
    const { contentWindow } = await frame({ sandbox: "allow-scripts allow-same-origin", srcdoc: "<p>Sandboxed.</p>" });
    await put("sandboxed", contentWindow);
  },
  async written() {
    const { contentDocument, contentWindow } = await frame({ srcdoc: "<p>To be written over.</p>" });
    contentDocument.open();
    contentDocument.write("<p>Written.</p>");
    contentDocument.close();
    await put("written", contentWindow);
  },
  async nested() {
    const { contentDocument } = await frame({ srcdoc: "<p>Outer.</p>" });
    const inner = contentDocument.createElement("iframe");
    contentDocument.body.append(inner);
    await put("nested", inner.contentWindow);
  },
  async opened() {
    const opened = window.open("about:blank");
    await put("opened", opened);
    opened.close();
  },
};

window.putEverywhere = async () => {
  for (const write of Object.values(window.places)) await write();
  return Object.keys(window.places);
};

// As a frame in another page: writes, and says that it has.
if (location.hash === "#write") window.putBy(indexedDB, "embedded", 1).then(() => parent.postMessage("written", "*"));

// Shows a page in a frame until it has written.
window.embed = (src) =>
  new Promise((resolve) => {
    addEventListener("message", ({ data }) => data === "written" && resolve());
    void frame({ src });
  });
