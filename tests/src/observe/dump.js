// Every record of every database in every storage bucket of this origin:
// [{bucket, database, store, key, value}], keys as typed JSON text, values as JSON.stringify says
// them, with maps, sets, bytes and BigInts written as docs/formats.md has them in the plain form.
(async () => {
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  const base64 = (bytes) => {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    return btoa(Array.from(view, (byte) => String.fromCharCode(byte)).join(""));
  };

  const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

  const typedKey = (key) => {
    if (key instanceof Date) return { $date: key.toISOString() };
    if (isBytes(key)) return { $bytes: { type: "ArrayBuffer", base64: base64(key) } };
    if (Array.isArray(key)) return key.map(typedKey);
    if (typeof key === "number" && !Number.isFinite(key)) return { $number: String(key) };
    return key;
  };

  const hexadecimal = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const plainBlob = async (blob) => {
    const { type, size, name, lastModified } = blob;
    const bytes = await blob.arrayBuffer();
    const content =
      size > 512 * 1024
        ? { sha256: hexadecimal(await crypto.subtle.digest("SHA-256", bytes)) }
        : { base64: base64(bytes) };
    return { type, size, name, lastModified, ...content };
  };

  const each = (values) => Promise.all(Array.from(values, plain));

  const plain = async (value) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (isBytes(value)) return base64(value);
    if (value instanceof Blob) return plainBlob(value);
    if (value instanceof Set || Array.isArray(value)) return each(value);
    if (value instanceof Map) {
      const pairs = await Promise.all(Array.from(value, async ([name, item]) => [name, await plain(item)]));
      return pairs.every(([name]) => typeof name === "string") ? Object.fromEntries(pairs) : pairs;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    const names = Object.keys(value);
    const items = await each(Object.values(value));
    return Object.fromEntries(names.map((name, index) => [name, items[index]]));
  };

  const buckets = [["", indexedDB]];
  for (const bucket of (await navigator.storageBuckets?.keys()) ?? []) {
    buckets.push([bucket, (await navigator.storageBuckets.open(bucket)).indexedDB]);
  }
  const databases = [];
  for (const [bucket, factory] of buckets) {
    for (const { name } of await factory.databases()) databases.push({ bucket, factory, name });
  }

  const records = [];
  for (const { bucket, factory, name } of databases) {
    const database = await done(factory.open(name));
    const stores = Array.from(database.objectStoreNames);
    if (stores.length > 0) {
      const transaction = database.transaction(stores, "readonly");
      const read = stores.map(async (store) => {
        const objects = transaction.objectStore(store);
        return { store, keys: await done(objects.getAllKeys()), values: await done(objects.getAll()) };
      });
      for (const { store, keys, values } of await Promise.all(read)) {
        for (const key of keys) {
          const value = JSON.stringify(await plain(values.shift())) ?? "null";
          records.push({ bucket, database: name, store, key: JSON.stringify(typedKey(key)), value });
        }
      }
    }
    database.close();
  }
  return records;
})()
