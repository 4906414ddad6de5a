// The writes of an application on idb.

import { openDB, unwrap } from "/node_modules/idb/build/index.js";
import { Expectation, failure } from "../expectation.js";

const DATABASE = "idb";

export async function run() {
  const expect = new Expectation(DATABASE);
  const database = await openDB(DATABASE, 1, {
    upgrade(upgrading) {
      upgrading.createObjectStore("people", { keyPath: "id", autoIncrement: true });
      upgrading.createObjectStore("notes");
    },
  });

  expect.createdStore("people", "id", true);
  expect.createdStore("notes");

  await database.add("people", { name: "Ada" });
  await database.add("people", { name: "Grace" });
  await database.put("notes", "one", "a");
  await database.put("notes", "two", "a");
  expect.created("people", 1, { name: "Ada", id: 1 });
  expect.created("people", 2, { name: "Grace", id: 2 });
  expect.created("notes", "a", "one");
  expect.updated("notes", "a", "two");

  const both = database.transaction(["people", "notes"], "readwrite");
  await Promise.all([
    both.objectStore("people").put({ id: 10, name: "Hedy" }),
    both.objectStore("notes").put("both stores", "b"),
    both.objectStore("people").delete(1),
    both.done,
  ]);
  expect.created("people", 10, { id: 10, name: "Hedy" });
  expect.created("notes", "b", "both stores");
  expect.deleted("people", 1);

  const walking = database.transaction("people", "readwrite");
  for await (const cursor of walking.store) {
    if (cursor.key === 2) await cursor.update({ ...cursor.value, seen: true });
    else await cursor.delete();
  }
  await walking.done;
  expect.updated("people", 2, { name: "Grace", id: 2, seen: true });
  expect.deleted("people", 10);

  const aborting = database.transaction("people", "readwrite");
  const lost = failure(aborting.store.put({ id: 11, name: "never seen" }));
  aborting.abort();
  await Promise.all([lost, failure(aborting.done)]);

  const goingOn = database.transaction("people", "readwrite");
  goingOn.store.put({ id: 12, name: "before" });
  unwrap(goingOn.store).add({ id: 2, name: "the key is taken" }).onerror = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  goingOn.store.put({ id: 13, name: "after" });
  await goingOn.done;
  expect.created("people", 12, { id: 12, name: "before" });
  expect.created("people", 13, { id: 13, name: "after" });

  await database.clear("notes");
  expect.truncated("notes", "a", "b");
  await database.put("notes", "the last", "c");
  expect.created("notes", "c", "the last");
  database.close();
  return expect.exactly();
}
