// Stores what must not leave the browser: every text with `hush` in it is a secret. What has `open`
// in it may leave.

"use strict";

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open("vault", 1);
  request.onupgradeneeded = () => {
    const database = request.result;
    database.createObjectStore("users", { keyPath: "mail" }).createIndex("by name", "name");
    database.createObjectStore("members", { keyPath: ["tenant", "mail"] });
    database.createObjectStore("sessions");
    database.createObjectStore("notes", { keyPath: "id", autoIncrement: true });
    database.createObjectStore("plain");
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function transact(write) {
  const database = await opened;
  const transaction = database.transaction([...database.objectStoreNames], "readwrite");
  write((name) => transaction.objectStore(name));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}

const user = (name) => ({
  mail: `hush-${name}@example.org`,
  name: `open-${name}`,
  cards: [{ number: `hush-card-${name}`, bank: `open-bank` }],
});

// Before anything is captured, or as a snapshot finds it.
window.found = () =>
  transact((store) => {
    for (const name of ["ann", "ben", "cleo", "dora"]) store("users").put(user(name));
    // More than a snapshot reads at a time.
    for (let number = 0; number < 40; number++) store("users").put(user(`x${number}`));
    store("sessions").put("open-session", "hush-token-found");
    store("plain").put("open-found", "open-key");
  });

// Each way to write, with a secret in it.
window.written = async () => {
  await transact((store) => {
    store("users").add(user("eva"));
    store("users").put({ ...user("ann"), name: "open-ann-again" });
    store("users").delete("hush-ben@example.org");
    store("members").put({ tenant: 7, mail: "hush-member@example.org", role: "open-admin" });
    store("members").put({ tenant: 7, mail: "hush-gone@example.org" });
    store("members").delete([7, "hush-gone@example.org"]);
    store("sessions").put("open-again", "hush-token-found");
    store("sessions").put("open-new", "hush-token-new");
    store("notes").add({ text: "hush-note", title: "open-note" });
  });
  // Every form of a value, also where the secret stands in two places.
  const shared = { deep: "hush-shared" };
  await transact((store) =>
    store("plain").put(
      {
        secret: shared,
        elsewhere: [shared, "open-beside"],
        map: new Map([
          ["pin", "hush-pin"],
          ["open", "open-map"],
        ]),
        set: new Set(["hush-set", "open-set"]),
        error: new Error("hush-message"),
        blob: new Blob(["hush-blob"], { type: "text/plain" }),
        file: new File(["open"], "hush-name.txt"),
        bytes: new TextEncoder().encode("hush-bytes"),
        boxed: Object("hush-boxed"),
        pattern: /hush-pattern/g,
        sparse: Object.assign([, "hush-sparse"], { open: "open-sparse" }),
        $date: "open-dollar",
      },
      "open-forms",
    ),
  );
  // Longer than one message: the secret is anywhere in its parts.
  await transact((store) =>
    store("plain").put({ secret: "hush-long".repeat(300_000), rest: "open-long".repeat(30_000) }, "open-long"),
  );
  await new Promise((resolve) => {
    void transact((store) => {
      store("users").index("by name").openCursor("open-cleo").onsuccess = ({ target: { result: cursor } }) => {
        cursor.update({ ...cursor.value, cards: [{ number: "hush-updated", bank: "open-updated" }] });
      };
      store("users").index("by name").openCursor("open-dora").onsuccess = ({ target: { result: cursor } }) => {
        cursor.delete();
      };
    }).then(resolve);
  });
};

// The hashes of the keys do not say which records go.
window.swept = () =>
  transact((store) => {
    store("users").delete(IDBKeyRange.bound("hush-c", "hush-d"));
    store("users").delete(IDBKeyRange.only("hush-eva@example.org"));
  });
