// Ends a hook that is not the first one of its worker: a module worker has one in front of each of
// its modules, and the module that runs first is not known before. Ahead of all other set-up, for
// by now the worker's own scripts may have run.
//
// The first hook is there if any method has the text of ours. The worker's scripts may have
// replaced some: the hook is put over these, as a page's is that comes late.

import { shapes } from "../main/shapes.js";

/** What the hook ends with if the worker has one: its caller gets `true`. */
const IS_HOOKED = true;

for (const { prototype } of /** @type {any[]} */ ([IDBObjectStore, IDBDatabase, IDBCursor, IDBFactory])) {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(shapes(() => {})))) {
    const there = Object.getOwnPropertyDescriptor(prototype, name)?.value;
    if (typeof value !== "function" || typeof there !== "function") continue;
    const [text, ours] = [there, value].map((method) => Function.prototype.toString.call(method));
    if (text === ours) throw IS_HOOKED;
  }
}
