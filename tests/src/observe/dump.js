// Every record of every database in every storage bucket of this origin: [{bucket, database, store, key, value}], keys as typed JSON text, values as
// JSON.stringify says them, with maps, sets, bytes and BigInts written as docs/formats.md has them in the plain form.
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

  const plain = (value) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (isBytes(value)) return base64(value);
    if (value instanceof Set) return Array.from(value, plain);
    if (value instanceof Map) {
      const pairs = Array.from(value, ([name, item]) => [name, plain(item)]);
      return pairs.every(([name]) => typeof name === "string") ? Object.fromEntries(pairs) : pairs;
    }
    if (Array.isArray(value)) return value.map(plain);
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
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
      for (const store of stores) {
        const [keys, values] = await Promise.all([
          done(transaction.objectStore(store).getAllKeys()),
          done(transaction.objectStore(store).getAll()),
        ]);
        keys.forEach((key, index) =>
          records.push({
            bucket,
            database: name,
            store,
            key: JSON.stringify(typedKey(key)),
            value: JSON.stringify(plain(values[index])) ?? "null",
          }),
        );
      }
    }
    database.close();
  }
  return records;
})()
