"use strict";
// Runs IndexedDB programs and records everything a page could notice. The same file runs in a
// browser with the extension and in one without; the two traces must be equal. A trace is grouped
// by transaction or request: within a group the order is the specification's, between groups that
// do not overlap it is not.

/**
 * @typedef {{groups: Record<string, string[]>, content: Record<string, Record<string,
 * Record<string, string>>>, stuck: boolean}} Trace
 */

/** How long something may take to settle, in milliseconds. */
const PATIENCE = 3000;
/**
 * As PATIENCE, once something of the same program did not settle: an engine that is stuck stays so.
 */
const STUCK_PATIENCE = 100;

class Run {
  /** @param {any} program */
  constructor(program) {
    this.program = program;
    /** @type {Record<string, string[]>} */
    this.groups = {};
    /** @type {Map<string, IDBDatabase>} */
    this.connections = new Map();
    this.transactions = 0;
    /** What must settle before the next step. @type {Promise<void>[]} */
    this.pending = [];
    /** Whether something did not settle. */
    this.stuck = false;
  }

  /** @param {string} group @param {...string} words */
  log(group, ...words) {
    (this.groups[group] ??= []).push(words.join(" "));
  }

  /** @param {number} index */
  databaseName(index) {
    return `${this.program.name}-${index}`;
  }

  /** @returns {Promise<Trace>} */
  async execute() {
    const onError = (/** @type {ErrorEvent} */ event) => {
      this.log("errors", String(event.message));
      event.preventDefault();
    };
    const onRejection = (/** @type {PromiseRejectionEvent} */ event) =>
      this.log("errors", "rejection", describe(event.reason));
    addEventListener("error", onError);
    addEventListener("unhandledrejection", onRejection);
    for (const [index, step] of this.program.steps.entries()) {
      this.step(step, `s${index}`);
      // Settled work may have started more.
      while (this.pending.length > 0) await this.settled(/** @type {Promise<void>} */ (this.pending.pop()));
    }
    for (const connection of this.connections.values()) connection.close();
    removeEventListener("error", onError);
    removeEventListener("unhandledrejection", onRejection);
    const content = await this.contentSoon();
    return { groups: this.groups, content, stuck: this.stuck };
  }

  /** The content, unless the engine is stuck: then it says nothing in both pages. */
  async contentSoon() {
    let content = /** @type {Trace["content"]} */ ({});
    // What was stuck may go on once the connections are closed, and change a version under the
    // reader.
    const reading = this.content().then(
      (found) => void (content = found),
      (error) => {
        if (!this.stuck) throw error;
      },
    );
    await this.settled(reading);
    return content;
  }

  /**
   * Waits for a promise, but not without limit: engines have their own ways to get stuck, and then
   * both pages must.
   * @param {Promise<void>} promise
   */
  async settled(promise) {
    let timer = 0;
    const patience = new Promise((resolve) => {
      timer = setTimeout(
        () => {
          this.stuck = true;
          this.log("errors", "something never settled");
          resolve(undefined);
        },
        this.stuck ? STUCK_PATIENCE : PATIENCE,
      );
    });
    await Promise.race([promise, patience]);
    clearTimeout(timer);
  }

  /**
   * Calls page code, logging what it returns or throws. @template T @param {string} group @param
   * {string} what @param {() => T} call @returns {T | undefined}
   */
  attempt(group, what, call) {
    try {
      const result = call();
      this.log(group, what, "=>", describe(result));
      return result;
    } catch (error) {
      this.log(group, what, "throws", describe(error));
      return undefined;
    }
  }

  /** @param {any} step @param {string} group */
  step(step, group) {
    switch (step.step) {
      case "open":
        return this.open(step, group);
      case "delete":
        return this.deleteDatabase(step, group);
      case "close":
        return void this.connections.get(step.connection)?.close();
      case "transactions":
        for (const description of step.list) this.transaction(description);
        return;
      case "together":
        // Started one right after the other: opens and deletions queue behind each other and behind
        // transactions.
        for (const [index, part] of step.parts.entries()) this.step(part, `${group}.${index}`);
        return;
      case "wrong":
        return this.wrong(step, group);
      default:
        throw new Error("a program names an unknown step: " + step.step);
    }
  }

