// An application on Dexie: two versions of its schema, bulk writes, a live query, a hook. No
// function within a transaction is `async`: with zone.js these leave the transaction.

import Dexie, { liveQuery } from "/node_modules/dexie/dist/dexie.mjs";

const firstVersion = (name) => {
  const database = new Dexie(name);
  database.version(1).stores({ people: "++id, name, [city+age]", notes: "key, *tags" });
  return database;
};

const secondVersion = (name) => {
  const database = firstVersion(name);
  database
    .version(2)
    .stores({ people: "++id, name, born, *tags", notes: null, pages: "&path" })
    .upgrade((upgrading) => {
      const people = upgrading
        .table("people")
        .toCollection()
        .modify((person) => {
          person.born = 2000 - person.age;
          delete person.age;
          if (person.name === "Nameless") delete person.name;
        });
      const pages = (notes) => notes.map(({ key, text }) => ({ path: `/${key}`, text }));
      const notes = upgrading.table("notes").toArray();
      return Promise.all([people, notes.then((notes) => upgrading.table("pages").bulkAdd(pages(notes)))]);
    });
  return database;
};

async function writeFirst(database, trace) {
  const { people, notes } = database;
  people.hook("creating", (_key, person) => {
    person.since = new Date(0);
  });
  const names = ["Ada", "Grace", "Joan", "Hedy", "Nameless"];
  trace.saw("last key", await people.bulkAdd(names.map((name, index) => ({ name, city: "x", age: 30 + index }))));
  await trace.outcome("bulkAdd of a key that is taken", () =>
    people.bulkAdd([
      { id: 100, name: "stays?" },
      { id: 1, name: "taken" },
    ]),
  );
  await notes.bulkPut([
    { key: "a", text: "one", tags: ["x", "y"] },
    { key: "b", text: "two", tags: new Set([1]) },
    { key: "c", text: "three", bytes: new Uint8Array([1, 2, 3]) },
  ]);
  trace.saw(
    "modified",
    await people
      .where("[city+age]")
      .between(["x", 31], ["x", 33])
      .modify({ tags: ["seen"] }),
  );
  trace.saw("updated", await people.update(4, { "address.street": "Main", tags: undefined }));
  trace.saw("upserted", await people.upsert(7, { name: "Mary", city: "y", age: 20 }));
  await people.bulkDelete([3, 99]);
  trace.saw("deleted", await notes.where("tags").equals("y").delete());
  await trace.outcome("transaction that throws", () =>
    database.transaction("rw", people, () =>
      people.clear().then(() => {
        throw new RangeError("rolled back");
      }),
    ),
  );
  trace.saw(
    "nested transaction",
    await database.transaction("rw", people, notes, () =>
      people
        .put({ id: 50, name: "outer" })
        .then(() => database.transaction("rw", notes, () => notes.put({ key: "d", text: "inner" })))
        .then(() => people.count()),
    ),
  );
}

// A query that is asked again with each change that concerns it.
function watch(database, trace) {
  let resolve;
  const seen = new Promise((found) => (resolve = found));
  const subscription = liveQuery(() => database.people.where("name").equals("watched").count()).subscribe((count) => {
    if (count === 1) resolve();
  });
  return async () => {
    await seen;
    subscription.unsubscribe();
    trace.saw("live query", "came");
  };
}

export async function writePeople(name, trace) {
  const first = firstVersion(name);
  await writeFirst(first, trace);
  // Its transaction is over behind it, not only its request: a connection that closes before blocks
  // the upgrade.
  trace.saw("people", await first.transaction("r", first.people, () => first.people.toArray()));
  first.close();

  const second = secondVersion(name);
  const watched = watch(second, trace);
  trace.saw("pages", await second.pages.toArray());
  await second.people.add({ id: 60, name: "watched", tags: ["t"] });
  await watched();
  await second.people
    .orderBy("born")
    .reverse()
    .limit(1)
    .modify((_person, context) => delete context.value);
  await second.pages.put({ path: "/", text: "x".repeat(100_000) });
  trace.saw("people of the second version", await second.people.toArray());
  trace.saw(
    "stores",
    second.tables.map(({ name: store }) => store),
  );
  second.close();
}
