// Functions that stand in the place of native ones, and look like them: same name, no `prototype`,
// and the same text from every window's `Function.prototype.toString`.
//
// The text is the engine's own. V8 keeps the distance between a function's name and its parameters
// in 16 bits, and prints `function put() { [native code] }` for a function where they do not
// suffice. So each name stands here once, and the build puts that many spaces behind it
// (`xtask/src/build/content/padding.rs`). In Firefox the bridge turns them into native functions.

/**
 * What a function does: `first` is its first argument.
 * @typedef {(self: any, first: any, given: IArguments) => any} Run
 */

/**
 * Each name that is replaced, as a method or as one half of an accessor.
 * @param {Run} run
 */
export const shapes = (run) => ({
  put(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  add(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  delete(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  clear(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  update(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  open(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  deleteDatabase(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  transaction(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  createObjectStore(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  deleteObjectStore(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  createIndex(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  deleteIndex(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  openCursor(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  only(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  lowerBound(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  upperBound(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  bound(/** @type {any} */ first) {
    return run(this, first, arguments);
  },
  set name(/** @type {any} */ first) {
    run(this, first, arguments);
  },
  get keyPath() {
    return run(this, undefined, arguments);
  },
  get indexedDB() {
    return run(this, undefined, arguments);
  },
});
