// An application that keeps its state in Vue's reactive objects and saves it by idb. Proxies cannot
// be cloned: what Vue's users put is the raw object, or a copy.

import {
  computed,
  reactive,
  readonly,
  ref,
  shallowReactive,
  toRaw,
  watch,
} from "/node_modules/@vue/reactivity/dist/reactivity.esm-browser.js";
import { openDB } from "/node_modules/idb/build/index.js";
import { Trace } from "../trace.js";

const opened = (version) =>
  openDB("vue", version, {
    async upgrade(database, from, to, transaction) {
      if (from < 1) database.createObjectStore("todos", { keyPath: "id" });
      if (to < 2) return;
      database.createObjectStore("state");
      const todos = transaction.objectStore("todos");
      todos.createIndex("done", "done");
      for (let cursor = await todos.openCursor(); cursor !== null; cursor = await cursor.continue()) {
        const todo = reactive(cursor.value);
        todo.done = todo.done ? 1 : 0;
        await cursor.update(toRaw(todo));
      }
    },
  });

const newState = () =>
  reactive({
    todos: [1, 2, 3, 4].map((id) => ({
      id,
      title: `todo ${id}`,
      done: false,
      due: new Date(id),
      tags: new Set(["a", id]),
    })),
    filter: { words: ["x"], by: new Map([["done", true]]) },
  });

// All that cannot be cloned, in the middle of a transaction that goes on.
async function putProxies(database, state, trace) {
  const transaction = database.transaction(["todos", "state"], "readwrite");
  const [todos, kept] = ["todos", "state"].map((name) => transaction.objectStore(name));
  const [first, second] = state.todos;
  await todos.put(toRaw(first));
  await trace.outcome("a proxy", () => todos.put(second));
  await trace.outcome("a read-only proxy", () => todos.add(readonly(toRaw(second))));
  await trace.outcome("a copy with proxies in it", () => kept.put({ ...state }, "state"));
  await trace.outcome("a list of proxies", () => kept.put([...state.todos], "state"));
  await trace.outcome("a ref", () => kept.put(ref({ a: 1 }), "ref"));
  await trace.outcome("a shallow proxy", () => kept.put(shallowReactive({ a: 1 }), "shallow"));
  await trace.outcome("a proxy as key", () => kept.put(1, reactive(["a", "key"])));
  await trace.outcome("deletion by a proxy", () => kept.delete(reactive(["a", "key"])));
  await todos.put(toRaw(second));
  await transaction.done;
}

async function putCopies(database, state, trace) {
  // What changes behind the call is not in the clone.
  const saving = Promise.all(state.todos.map((todo) => database.put("todos", toRaw(todo))));
  for (const todo of state.todos) todo.title += ", changed";
  await saving;
  await database.put("state", structuredClone(toRaw(state)), "state");
  await database.put("state", JSON.parse(JSON.stringify(state)), "as JSON");
  // A raw object to which a proxy was given behind Vue's back.
  const raw = toRaw(state);
  raw.current = state.todos[2];
  await trace.outcome("a raw object with a proxy", () => database.put("state", raw, "state"));
  delete raw.current;
  // Two references to one object.
  raw.again = raw.filter;
  await database.put("state", raw, "with references");
  const count = computed(() => state.todos.length);
  await database.put("state", { count: count.value, key: ref(5).value }, ref("count").value);
  await database.delete("todos", state.todos[3].id);
}

// Saves with each change, as a plugin of a store does.
async function saveOnChange(database, trace) {
  const cart = reactive({ items: [], total: 0 });
  const saves = [];
  const stop = watch(cart, () => saves.push(database.put("state", structuredClone(toRaw(cart)), "cart")), {
    deep: true,
  });
  for (let price = 1; price <= 20; price++) {
    cart.items.push({ price });
    cart.total += price;
  }
  stop();
  await Promise.all(saves);
  trace.saw("saves", saves.length);
}

export async function run() {
  const trace = new Trace();
  const state = newState();
  const first = await opened(1);
  await Promise.all(state.todos.map((todo) => first.add("todos", toRaw(todo))));
  first.close();
  const second = await opened(2);
  await putProxies(second, state, trace);
  await putCopies(second, state, trace);
  await saveOnChange(second, trace);
  trace.saw("todos", await second.getAll("todos"));
  trace.saw("keys", await second.getAllKeys("state"));
  trace.saw("cart", await second.get("state", "cart"));
  second.close();
  return trace.lines;
}
