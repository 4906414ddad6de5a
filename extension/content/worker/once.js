// Ends a hook that is not the first one of its worker: a module worker has one in front of each of
// its modules, and the module that runs first is not known before. Ahead of all other set-up, for
// by now the worker's own scripts may have run.
//
// A method that is not the engine's is the first hook's, most likely. If a worker has replaced all
// of these before the first hook came, what it writes is found by comparison.

for (const name of /** @type {const} */ (["put", "add", "delete", "clear"])) {
  const text = Function.prototype.toString.call(IDBObjectStore.prototype[name]);
  if (!text.includes("[native code]")) throw new Error("the worker is hooked");
}
