// A worker in which no method can be replaced.

Object.freeze(IDBObjectStore.prototype);
importScripts("first.js");
