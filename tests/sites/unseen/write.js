// For the page and its workers: writes to the store "items" of the database "unseen", a transaction
// for each operation.

"use strict";

const opened = () =>
  (opened.promise ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("unseen", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("items");
    request.onsuccess = () => {
      // Someone else may want to delete it.
      request.result.onversionchange = () => {
        request.result.close();
        opened.promise = undefined;
      };
      resolve(request.result);
    };
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
