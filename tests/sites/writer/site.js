// Writes what a test tells it to: single writes, each in a transaction of its own, resolved when it
// has committed. It opens its database at the first write and not before.

"use strict";

const opened = () =>
  (opened.promise ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("writer", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("items");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));

async function transact(write) {
  const transaction = (await opened()).transaction("items", "readwrite");
  write(transaction.objectStore("items"));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}

window.put = (key, value) => transact((items) => items.put(value, key));

window.remove = (key) => transact((items) => items.delete(key));

window.clearAll = () => transact((items) => items.clear());

// Puts the numbers from..to under themselves, one after the other.
window.count = async (from, to) => {
  for (let number = from; number < to; number++) await window.put(number, number);
};

// Puts `times` values under one key, one after the other, each marked with the writer's name.
window.hammer = async (key, name, times) => {
  for (let time = 0; time < times; time++) await window.put(key, `${name} ${time}`);
};

// Puts entries of key and value, each in a transaction of its own, whose `complete` events come
// right after one another: the page's thread rests in a request that the test's server answers once
// a worker has found the last record. In the last of these events `last` is called, and nothing
// else happens on the page's thread in between.
window.inOneTurn = async (entries, last) => {
  const connection = await opened();
  const watcher = new Worker("watcher.js");
  await new Promise((resolve) => (watcher.onmessage = resolve));
  const name = `committed-${Math.random()}`;
  for (const [index, [key, value]] of entries.entries()) {
    const transaction = connection.transaction("items", "readwrite");
    transaction.objectStore("items").put(value, key);
    transaction.commit();
    if (index === entries.length - 1) transaction.oncomplete = last;
  }
  watcher.postMessage({ key: entries.at(-1)[0], name });
  const request = new XMLHttpRequest();
  request.open("GET", `/hold/?${name}`, false);
  request.send();
};

// Puts entries of key and value, all in one transaction.
window.together = (entries) =>
  transact((items) => {
    for (const [key, value] of entries) items.put(value, key);
  });

// Adds one to the number under a key, again and again, each time in a transaction that reads it
// first, until it is `target`.
window.countTo = async (key, target) => {
  for (let isThere = false; !isThere;) {
    await transact((items) => {
      items.get(key).onsuccess = ({ target: { result = 0 } }) => {
        isThere = result >= target;
        if (!isThere) items.put(result + 1, key);
      };
    });
  }
};

// Puts a value (deletes the record, if it is undefined), commits, and does not let go of the page's
// thread for so many milliseconds.
window.putAndBeBusy = async (key, value, milliseconds) => {
  const transaction = (await opened()).transaction("items", "readwrite");
  const items = transaction.objectStore("items");
  if (value === undefined) items.delete(key);
  else items.put(value, key);
  transaction.commit();
  for (const end = performance.now() + milliseconds; performance.now() < end;);
};

// Resolves once a key holds a value.
window.seen = async (key, value) => {
  for (;;) {
    const read = (await opened()).transaction("items").objectStore("items").get(key);
    await new Promise((resolve) => (read.onsuccess = resolve));
    if (read.result === value) return;
  }
};

// Puts a value in each event of that name, and commits.
window.saveWhenLeaving = async (event, key, value) => {
  const connection = await opened();
  EventTarget.prototype.addEventListener.call(window, event, () => {
    const transaction = connection.transaction("items", "readwrite");
    transaction.objectStore("items").put(value, key);
    transaction.commit();
  });
};

// Deletes the database in each event of that name.
window.deleteWhenLeaving = async (event) => {
  const connection = await opened();
  addEventListener(event, () => {
    connection.close();
    indexedDB.deleteDatabase("writer");
  });
};

// Resolves with a frame of that address once it is loaded.
window.frameOf = async (url) => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.body.append(frame);
  await new Promise((resolve) => (frame.onload = resolve));
};
