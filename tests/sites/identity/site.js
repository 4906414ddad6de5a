// Documents of one origin that have the same databases, or databases of their own under the same
// names. The address of a frame says what it does: `#put=VALUE` writes, `#inside=VALUE` writes from
// documents inside, `#embed=URL` shows another frame. The page around it gets what was in the
// databases before.

"use strict";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const connect = (factory) => {
  const request = factory.open("identity", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("items");
  return done(request);
};

// What is there under the key, or null.
window.get = async (key, factory = indexedDB) => {
  const database = await connect(factory);
  const value = await done(database.transaction("items").objectStore("items").get(key));
  database.close();
  return value ?? null;
};

// Puts the value, and says what was there before.
window.put = async (key, value, factory = indexedDB) => {
  const before = await window.get(key, factory);
  const database = await connect(factory);
  const transaction = database.transaction("items", "readwrite");
  transaction.objectStore("items").put(value, key);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  database.close();
  return before;
};

const loaded = (attributes) =>
  new Promise((resolve) => {
    const element = document.createElement("iframe");
    element.onload = () => resolve(element);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    document.body.append(element);
  });

// Shows a page in a frame; resolves with what was in the databases of the innermost one before it
// wrote.
window.embed = (src, attributes = {}) =>
  new Promise((resolve) => {
    addEventListener("message", ({ data }) => resolve(data.before), { once: true });
    void loaded({ ...attributes, src });
  });

// Shows a page that does nothing.
window.embedEmpty = async (sandbox) => void (await loaded({ sandbox, src: "/blank/" }));

// Writes from documents without an address of their own inside this one; what each of them found
// before.
window.putInside = async (value) => {
  const blob = URL.createObjectURL(new Blob(["<p>A document from a blob.</p>"], { type: "text/html" }));
  const before = [];
  for (const attributes of [{}, { srcdoc: "<p>A document from an attribute.</p>" }, { src: blob }]) {
    const { contentWindow } = await loaded(attributes);
    before.push(await window.put("key", value, contentWindow.indexedDB));
  }
  return before;
};

const task = new URLSearchParams(location.hash.slice(1));
const report = async () => {
  if (task.has("put")) return window.put("key", task.get("put"));
  if (task.has("inside")) return window.putInside(task.get("inside"));
  return window.embed(task.get("embed"));
};
if (location.hash !== "") addEventListener("load", async () => parent.postMessage({ before: await report() }, "*"));
