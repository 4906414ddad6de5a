// An application that keeps its state in observables of MobX and saves it by Dexie. Objects of
// classes are no proxies but have an accessor for each property: they can be cloned, and the clone
// calls these.

import Dexie from "/node_modules/dexie/dist/dexie.mjs";
import {
  autorun,
  makeAutoObservable,
  observable,
  observableRef,
  reaction,
  runInAction,
  toJS,
} from "/node_modules/mobx/dist/mobx.esm.production.min.js";
import { Trace } from "../trace.js";

class Todo {
  title = "";
  done = false;
  constructor(id, title) {
    this.id = id;
    this.title = title;
    makeAutoObservable(this, { id: false });
  }
  get shout() {
    return this.title.toUpperCase();
  }
}

class Counter {
  n = 0;
  list = [];
  constructor(id) {
    this.id = id;
    makeAutoObservable(this, { id: false, list: observableRef });
  }
}

const opened = () => {
  const database = new Dexie("mobx");
  database.version(1).stores({ todos: "id", counters: "++id", state: "" });
  return database;
};

const upgraded = () => {
  const database = opened();
  database
    .version(2)
    .stores({ todos: "id, done" })
    .upgrade((upgrading) =>
      upgrading
        .table("todos")
        .toCollection()
        .modify((todo, context) => {
          // An observable takes the record's place.
          const { id, title, done } = todo;
          context.value = Object.assign(new Todo(id, title), { done: done ? 1 : 0 });
        }),
    );
  return database;
};

const rawStore = (database, name) => {
  const transaction = database.backendDB().transaction(name, "readwrite");
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  return { store: transaction.objectStore(name), done };
};

async function putProxies(database, trace) {
  const { todos, state } = database;
  const todo = observable({ id: 1, title: "a proxy" });
  await trace.outcome("a proxy", () => todos.put(todo));
  await trace.outcome("a list", () => state.put(observable([1, 2]), "list"));
  await trace.outcome("a map", () => state.put(observable.map({ a: 1 }), "map"));
  await trace.outcome("a box", () => state.put(observable.box(1), "box"));
  await todos.put(toJS(todo));
  await state.put(
    toJS(observable({ map: new Map([["a", { b: 1 }]]), set: new Set([1]), list: [{ deep: [] }] })),
    "copied",
  );
  await state.put(toJS(observable.map([["key", "value"]])), "map");
  await todos.bulkPut([2, 3, 4].map((id) => toJS(new Todo(id, `todo ${id}`))));
}

// Accessors without a proxy: put as they are, to the database itself.
async function putAccessors(database, trace) {
  const todo = new Todo(10, "first title");
  let renders = 0;
  const stop = autorun(() => {
    renders += todo.shout.length;
  });
  const { store, done } = rawStore(database, "todos");
  store.put(todo);
  runInAction(() => (todo.title = "second title"));
  store.put(todo);
  const counter = new Counter(11);
  for (let n = 1; n <= 3; n++) {
    runInAction(() => {
      counter.n = n;
      counter.list = [...counter.list, n];
    });
    store.put(counter);
  }
  try {
    const holder = new Counter(12);
    runInAction(() => (holder.list = observable([1])));
    store.put(holder);
  } catch (error) {
    trace.saw("an accessor of a proxy", error.name);
  }
  store.delete(4);
  await done;
  stop();
  trace.saw("renders", renders);
  // The clone reads each once, and no one else does.
  let reads = 0;
  const counted = {
    get text() {
      return `read ${++reads} times`;
    },
  };
  const counters = rawStore(database, "counters");
  counters.store.add(counted);
  counters.store.add(counted);
  await counters.done;
  trace.saw("reads", reads);
}

async function saveOnChange(database, trace) {
  const cart = observable({
    items: [],
    get total() {
      return this.items.length;
    },
  });
  const saves = [];
  const stop = reaction(
    () => toJS(cart),
    (copy) => saves.push(database.state.put({ ...copy, total: cart.total }, "cart")),
  );
  for (let price = 1; price <= 20; price++) runInAction(() => cart.items.push({ price }));
  stop();
  await Promise.all(saves);
  trace.saw("saves", saves.length);
}

export async function run() {
  const trace = new Trace();
  const first = opened();
  await first.open();
  await putProxies(first, trace);
  await putAccessors(first, trace);
  await saveOnChange(first, trace);
  // Behind it no transaction is left that the upgrade would wait for.
  await first.transaction("rw", first.state, () => first.state.put("over", "first version"));
  first.close();
  const second = upgraded();
  await second.open();
  for (const table of second.tables) {
    trace.saw(`${table.name} keys`, await table.toCollection().primaryKeys());
    trace.saw(table.name, await table.toArray());
  }
  second.close();
  return trace.lines;
}
