"use strict";

/**
 * Stores the value of each vector under its name, and says which of them this engine can't make or
 * store.
 * @param {{name: string, js: string}[]} vectors
 * @returns {Promise<string[]>}
 */
function store(vectors) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("vectors", 1);
    request.onerror = () => reject(request.error);
    request.onupgradeneeded = () => request.result.createObjectStore("values");
    request.onsuccess = () => {
      const transaction = request.result.transaction("values", "readwrite");
      const refused = /** @type {string[]} */ ([]);
      for (const { name, js } of vectors) {
        try {
          transaction.objectStore("values").put((0, eval)(js), name);
        } catch (error) {
          refused.push(`${name}: ${error}`);
        }
      }
      transaction.onabort = () => reject(transaction.error);
      transaction.oncomplete = () => {
        request.result.close();
        resolve(refused);
      };
    };
  });
}

/**
 * Compares what typed texts stand for with what the database holds; a line for each that differs.
 * Texts that say that something could not be carried stand for nothing.
 * @param {Record<string, string>} typed by name
 * @returns {Promise<string[]>}
 */
function compare(typed) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("vectors");
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const differences = /** @type {string[]} */ ([]);
      const transaction = request.result.transaction("values");
      for (const [name, text] of Object.entries(typed)) {
        if (text.includes('{"$opaque":')) continue;
        const get = transaction.objectStore("values").get(name);
        get.onsuccess = () => {
          try {
            const [decoded, stored] = [describe(decodeTyped(text)), describe(get.result)];
            if (decoded !== stored) differences.push(`${name}: ${text} gives ${decoded}, the database holds ${stored}`);
          } catch (error) {
            differences.push(`${name}: ${text} can't be compared: ${error}`);
          }
        };
      }
      transaction.oncomplete = () => {
        request.result.close();
        resolve(differences);
      };
    };
  });
}
