// A database with the stores "first" and "second", and what a test needs to meet the extension's
// reading of them at a certain point. Nothing is opened before the first write.

"use strict";

const outcome = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const opened = () =>
  (opened.promise ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("pair", 1);
    request.onupgradeneeded = () => {
      for (const name of ["first", "second"]) request.result.createObjectStore(name);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));

window.put = async (store, key, value) => {
  const transaction = (await opened()).transaction(store, "readwrite");
  transaction.objectStore(store).put(value, key);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
};

// Puts the numbers below `to` under themselves.
window.count = async (store, to) => {
  for (let number = 0; number < to; number++) await window.put(store, number, number);
};

// A text of so many letters that no engine makes shorter.
window.randomText = (length) => {
  let text = "";
  while (text.length < length) text += Math.random().toString(36).slice(2);
  return text.slice(0, length);
};

// Puts a record from a worker, where no hook sees it.
window.putUnseen = async (store, key, value) => {
  const write = (store, key, value) => {
    const request = indexedDB.open("pair");
    request.onsuccess = () => {
      const transaction = request.result.transaction(store, "readwrite");
      transaction.objectStore(store).put(value, key);
      transaction.oncomplete = () => {
        request.result.close();
        postMessage("committed");
      };
    };
  };
  const script = `(${write})(...${JSON.stringify([store, key, value])})`;
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  await new Promise((resolve) => (worker.onmessage = resolve));
  worker.terminate();
};

// Holds a store in a transaction that may write, until `release` is called, which resolves once the
// transaction is over.
window.hold = async (store) => {
  const transaction = (await opened()).transaction(store, "readwrite");
  const over = new Promise((resolve) => (transaction.oncomplete = resolve));
  const items = transaction.objectStore(store);
  let holding = true;
  const goOn = () => {
    if (holding) items.get(0).onsuccess = goOn;
  };
  window.release = () => {
    holding = false;
    return over.then(() => true);
  };
  await new Promise((resolve) => (items.get(0).onsuccess = resolve)).then(goOn);
};

// Resolves when so many rounds of tasks of the lowest priority, each with an open of the database,
// are over: everything that began before them has got that far, too.
window.rounds = async (count) => {
  for (let round = 0; round < count; round++) {
    await scheduler.postTask(() => {}, { priority: "background" });
    (await outcome(indexedDB.open("pair"))).close();
  }
};

const stalls = new BroadcastChannel("stalls");
stalls.onmessage = () => (window.otherStalls = true);

// Blocks the page's thread for so many milliseconds. Other tabs are notified.
window.stall = (milliseconds) => {
  stalls.postMessage("now");
  for (const end = performance.now() + milliseconds; performance.now() < end;);
};

// Deletes the database.
window.deleteAll = async () => {
  (await opened()).close();
  await outcome(indexedDB.deleteDatabase("pair"));
};

// Makes as many databases that do not open: an upgrade of each waits for a connection of this page.
window.makeUnopenable = (count) =>
  Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const name = `held ${number}`;
      const first = indexedDB.open(name, 1);
      first.onupgradeneeded = () => first.result.createObjectStore("items");
      const connection = await outcome(first);
      connections.push(connection);
      await new Promise((resolve) => (indexedDB.open(name, 2).onblocked = resolve));
    }),
  );

const connections = [];

// Opens the database's next version (deletes the database, if `version` is 0). The page's own
// connection gives way, as a page's should: it lets go of the held store, and closes. Resolves with
// the events that the request gets.
window.changeBehind = async (version) => {
  const connection = await opened();
  connection.onversionchange = () => {
    window.release();
    connection.close();
  };
  const events = [];
  const request = version === 0 ? indexedDB.deleteDatabase("pair") : indexedDB.open("pair", version);
  for (const name of ["blocked", "upgradeneeded", "success", "error"]) {
    request.addEventListener(name, () => events.push(name));
  }
  await outcome(request);
  request.result?.close();
  return events;
};
