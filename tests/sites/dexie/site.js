// The writes of an application on Dexie.

import Dexie from "/node_modules/dexie/dist/dexie.mjs";
import { Expectation, failure } from "../expectation.js";

const DATABASE = "dexie";

export async function run() {
  const expect = new Expectation(DATABASE);
  const database = new Dexie(DATABASE);
  database.version(1).stores({ people: "++id, name", notes: "key" });

  expect.createdStore("people", "id", true);
  expect.schema("people", { create_index: { index: "name", key_path: "name", unique: false, multi_entry: false } });
  expect.createdStore("notes", "key");

  await database.people.bulkAdd([{ name: "Ada" }, { name: "Grace" }, { name: "Joan" }]);
  expect.created("people", 1, { name: "Ada", id: 1 });
  expect.created("people", 2, { name: "Grace", id: 2 });
  expect.created("people", 3, { name: "Joan", id: 3 });

  await database.notes.put({ key: "a", text: "one", at: new Date(0) });
  expect.created("notes", "a", { key: "a", text: "one", at: { $date: "1970-01-01T00:00:00.000Z" } });
  await database.notes.update("a", { text: "two" });
  expect.updated("notes", "a", { key: "a", text: "two", at: { $date: "1970-01-01T00:00:00.000Z" } });

  await database.people.where("name").equals("Grace").modify({ seen: true });
  expect.updated("people", 2, { name: "Grace", id: 2, seen: true });
  await database.people.delete(1);
  expect.deleted("people", 1);

  await database.transaction("rw", database.people, database.notes, async () => {
    await database.people.put({ id: 10, name: "Hedy" });
    await database.notes.add({ key: "b", text: "both stores" });
  });
  expect.created("people", 10, { id: 10, name: "Hedy" });
  expect.created("notes", "b", { key: "b", text: "both stores" });

  await failure(
    database.transaction("rw", database.people, async () => {
      await database.people.put({ id: 11, name: "never seen" });
      throw new Error("rolled back");
    }),
  );

  // An error that is caught within the transaction lets it go on.
  await database.transaction("rw", database.people, async () => {
    await database.people.put({ id: 12, name: "before" });
    await failure(database.people.add({ id: 2, name: "the key is taken" }));
    await database.people.put({ id: 13, name: "after" });
  });
  expect.created("people", 12, { id: 12, name: "before" });
  expect.created("people", 13, { id: 13, name: "after" });

  await database.notes.clear();
  expect.truncated("notes", "a", "b");
  await database.notes.add({ key: "c", text: "the last" });
  expect.created("notes", "c", { key: "c", text: "the last" });
  database.close();
  return expect.exactly();
}
