// A worker in which a library has replaced a method.

const { put } = IDBObjectStore.prototype;
IDBObjectStore.prototype.put = function (...given) {
  return put.apply(this, given);
};
importScripts("first.js");
