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
