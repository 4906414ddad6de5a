// What a library doesn't offer, on the library's own database: cursors, an aborted transaction, a
// failing add whose transaction goes on, as an application writes it that reaches below its
// library. `record(key, value)` makes the arguments of put and add, `stored(key, value)` is the
// value that is then in the store. The store must be empty.

const opened = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function transact(database, store, write) {
  return new Promise((resolve) => {
    const transaction = database.transaction(store, "readwrite");
    transaction.oncomplete = () => resolve("complete");
    transaction.onabort = () => resolve("abort");
    write(transaction.objectStore(store), transaction);
  });
}

async function mustEnd(how, ended) {
  const seen = await ended;
  if (seen !== how) throw new Error(`the transaction ended in ${seen}, not ${how}`);
}

export async function writeBelow(expect, store, record, stored) {
  const database = await opened(expect.database);

  await mustEnd(
    "abort",
    transact(database, store, (objects, transaction) => {
      objects.put(...record("aborted", 0));
      objects.clear();
      transaction.abort();
    }),
  );

  await mustEnd(
    "complete",
    transact(database, store, (objects) => {
      objects.put(...record("one", 1));
      objects.add(...record("one", "the key is taken")).onerror = (event) => {
        event.preventDefault();
        event.stopPropagation();
        objects.add(...record("two", 2));
      };
    }),
  );
  expect.created(store, "one", stored("one", 1));
  expect.created(store, "two", stored("two", 2));

  await mustEnd(
    "complete",
    transact(database, store, (objects) => {
      objects.openCursor().onsuccess = ({ target: { result: cursor } }) => {
        if (!cursor) return;
        if (cursor.key === "one") cursor.delete();
        else cursor.update(stored("two", "seen"));
        cursor.continue();
      };
    }),
  );
  expect.deleted(store, "one");
  expect.updated(store, "two", stored("two", "seen"));

  await mustEnd(
    "complete",
    transact(database, store, (objects) => objects.clear()),
  );
  expect.truncated(store, "two");
  database.close();
}
