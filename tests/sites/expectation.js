// What a page's run() expects to be published, in order. The tests read it as {exact, events:
// [{op, database, store, key, after, schema}]}: keys and values in typed form, see docs/formats.md.

export class Expectation {
  constructor(database) {
    this.database = database;
    this.events = [];
  }

  schema(store, schema) {
    this.#add({ op: "s", store, schema });
  }

  // createObjectStore(store, {keyPath, autoIncrement})
  createdStore(store, keyPath = null, autoIncrement = false) {
    this.schema(store, { create_store: { key_path: keyPath, auto_increment: autoIncrement } });
  }

  created(store, key, after) {
    this.#add({ op: "c", store, key, after });
  }

  updated(store, key, after) {
    this.#add({ op: "u", store, key, after });
  }

  deleted(store, ...keys) {
    for (const key of keys) this.#add({ op: "d", store, key });
  }

  // clear() or delete(range), and a "d" for each record that went, in the order of the keys.
  truncated(store, ...keys) {
    this.#add({ op: "t", store });
    this.deleted(store, ...keys);
  }

  // Exactly these events and no others.
  exactly() {
    return { exact: true, events: this.events };
  }

  // These events in this order, with others between.
  among() {
    return { exact: false, events: this.events };
  }

  #add(event) {
    this.events.push({ database: this.database, ...event });
  }
}

// The error that a promise must end in.
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("this was expected to fail");
}
