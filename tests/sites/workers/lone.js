// Writes what its name says, without another script.

"use strict";

const request = indexedDB.open("workers", 1);
request.onsuccess = () => {
  const transaction = request.result.transaction("items", "readwrite");
  transaction.objectStore("items").put("lone", location.search);
  transaction.oncomplete = () => {
    let canEvaluate = true;
    try {
      eval("1");
    } catch {
      canEvaluate = false;
    }
    postMessage(canEvaluate);
  };
};
