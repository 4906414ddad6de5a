// Creates, fills, upgrades and deletes three databases as fast as it can, in this document and its
// frames, against each other and against other tabs.

"use strict";

const NAMES = ["first", "second", "third"];

// The windows of the frames.
const inner = () => Array.from({ length: frames.length }, (_, index) => frames[index]);

const pick = (list) => list[Math.floor(Math.random() * list.length)];

// The result, or null.
const outcome = (request) =>
  new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      resolve(null);
    };
  });

// Higher than what any document asked for before, most likely.
const version = () => Math.floor((performance.timeOrigin + performance.now()) * 1000);

async function upgrade(name) {
  const request = indexedDB.open(name, version());
  request.onupgradeneeded = () => {
    const database = request.result;
    const stores = [...database.objectStoreNames];
    if (stores.length > 3) database.deleteObjectStore(pick(stores));
    const store = database.createObjectStore(`store ${Math.random()}`);
    for (let key = 0; key < 10; key++) store.put({ key, text: "x".repeat(200) }, key);
  };
  const database = await outcome(request);
  if (database === null) return;
  database.onversionchange = () => database.close();
  try {
    for (const store of database.objectStoreNames) {
      const transaction = database.transaction(store, "readwrite");
      for (let key = 0; key < 10; key++) transaction.objectStore(store).put({ key, at: performance.now() }, key);
      await new Promise((resolve) => (transaction.oncomplete = transaction.onabort = resolve));
    }
  } catch {
    // It was closed meanwhile.
  }
  if (Math.random() < 0.8) database.close();
}

async function churn(times) {
  for (let time = 0; time < times; time++) {
    const name = pick(NAMES);
    if (Math.random() < 0.2) await outcome(indexedDB.deleteDatabase(name));
    else await upgrade(name);
  }
}

// Begins so many loops of so many rounds, here and in each frame.
window.start = (loops, times) => {
  const all = Array.from({ length: loops }, () => churn(times));
  for (const frame of inner()) all.push(frame.start(loops, times));
  return (window.over = Promise.all(all));
};

window.addFrames = async (count) => {
  for (let number = 0; number < count; number++) {
    const frame = document.createElement("iframe");
    frame.src = location.href;
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    document.body.append(frame);
    await loaded;
  }
};
