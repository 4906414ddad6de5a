// An application on SQLite, whose file lies in IndexedDB, a record a page.

import SQLiteFactory from "/node_modules/wa-sqlite/dist/wa-sqlite-async.mjs";
import { IDBBatchAtomicVFS } from "/node_modules/wa-sqlite/src/examples/IDBBatchAtomicVFS.js";
import { IDBMinimalVFS } from "/node_modules/wa-sqlite/src/examples/IDBMinimalVFS.js";
import { createTag } from "/node_modules/wa-sqlite/src/examples/tag.js";
import * as SQLite from "/node_modules/wa-sqlite/src/sqlite-api.js";
import { Trace } from "../trace.js";

async function write(sqlite, file, vfs, trace) {
  const database = await sqlite.open_v2(file, undefined, vfs);
  const sql = createTag(sqlite, database);
  const rows = async (text) => (await sql(text)).flatMap((result) => result.rows);
  await sql`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, note BLOB)`;
  await sql("INSERT INTO people (name, note) VALUES (?, ?)", [
    ["Ada", new Uint8Array([1, 2])],
    ["Grace", null],
  ]);
  await sql`BEGIN`;
  const many = Array.from({ length: 400 }, (_, index) => [`person ${index}`, "x".repeat(index)]);
  await sql("INSERT INTO people (name, note) VALUES (?, ?)", many);
  await sql`COMMIT`;
  await sql`UPDATE people SET name = 'Ada L.' WHERE name = 'Ada'; DELETE FROM people WHERE id % 3 = 0`;
  await trace.outcome(`${vfs}: name that is taken`, () => sql`INSERT INTO people (name) VALUES ('Grace')`);
  await sql`BEGIN; DELETE FROM people; ROLLBACK`;
  trace.saw(`${vfs}: after the rollback`, await rows("SELECT count(*), sum(length(note)) FROM people"));
  await sql`ALTER TABLE people ADD COLUMN city TEXT DEFAULT 'x'; CREATE INDEX by_city ON people (city, name)`;
  await sql`BEGIN; UPDATE people SET city = 'y' WHERE id < 50; DROP INDEX by_city; COMMIT; VACUUM`;
  trace.saw(`${vfs}: cities`, await rows("SELECT city, count(*) FROM people GROUP BY city"));
  await sqlite.close(database);
}

async function read(sqlite, file, vfs, trace) {
  const database = await sqlite.open_v2(file, SQLite.SQLITE_OPEN_READWRITE, vfs);
  const sql = createTag(sqlite, database);
  trace.saw(`${vfs}: check`, (await sql`PRAGMA integrity_check`)[0].rows);
  trace.saw(`${vfs}: names`, (await sql`SELECT id, name, city FROM people ORDER BY id LIMIT 20`)[0].rows);
  await sqlite.close(database);
}

export async function run() {
  const trace = new Trace();
  const sqlite = SQLite.Factory(await SQLiteFactory());
  for (const vfs of [new IDBBatchAtomicVFS("batch"), new IDBMinimalVFS("minimal")]) {
    sqlite.vfs_register(vfs, false);
    await write(sqlite, "people.sqlite", vfs.name, trace);
    await read(sqlite, "people.sqlite", vfs.name, trace);
    await vfs.close();
  }
  return trace.lines;
}
