// For the page and its workers: writes to the store "items" of the database "workers", a
// transaction for each operation. Sloppy: whether it stays so is asked of it.

var isSloppy = (function () {
  return this !== undefined;
})();

var opened = () =>
  (opened.promise ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("workers", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("items");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));

// What happens in which order around some calls, also around such that fail.
globalThis.orderOfCalls = async () => {
  const seen = [];
  const attempt = (call) => {
    try {
      return call();
    } catch (error) {
      seen.push(`${error.name}: ${error.message}`);
    }
  };
  const transaction = (await opened()).transaction("items", "readwrite");
  const store = transaction.objectStore("items");
  const note = (name, request) => {
    seen.push(name);
    request.onsuccess = () => {
      seen.push(`success of ${name}`);
      Promise.resolve().then(() => seen.push(`behind ${name}`));
    };
  };
  note(
    "put",
    store.put(
      {
        get member() {
          return seen.push("getter");
        },
      },
      "order",
    ),
  );
  attempt(() => store.put(() => {}, 1));
  attempt(() => store.put(1));
  attempt(() => store.put.call({}, 1));
  note("delete", store.delete(IDBKeyRange.bound(1000, 2000)));
  const again = store.add(1, "order");
  again.onerror = (event) => {
    event.preventDefault();
    seen.push(again.error.name);
  };
  await new Promise((resolve) => (transaction.oncomplete = resolve));
  seen.push("complete");
  attempt(() => store.put(1, 1));
  return JSON.stringify(seen);
};

// Each operation is the name of a method of the store, and its arguments.
globalThis.write = async (operations) => {
  for (const [method, ...values] of operations) {
    const transaction = (await opened()).transaction("items", "readwrite");
    transaction.objectStore("items")[method](...values);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  }
};
