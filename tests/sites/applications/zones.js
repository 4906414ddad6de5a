// Writes in a zone of zone.js: in which zone the page's handlers run, and which tasks the zone
// sees.

import { writePeople } from "./people.js";

const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
  });

export const opened = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("items", { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function writeItems(connection, trace) {
  const { name } = Zone.current;
  const zones = new Set();
  const transaction = connection.transaction("items", "readwrite");
  const items = transaction.objectStore("items");
  transaction.addEventListener("complete", () => zones.add(`complete in ${Zone.current.name}`));
  items.add({ text: "first" }).onsuccess = () => {
    zones.add(`onsuccess in ${Zone.current.name}`);
    items.put({
      id: 10,
      text: "ten",
      get read() {
        return Zone.current.name;
      },
    });
    items.add({ id: 10, text: "taken" }).addEventListener("error", (event) => {
      zones.add(`error in ${Zone.current.name}`);
      event.preventDefault();
      items.delete(1);
    });
  };
  await completed(transaction);
  trace.saw("after it", Zone.current.name === name);

  const rolledBack = connection.transaction("items", "readwrite");
  rolledBack.objectStore("items").clear();
  rolledBack.abort();
  await trace.outcome("aborted", () => completed(rolledBack));

  const updating = connection.transaction("items", "readwrite");
  updating.objectStore("items").openCursor().onsuccess = ({ target: { result: cursor } }) => {
    zones.add(`cursor in ${Zone.current.name}`);
    if (cursor === null) return;
    cursor.update({ ...cursor.value, seen: true });
    cursor.continue();
  };
  await completed(updating);
  trace.saw("zones", [...zones].sort());
}

// `connection` was perhaps opened before zone.js was there.
export async function writeInZone(connection, name, trace) {
  const tasks = [];
  const zone = Zone.current.fork({
    name: "application",
    onScheduleTask(delegate, _current, target, task) {
      if (task.type !== "microTask") tasks.push(`${task.type} ${task.source}`);
      return delegate.scheduleTask(target, task);
    },
    onHandleError(_delegate, _current, _target, error) {
      trace.saw("error in the zone", String(error));
      return false;
    },
  });
  await zone.run(() => writeItems(connection, trace));
  trace.saw("tasks", tasks);
  await zone.run(() => writePeople(name, trace));
  const late = connection.transaction("items", "readwrite");
  zone.run(() => late.objectStore("items").put({ id: 20, text: "outside" }));
  await completed(late);
  connection.close();
}