  /** @param {any} step @param {string} group */
  open(step, group) {
    const name = this.databaseName(step.database);
    const request = this.attempt(group, "open", () =>
      step.version === undefined ? indexedDB.open(name) : indexedDB.open(name, step.version),
    );
    if (!request) return;
    this.pending.push(
      new Promise((resolve) => {
        request.onblocked = (event) => this.unblock(group, event);
        request.onupgradeneeded = (event) => {
          this.logEvent(group, event);
          const transaction = /** @type {IDBTransaction} */ (request.transaction);
          this.watch(transaction, group);
          this.watchConnection(request.result, group, step);
          this.operations(step.upgrade, { transaction, group });
          if (step.outcome === "abort") this.attempt(group, "abort", () => transaction.abort());
          if (step.outcome === "throw") throw new TypeError("from upgradeneeded");
        };
        request.onsuccess = (event) => {
          this.logEvent(group, event);
          this.log(group, describe([...request.result.objectStoreNames]), String(request.result.version));
          this.connections.get(step.connection)?.close();
          this.connections.set(step.connection, request.result);
          this.watchConnection(request.result, group, step);
          resolve();
        };
        request.onerror = (event) => {
          this.logEvent(group, event);
          event.preventDefault();
          resolve();
        };
      }),
    );
  }

  /** @param {any} step @param {string} group */
  deleteDatabase(step, group) {
    const request = indexedDB.deleteDatabase(this.databaseName(step.database));
    this.pending.push(
      new Promise((resolve) => {
        request.onblocked = (event) => this.unblock(group, event);
        request.onsuccess = request.onerror = (event) => {
          this.logEvent(group, event);
          resolve();
        };
      }),
    );
  }

  /**
   * The connections that ignored versionchange close now, so that the program goes on.
   * @param {string} group
   * @param {Event} event
   */
  unblock(group, event) {
    this.logEvent(group, event);
    for (const connection of this.connections.values()) connection.close();
  }

  /** @param {IDBDatabase} connection @param {string} group @param {any} step */
  watchConnection(connection, group, step) {
    connection.onversionchange = (event) => {
      this.logEvent(group, event);
      if (step.versionchange === "close") connection.close();
    };
    connection.onabort = (event) => this.logEvent(group, event, "at connection");
    connection.onerror = (event) => this.logEvent(group, event, "at connection");
    connection.onclose = (event) => this.logEvent(group, event);
  }

  /** @param {any} description */
  transaction(description) {
    const group = `t${this.transactions++}`;
    const connection = this.connections.get(description.connection);
    if (!connection) return this.log(group, "no connection");
    const options = description.durability ? { durability: description.durability } : undefined;
    const transaction = this.attempt(group, "transaction", () =>
      connection.transaction(description.stores, description.mode, options),
    );
    if (!transaction) return;
    this.log(group, transaction.mode, transaction.durability, describe([...transaction.objectStoreNames]));
    this.watch(transaction, group);
    this.operations(description.operations, { transaction, group });
  }

  /** @param {IDBTransaction} transaction @param {string} group */
  watch(transaction, group) {
    this.pending.push(
      new Promise((resolve) => {
        transaction.onerror = (event) => this.logEvent(group, event, "at transaction");
        transaction.addEventListener("error", (event) => this.logEvent(group, event, "captured"), true);
        transaction.onabort = (event) => {
          this.logEvent(group, event, describe(transaction.error));
          resolve();
        };
        transaction.oncomplete = (event) => {
          this.logEvent(group, event);
          resolve();
        };
      }),
    );
  }

  /** @param {string} group @param {Event} event @param {string} [note] */
  logEvent(group, event, note = "") {
    const target = /** @type {any} */ (event.target);
    const versions = event instanceof IDBVersionChangeEvent ? `${event.oldVersion}->${event.newVersion}` : "";
    let outcome = "";
    if (target instanceof IDBRequest && target.readyState === "done") {
      outcome = target.error ? describe(target.error) : describe(target.result);
    }
    this.log(
      group,
      event.type,
      String(event.eventPhase),
      describe(target),
      describe(event.currentTarget),
      versions,
      outcome,
      String(event.bubbles),
      String(event.cancelable),
      String(event.defaultPrevented),
      String(event.isTrusted),
      String(event.composedPath().length),
      String(globalThis.event === event),
      note,
    );
  }

  /** @param {any[]} operations @param {{transaction: IDBTransaction, group: string}} context */
  operations(operations, context) {
    for (const operation of operations ?? []) this.operation(operation, context);
  }

