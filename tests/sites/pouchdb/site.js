// The writes of an application on PouchDB. What it writes beside the documents' revisions is its
// own affair; the revisions themselves are expected in order, and everything must be equal in the
// end.

import { writeBelow } from "../below.js";
import { Expectation, failure } from "../expectation.js";

const NAME = "site";
const DATABASE = `_pouch_${NAME}`;
const REVISIONS = "by-sequence";

export async function run() {
  const expect = new Expectation(DATABASE);
  const database = new window.PouchDB(NAME);
  let sequence = 0;
  const written = (fields, { id, rev }) =>
    expect.created(REVISIONS, ++sequence, { ...fields, _doc_id_rev: `${id}::${rev}` });

  const ada = await database.put({ _id: "ada", name: "Ada" });
  written({ name: "Ada" }, ada);
  const posted = await database.post({ name: "Grace" });
  written({ name: "Grace" }, posted);
  const [joan, hedy] = await database.bulkDocs([
    { _id: "joan", name: "Joan" },
    { _id: "hedy", name: "Hedy", born: 1914 },
  ]);
  written({ name: "Joan" }, joan);
  written({ name: "Hedy", born: 1914 }, hedy);

  const conflict = await failure(database.put({ _id: "ada", name: "no revision given" }));
  if (conflict.status !== 409) throw conflict;
  written({ name: "Ada", seen: true }, await database.put({ _id: "ada", _rev: ada.rev, name: "Ada", seen: true }));
  written({ _deleted: true }, await database.remove("joan", joan.rev));
  await database.compact();
  await database.close();
  // Of attachments there are none.
  const attachment = (digest, value) => ({ digest, value });
  await writeBelow(expect, "attach-store", (...fields) => [attachment(...fields)], attachment);
  return expect.among();
}
