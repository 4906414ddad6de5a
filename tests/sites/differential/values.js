"use strict";
// Values and keys as programs describe them, and descriptions of the values that come back.
// A program is JSON, so everything that JSON cannot say has a tag: `{"v": <tag>, …}`.

/**
 * Builds the value that a description stands for. `touch` is called whenever page code inside the
 * value runs.
 * @param {any} description
 * @param {(what: string) => void} touch
 * @returns {any}
 */
function buildValue(description, touch) {
  if (Array.isArray(description)) return description.map((item) => buildValue(item, touch));
  if (typeof description !== "object" || description === null) return description;
  if (!("v" in description)) {
    const object = {};
    for (const [name, item] of Object.entries(description)) object[name] = buildValue(item, touch);
    return object;
  }
  const inner = (/** @type {string} */ name) => buildValue(description[name], touch);
  switch (description.v) {
    case "undefined":
      return undefined;
    case "number":
      return Number(description.text);
    case "bigint":
      return BigInt(description.text);
    case "date":
      return new Date(description.time);
    case "regexp":
      return new RegExp(description.source, description.flags);
    case "map":
      return new Map(inner("pairs"));
    case "set":
      return new Set(inner("items"));
    case "error":
      return Object.assign(
        new /** @type {any} */ (globalThis)[description.name](description.message),
        inner("own") ?? {},
      );
    case "boxed":
      return Object(inner("value"));
    case "buffer":
      return new Uint8Array(description.bytes).buffer;
    case "resizable": {
      const buffer = new /** @type {any} */ (ArrayBuffer)(4, { maxByteLength: description.maximum });
      return [buffer, new Uint8Array(buffer), new DataView(buffer, 1, 2)];
    }
    case "view": {
      const buffer = new Uint8Array(description.bytes).buffer;
      const View = /** @type {any} */ (globalThis)[description.type];
      return new View(buffer, description.offset ?? 0, description.length);
    }
    case "surrogate":
      return "a\ud800b";
    case "repeat":
      return description.text.repeat(description.times);
    case "deep": {
      let object = {};
      for (let depth = 0; depth < description.depth; depth++) object = { object };
      return object;
    }
    case "shared": {
      const shared = { n: 1 };
      return { id: description.id, first: shared, second: [shared, shared] };
    }
    case "cycle": {
      const object = /** @type {any} */ ({ id: description.id });
      object.self = object;
      object.list = [object];
      return object;
    }
    case "sparse": {
      const array = /** @type {any} */ ([1, , 3]);
      if (description.named) array.name = "x";
      array.length = 5;
      return array;
    }
    case "getter": {
      const object = { id: description.id, z: 1 };
      let reads = 0;
      Object.defineProperty(object, "n", {
        enumerable: true,
        get: () => (touch("get n"), description.changes ? reads++ : (description.n ?? 1)),
      });
      return object;
    }
    case "key getter": {
      const object = { z: 1 };
      Object.defineProperty(object, "id", { enumerable: true, get: () => (touch("get id"), description.id) });
      return object;
    }
    case "throwing getter":
      return {
        id: description.id,
        get n() {
          touch("get n, throws");
          throw new RangeError("from the getter");
        },
      };
    case "hidden getter": {
      const object = { id: description.id };
      Object.defineProperty(object, "n", { enumerable: false, get: () => (touch("get hidden"), 1) });
      return object;
    }
    case "element getter": {
      const array = [1, 2, 3];
      Object.defineProperty(array, 1, { enumerable: true, get: () => (touch("get 1"), 20) });
      return { id: description.id, array };
    }
    case "mutating getter": {
      const object = /** @type {any} */ ({ id: description.id, a: { x: 1 } });
      Object.defineProperty(object, "b", { enumerable: true, get: () => (touch("get b"), (object.a = "changed"), 2) });
      object.c = { y: 1 };
      return object;
    }
    case "proxy":
      return new Proxy(
        { id: description.id, n: 1 },
        {
          ownKeys: (target) => (touch("trap ownKeys"), Reflect.ownKeys(target)),
          get: (target, name) => (touch("trap get " + String(name)), Reflect.get(target, name)),
          getOwnPropertyDescriptor: (target, name) => (
            touch("trap descriptor"),
            Reflect.getOwnPropertyDescriptor(target, name)
          ),
          getPrototypeOf: (target) => (touch("trap prototype"), Reflect.getPrototypeOf(target)),
        },
      );
    case "inner proxy":
      return { id: description.id, inner: new Proxy({}, { ownKeys: () => (touch("trap inner"), []) }) };
    case "to json":
      return {
        id: description.id,
        n: 1,
        toJSON: undefined,
        own: Object.assign(
          Object.create({
            toJSON() {
              touch("toJSON");
              return 1;
            },
          }),
          { a: 1 },
        ),
      };
    case "instance": {
      class Point {
        constructor() {
          this.x = 1;
          this.id = description.id;
        }
        get y() {
          touch("get y");
          return 2;
        }
      }
      return new Point();
    }
    case "bare":
      return Object.assign(Object.create(null), { id: description.id, a: 1 });
    case "function":
      return description.id === undefined ? () => {} : { id: description.id, f() {} };
    case "symbol":
      return Symbol("s");
    case "symbol member":
      return { id: description.id, [Symbol("s")]: 1, a: 1 };
    case "proto member":
      return JSON.parse('{"id":' + JSON.stringify(description.id ?? null) + ',"__proto__":{"a":1},"constructor":1}');
    case "platform": {
      const rect = new DOMRect(1, -0, NaN, 4);
      const pixels = new ImageData(new Uint8ClampedArray([1, 2, 3, 4]), 1);
      return {
        id: description.id,
        rect,
        quad: DOMQuad.fromRect(rect),
        matrix: new DOMMatrixReadOnly([1, 2, 3, 4, 5, 6]),
        pixels,
        again: pixels,
      };
    }
    case "blob":
      return { id: description.id, blob: new Blob(["abc"], { type: "text/plain" }) };
    case "array getter key": {
      const array = /** @type {any[]} */ ([1, 2]);
      Object.defineProperty(array, 1, { enumerable: true, get: () => (touch("get key element"), description.element) });
      return array;
    }
    case "cyclic key": {
      const array = /** @type {any[]} */ ([]);
      array.push(array);
      return array;
    }
    case "key range": {
      const { lower, upper, lowerOpen, upperOpen } = description;
      const low = buildValue(lower, touch);
      const high = buildValue(upper, touch);
      if (lower === undefined) return IDBKeyRange.upperBound(high, upperOpen);
      if (upper === undefined) return IDBKeyRange.lowerBound(low, lowerOpen);
      return IDBKeyRange.bound(low, high, lowerOpen, upperOpen);
    }
    default:
      throw new Error("a program names an unknown value: " + description.v);
  }
}