  /** @param {any} operation @param {{transaction: IDBTransaction, group: string}} context */
  operation(operation, context) {
    const { transaction, group } = context;
    const touch = (/** @type {string} */ what) => this.log(group, "touched:", what);
    const build = (/** @type {string} */ name) => buildValue(operation[name], touch);
    const store = () => transaction.objectStore(operation.store);
    const request = (/** @type {() => IDBRequest} */ call) => {
      const made = this.attempt(group, operation.op, call);
      if (made) this.handle(made, operation, context);
    };
    const keys = "key" in operation;
    switch (operation.op) {
      case "put":
        return request(() => (keys ? store().put(build("value"), build("key")) : store().put(build("value"))));
      case "add":
        return request(() => (keys ? store().add(build("value"), build("key")) : store().add(build("value"))));
      case "delete":
        return request(() => store().delete(build("key")));
      case "clear":
        return request(() => store().clear());
      case "get":
        return request(() => store().get(build("key")));
      case "count":
        return request(() => (keys ? store().count(build("key")) : store().count()));
      case "getAll":
        return request(() => store().getAll());
      case "getAllKeys":
        return request(() => store().getAllKeys());
      case "index":
        return request(() => store().index("by_n").getAll());
      case "cursor":
        return this.cursor(operation, context);
      case "commit":
        return void this.attempt(group, "commit", () => transaction.commit());
      case "abort":
        return void this.attempt(group, "abort", () => transaction.abort());
      case "microtask":
        return void Promise.resolve().then(() => this.operations(operation.then, context));
      case "task":
        this.pending.push(
          new Promise((resolve) =>
            setTimeout(() => {
              // Whether the transaction is inactive or finished by now is a matter of time: only
              // the kind of error is logged.
              try {
                transaction.objectStore(operation.store).put(1, 1);
              } catch (error) {
                this.log(group + " task", /** @type {any} */ (error).constructor.name);
              }
              resolve();
            }),
          ),
        );
        return;
      case "throw":
        throw new EvalError("from the program");
      case "createObjectStore":
        return void this.attempt(group, operation.op, () => {
          const made = transaction.db.createObjectStore(operation.store, operation.options);
          if (operation.index) made.createIndex("by_n", "n", operation.index);
          return made;
        });
      case "deleteObjectStore":
        return void this.attempt(group, operation.op, () => transaction.db.deleteObjectStore(operation.store));
      case "createIndex":
        return void this.attempt(group, operation.op, () => store().createIndex("by_n", "n", operation.options));
      case "deleteIndex":
        return void this.attempt(group, operation.op, () => store().deleteIndex("by_n"));
      case "renameIndex":
        return void this.attempt(group, operation.op, () => (store().index("by_n").name = operation.to));
      case "renameStore":
        return void this.attempt(group, operation.op, () => (store().name = operation.to));
      case "stale": {
        // A request on a store object that has been deleted in this upgrade.
        const stale = this.attempt(group, "stale", store);
        if (!stale) return;
        this.attempt(group, "stale delete", () => transaction.db.deleteObjectStore(operation.store));
        return void this.attempt(group, "stale put", () => stale.put({ id: 1 }, 1));
      }
      default:
        throw new Error("a program names an unknown operation: " + operation.op);
    }
  }

  /**
   * @param {IDBRequest} request @param {any} operation @param
   * {{transaction: IDBTransaction, group: string}} context
   */
  handle(request, operation, context) {
    const success = (/** @type {Event} */ event) => {
      this.logEvent(context.group, event);
      this.operations(operation.then, context);
      if (operation.success === "throw") throw new SyntaxError("from a success handler");
    };
    const failure = (/** @type {Event} */ event) => {
      this.logEvent(context.group, event);
      if (operation.error === "prevent" || operation.error === "both") event.preventDefault();
      if (operation.error === "stop" || operation.error === "both") event.stopPropagation();
      if (operation.error === "immediate") event.stopImmediatePropagation();
      this.operations(operation.otherwise, context);
      if (operation.error === "throw") throw new SyntaxError("from an error handler");
    };
    if (operation.listener) {
      request.addEventListener("success", success);
      request.addEventListener("error", failure);
      return;
    }
    request.onsuccess = success;
    request.onerror = failure;
  }

  /** @param {any} operation @param {{transaction: IDBTransaction, group: string}} context */
  cursor(operation, context) {
    const { transaction, group } = context;
    const touch = (/** @type {string} */ what) => this.log(group, "touched:", what);
    const request = this.attempt(group, "cursor", () => {
      const store = transaction.objectStore(operation.store);
      const source = operation.index ? store.index("by_n") : store;
      const range = "range" in operation ? buildValue(operation.range, touch) : null;
      return operation.keyOnly
        ? source.openKeyCursor(range, operation.direction)
        : source.openCursor(range, operation.direction);
    });
    if (!request) return;
    let step = 0;
    request.onsuccess = (event) => {
      this.logEvent(group, event);
      const cursor = /** @type {IDBCursorWithValue | null} */ (request.result);
      if (!cursor) return;
      const action = operation.actions[step++ % operation.actions.length];
      const act = (/** @type {() => IDBRequest} */ call) => {
        const made = this.attempt(group, "cursor " + action.do, call);
        if (made) this.handle(made, action, context);
      };
      if (action.do === "update")
        act(() => cursor.update(action.keep ? { ...cursor.value, n: action.n } : buildValue(action.value, touch)));
      if (action.do === "delete") act(() => cursor.delete());
      if (action.do === "twice") {
        act(() => cursor.update(cursor.value));
        act(() => cursor.delete());
      }
      if (step < 6)
        this.attempt(group, "continue", () => (action.advance ? cursor.advance(action.advance) : cursor.continue()));
      if (action.late) act(() => cursor.update({ id: 1 }));
    };
    request.onerror = (event) => this.logEvent(group, event);
  }

