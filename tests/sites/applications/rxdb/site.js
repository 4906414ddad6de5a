// An application on RxDB with its Dexie storage.

import {
  RxDBMigrationSchemaPlugin,
  addRxPlugin,
  createRxDatabase,
  getRxStorageDexie,
} from "/node_modules/.bundles/rxdb.js";
import { Trace } from "../trace.js";

addRxPlugin(RxDBMigrationSchemaPlugin);

const schema = (version, more) => ({
  version,
  primaryKey: "name",
  type: "object",
  properties: {
    name: { type: "string", maxLength: 40 },
    age: { type: "integer", minimum: 0, maximum: 200, multipleOf: 1 },
    active: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    address: { type: "object", properties: { street: { type: "string" } } },
    ...more,
  },
  required: ["name", "age"],
  indexes: ["age"],
});

const opened = () => createRxDatabase({ name: "heroes", storage: getRxStorageDexie() });

const plain = (documents) => documents.map((document) => document.toJSON());

async function writeFirst(heroes, trace) {
  const events = [];
  const subscription = heroes.$.subscribe(({ operation, documentId }) => events.push(`${operation} ${documentId}`));
  await heroes.insert({ name: "Ada", age: 36, tags: ["first"], address: { street: "Main" } });
  await trace.outcome("insert of a name that is taken", () => heroes.insert({ name: "Ada", age: 1 }));
  const many = Array.from({ length: 60 }, (_, index) => ({ name: `hero ${index}`, age: index, active: true }));
  trace.saw("inserted", (await heroes.bulkInsert(many)).success.length);

  const ada = await heroes.findOne("Ada").exec();
  await ada.patch({ active: true });
  // Both are applied, one behind the other.
  const older = (data) => ({ ...data, age: data.age + 1 });
  await Promise.all([1, 2, 3].map(() => ada.getLatest().incrementalModify(older)));
  await heroes.upsert({ name: "Joan", age: 20 });
  await heroes.incrementalUpsert({ name: "Joan", age: 21, tags: [] });
  await heroes.findOne("hero 5").remove();
  trace.saw("removed", (await heroes.bulkRemove(["hero 6", "hero 7", "not there"])).success.length);
  await heroes.find({ selector: { age: { $gt: 40 } } }).remove();
  await heroes.insert({ name: "hero 5", age: 55, tags: ["back again"] });
  await trace.outcome("modification that throws", async () =>
    (await heroes.findOne("Joan").exec()).modify(() => {
      throw new RangeError("not modified");
    }),
  );
  trace.saw("found", plain(await heroes.find({ selector: { age: { $gte: 30 } }, sort: [{ age: "asc" }] }).exec()));
  subscription.unsubscribe();
  trace.saw("events", events.sort());
}

export async function run() {
  const trace = new Trace();
  const first = await opened();
  const { heroes } = await first.addCollections({ heroes: { schema: schema(0, {}) } });
  await writeFirst(heroes, trace);
  trace.saw("count", await heroes.count().exec());
  await first.close();

  const second = await opened();
  const { heroes: migrated } = await second.addCollections({
    heroes: {
      schema: schema(1, { rank: { type: "string" } }),
      migrationStrategies: {
        // A document that becomes null goes.
        1: (document) => (document.age === 8 ? null : { ...document, rank: document.age < 10 ? "young" : "old" }),
      },
    },
  });
  await migrated.insert({ name: "after", age: 1, rank: "young" });
  trace.saw("migrated", plain(await migrated.find({ sort: [{ name: "asc" }] }).exec()));
  await second.close();
  return trace.lines;
}