/**
 * A text that two values share if and only if a page could not tell them apart by looking.
 * @param {any} value
 * @param {Map<object, number>} [seen]
 * @returns {string}
 */
function describe(value, seen = new Map()) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return value + "n";
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return typeof value === "symbol" ? value.toString() : String(value);
  const known = seen.get(value);
  if (known !== undefined) return "#" + known;
  seen.set(value, seen.size);
  const inner = (/** @type {any} */ item) => describe(item, seen);
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const own = () =>
    Object.keys(value)
      .map((name) => `${JSON.stringify(name)}:${inner(value[name])}`)
      .join();
  if (value instanceof DOMException) return `DOMException(${value.name}: ${value.message})`;
  if (value instanceof Error) return `${value.constructor.name}(${value.name}: ${value.message})`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Map) return `Map{${[...value].map(([key, item]) => inner(key) + "=>" + inner(item)).join()}}`;
  if (value instanceof Set) return `Set{${[...value].map(inner).join()}}`;
  if (value instanceof ArrayBuffer) {
    const { resizable, maxByteLength } = /** @type {any} */ (value);
    return `ArrayBuffer(${new Uint8Array(value)}${resizable ? `, up to ${maxByteLength}` : ""})`;
  }
  if (ArrayBuffer.isView(value)) return `${tag}(${value.byteOffset},${value.byteLength},${inner(value.buffer)})`;
  if (value instanceof FileList) return `${tag}(${[...value].map(inner)})`;
  if (tag.startsWith("DOM") || value instanceof ImageData) {
    const members = [];
    for (const name in value) if (typeof value[name] !== "function") members.push(`${name}:${inner(value[name])}`);
    return `${tag}(${members})`;
  }
  if (value instanceof Blob) return `${tag}(${value.size},${value.type})`;
  if (value instanceof IDBCursor)
    return `${tag}(${inner(value.key)},${inner(value.primaryKey)},${"value" in value ? inner(/** @type {any} */ (value).value) : ""})`;
  if (tag.startsWith("IDB")) return tag;
  if (value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt)
    return `Boxed(${inner(value.valueOf())})`;
  if (Array.isArray(value)) return `[${value.length}:${own()}]`;
  return `${tag === "Object" ? "" : tag}{${own()}}`;
}