  /**
   * Calls that must fail the way the engine lets them fail. @param {any} step @param {string} group
   */
  wrong(step, group) {
    const methods = /** @type {[any, string][]} */ ([
      [IDBObjectStore.prototype, "put"],
      [IDBObjectStore.prototype, "add"],
      [IDBObjectStore.prototype, "delete"],
      [IDBObjectStore.prototype, "clear"],
      [IDBCursor.prototype, "update"],
      [IDBCursor.prototype, "delete"],
    ]);
    for (const [prototype, name] of methods) {
      const method = prototype[name];
      for (const receiver of [undefined, null, 1, {}, prototype, indexedDB]) {
        this.attempt(group, name, () => method.call(receiver, 1));
        this.attempt(group, name, () => method.call(receiver));
      }
      this.attempt(group, "new " + name, () => new method(1));
      const descriptor = /** @type {any} */ (Object.getOwnPropertyDescriptor(prototype, name));
      this.log(
        group,
        name,
        describe({ ...descriptor, value: typeof descriptor.value }),
        describe(Reflect.ownKeys(method)),
        String(method),
        Function.prototype.toString.call(method),
        method.name,
        String(method.length),
        String("prototype" in method),
        describe(Object.getPrototypeOf(method) === Function.prototype),
      );
    }
    this.log(
      group,
      describe(Reflect.ownKeys(IDBObjectStore.prototype)),
      describe(Reflect.ownKeys(IDBCursor.prototype)),
      String(Function.prototype.toString),
    );
    this.log(
      group,
      describe(
        Object.getOwnPropertyNames(globalThis)
          .filter((name) => name !== "Run" && !/^\d+$/.test(name))
          .sort()
          .join(),
      ),
    );
  }

  /** What the databases hold now: database, store, then the descriptions of key and value. */
  async content() {
    /** @type {Trace["content"]} */
    const content = {};
    for (const { name, version } of await indexedDB.databases()) {
      if (!name?.startsWith(this.program.name + "-")) continue;
      const connection = await promised(indexedDB.open(name, version));
      const stores = /** @type {Record<string, Record<string, string>>} */ (content[name] = {});
      for (const storeName of connection.objectStoreNames) {
        const store = connection.transaction(storeName).objectStore(storeName);
        const [keys, values] = await Promise.all([promised(store.getAllKeys()), promised(store.getAll())]);
        stores[storeName] = Object.fromEntries(
          keys.map((key, index) => [describe(canonical(key)), describe(values[index])]),
        );
      }
      connection.close();
    }
    return content;
  }
}

/**
 * Minus zero and zero are one key; engines differ in which of them they give back. @param {any} key
 * @returns {any}
 */
function canonical(key) {
  return Array.isArray(key) ? key.map(canonical) : typeof key === "number" ? key + 0 : key;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function promised(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Runs programs one after another. @param {any[]} programs */
async function runPrograms(programs) {
  const traces = [];
  for (const program of programs) traces.push(await new Run(program).execute());
  return traces;
}

/** Deletes what the programs left. @param {any[]} programs */
async function forgetPrograms(programs) {
  for (const { name } of await indexedDB.databases()) {
    // Not awaited: an engine that is stuck with one of them would never go on, and no program
    // shares names with another.
    if (programs.some((program) => name?.startsWith(program.name + "-")))
      indexedDB.deleteDatabase(/** @type {string} */ (name));
  }
}

/**
 * Describes typed keys and values as `Run.content` describes what the databases hold. @param
 * {Record<string, Record<string, Record<string, string>>>} content
 */
function describeTyped(content) {
  /** @type {Record<string, Record<string, Record<string, string>>>} */
  const described = {};
  for (const [database, stores] of Object.entries(content)) {
    described[database] = {};
    for (const [store, records] of Object.entries(stores)) {
      described[database][store] = Object.fromEntries(
        Object.entries(records).map(([key, value]) => [describe(decodeTyped(key)), describe(decodeTyped(value))]),
      );
    }
  }
  return described;
}
