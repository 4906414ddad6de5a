// Tells the test's server when a record that is being written can be read: its transaction has
// committed.

"use strict";

const opening = indexedDB.open("writer");
opening.onsuccess = () => postMessage("ready");

onmessage = ({ data: { key, name } }) => {
  // It waits for the transactions before it that write to the store.
  const found = opening.result.transaction("items").objectStore("items").get(key);
  found.onsuccess = () => fetch(`/blank/?release=${name}`);
};
