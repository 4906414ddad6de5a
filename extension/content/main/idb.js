// What the hook asks of IndexedDB's objects and of events, as the engine made it.

import { getterOf, uncurry } from "../shared/pristine.js";

export const databaseOf = getterOf(IDBTransaction.prototype, "db");
export const modeOf = getterOf(IDBTransaction.prototype, "mode");
/** The names of the stores in a transaction's scope, in a list of the engine's. */
export const scopeOf = getterOf(IDBTransaction.prototype, "objectStoreNames");
export const lengthOfNames = getterOf(DOMStringList.prototype, "length");
export const nameAt = uncurry(DOMStringList.prototype.item);
export const nameOfDatabase = getterOf(IDBDatabase.prototype, "name");
export const versionOf = getterOf(IDBDatabase.prototype, "version");
export const transactionOf = getterOf(IDBObjectStore.prototype, "transaction");
export const nameOfStore = getterOf(IDBObjectStore.prototype, "name");
export const generatesKeys = getterOf(IDBObjectStore.prototype, "autoIncrement");
export const keyPathOf = getterOf(IDBObjectStore.prototype, "keyPath");
export const storeOfIndex = getterOf(IDBIndex.prototype, "objectStore");
export const nameOfIndex = getterOf(IDBIndex.prototype, "name");
export const keyPathOfIndex = getterOf(IDBIndex.prototype, "keyPath");
export const isUnique = getterOf(IDBIndex.prototype, "unique");
export const isMultiEntry = getterOf(IDBIndex.prototype, "multiEntry");
export const sourceOf = getterOf(IDBCursor.prototype, "source");
export const primaryKeyOf = getterOf(IDBCursor.prototype, "primaryKey");
export const resultOf = getterOf(IDBRequest.prototype, "result");
export const transactionOfRequest = getterOf(IDBRequest.prototype, "transaction");
export const errorOf = getterOf(IDBRequest.prototype, "error");
export const lowerOf = getterOf(IDBKeyRange.prototype, "lower");
export const upperOf = getterOf(IDBKeyRange.prototype, "upper");
export const lowerOpenOf = getterOf(IDBKeyRange.prototype, "lowerOpen");
export const upperOpenOf = getterOf(IDBKeyRange.prototype, "upperOpen");
export const typeOf = getterOf(Event.prototype, "type");
export const targetOf = getterOf(Event.prototype, "target");
export const stopImmediatePropagation = uncurry(Event.prototype.stopImmediatePropagation);
export const preventDefault = uncurry(Event.prototype.preventDefault);
export const listen = uncurry(EventTarget.prototype.addEventListener);
export const unlisten = uncurry(EventTarget.prototype.removeEventListener);
export const dispatch = uncurry(EventTarget.prototype.dispatchEvent);
/** A range of one key; of a key that is an object it holds a copy. */
export const { only } = IDBKeyRange;
export const getRecord = uncurry(IDBObjectStore.prototype.get);
export const storeOfTransaction = uncurry(IDBTransaction.prototype.objectStore);
/**
 * @param {IDBCursor} cursor
 * @returns {IDBObjectStore}
 */
export function storeOfCursor(cursor) {
  const source = sourceOf(cursor);
  try {
    return storeOfIndex(source);
  } catch {
    return source;
  }
}
export const Message = MessageEvent;
export const PlainEvent = Event;
