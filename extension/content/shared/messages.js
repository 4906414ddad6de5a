// Every JSON text that leaves JavaScript, except for keys and values (`encode.js`).
//
// Texts, not objects: what is in them was encoded as it was at the call, and is never parsed again
// before it is in the host. What is called `…Text` is JSON already; everything else is a plain
// string or number. The shapes are those of `protocol::body` (bodies) and `protocol::wire::bridge`.

import { stringify } from "./pristine.js";

// Bodies: what a delivery carries.

/**
 * Names a database, as the members of an object.
 * @param {string | null} bucket null if it is not known, which only comparisons understand
 * @param {string} database
 */
export const databaseText = (bucket, database) => `"bucket":${stringify(bucket)},"database":${stringify(database)}`;

/**
 * `protocol::body::StoreName`.
 * @param {string} inDatabaseText
 * @param {string} storeText
 */
export const storeNameText = (inDatabaseText, storeText) => `{${inDatabaseText},"store":${storeText}}`;

/**
 * `protocol::body::Operation`.
 * @param {string} name
 * @param {string} storeText
 * @param {string} membersText each with a comma in front
 */
export const operationText = (name, storeText, membersText) => `{"${name}":{"store":${storeText}${membersText}}}`;

// The members of operations, each with a comma in front.

/** @param {string | undefined} keyText */
export const keyMember = (keyText) => `,"key":${keyText}`;

/** @param {string} valueText */
export const valueMember = (valueText) => `,"value":${valueText}`;

/**
 * `protocol::body::Range`.
 * @param {string} lowerText empty without a lower bound
 * @param {string} upperText empty without an upper bound
 * @param {boolean} isLowerOpen
 * @param {boolean} isUpperOpen
 */
export const rangeMember = (lowerText, upperText, isLowerOpen, isUpperOpen) =>
  `,"range":{${lowerText === "" ? "" : `"lower":${lowerText},`}${upperText === "" ? "" : `"upper":${upperText},`}` +
  `"lower_open":${isLowerOpen},"upper_open":${isUpperOpen}}`;

/** @param {string} changeText a `protocol::schema::SchemaChange` */
export const changeMember = (changeText) => `,"change":${changeText}`;

// Changes of a database's shape: `protocol::schema::SchemaChange`.

/**
 * @param {string | undefined} keyPathText
 * @param {boolean} generatesKeys
 */
export const createStoreText = (keyPathText, generatesKeys) =>
  `{"create_store":{"key_path":${keyPathText},"auto_increment":${generatesKeys}}}`;

export const DELETE_STORE = '{"delete_store":{}}';

/** @param {string} to */
export const renameStoreText = (to) => `{"rename_store":{"to":${stringify(to)}}}`;

/**
 * @param {string} index
 * @param {string | undefined} keyPathText
 * @param {boolean} isUnique
 * @param {boolean} isMultiEntry
 */
export const createIndexText = (index, keyPathText, isUnique, isMultiEntry) =>
  `{"create_index":{"index":${stringify(index)},"key_path":${keyPathText},"unique":${isUnique},"multi_entry":${isMultiEntry}}}`;

/** @param {string} index */
export const deleteIndexText = (index) => `{"delete_index":{"index":${stringify(index)}}}`;

/**
 * @param {string} index
 * @param {string} to
 */
export const renameIndexText = (index, to) => `{"rename_index":{"index":${stringify(index)},"to":${stringify(to)}}}`;

/**
 * `protocol::body::WritingWorker`, with a comma in front.
 * @param {string} kind
 * @param {string} url
 * @param {number} id
 */
export const writerMember = (kind, url, id) => `,"writer":{"kind":"${kind}","url":${stringify(url)},"id":${id}}`;

/**
 * `protocol::body::Commit`.
 * @param {string} inDatabaseText
 * @param {string} writerText a member with a comma in front; empty for the page
 * @param {number} version
 * @param {{ beganAt: number, committedAt: number }} times in milliseconds since the epoch
 * @param {string} keyPathsText the members of an object that has each store's key path
 * @param {string} operationsText with commas between
 */
export const commitText = (inDatabaseText, writerText, version, times, keyPathsText, operationsText) =>
  `{"commit":{${inDatabaseText},"version":${version},"began_at":${times.beganAt},"committed_at":${times.committedAt}` +
  `${writerText}${keyPathsText === "" ? "" : `,"key_paths":{${keyPathsText}}`},"operations":[${operationsText}]}}`;

/**
 * `protocol::body::Deletion`: a database is gone.
 * @param {string} inDatabaseText
 * @param {string} writerText as of a commit
 * @param {number} beganAt
 * @param {number} deletedAt
 */
export const deletionText = (inDatabaseText, writerText, beganAt, deletedAt) =>
  `{"deletion":{${inDatabaseText},"began_at":${beganAt},"deleted_at":${deletedAt}${writerText}}}`;

/**
 * `protocol::body::Gap`: has stores read again.
 * @param {string} reason
 * @param {string} storesText a list; with none in it all stores are meant
 */
export const gapText = (reason, storesText) => `{"gap":{"reason":${stringify(reason)},"stores":${storesText}}}`;

/** `protocol::body::Skipped`: in the place of something that was read and is too large. */
export const SKIPPED = '{"skipped":{"reason":"the extension had no room for what was read"}}';

/**
 * `protocol::body::StoreList`.
 * @param {object} storeList
 */
export const storeListText = (storeList) => stringify({ store_list: storeList });

/**
 * A record that was read.
 * @param {string | undefined} keyText
 * @param {string} valueText
 */
export const recordText = (keyText, valueText) => `{"key":${keyText},"value":${valueText}}`;

/**
 * Where and when something was read.
 * @typedef {object} Source
 * @property {string} bucket
 * @property {string} database
 * @property {number} version
 * @property {string} store
 * @property {number} beganAt
 * @property {number} readAt
 */

/** @param {Source} source */
const sourceText = ({ bucket, database, version, store, beganAt, readAt }) =>
  `${databaseText(bucket, database)},"version":${version},"store":${stringify(store)},"began_at":${beganAt},"read_at":${readAt}`;

/** @param {string | undefined} keyPathText none if the store has no key path */
const keyPathMember = (keyPathText) => (keyPathText === undefined ? "" : `,"key_path":${keyPathText}`);

/**
 * `protocol::body::Snapshot`: what a stretch of a store holds, from the key `afterText` on, which
 * is not included, up to `untilText`, which is; from the first or to the last key without one.
 * @param {Source} source
 * @param {{ keyPathText?: string, afterText?: string, untilText?: string }} range
 * @param {string[]} records
 */
export const snapshotText = (source, { keyPathText, afterText, untilText }, records) =>
  `{"snapshot":{${sourceText(source)}${keyPathMember(keyPathText)}` +
  (afterText === undefined ? "" : `,"after":${afterText}`) +
  (untilText === undefined ? "" : `,"until":${untilText}`) +
  `,"records":[${records}]}}`;

/**
 * `protocol::body::Stretch`: one by its digest.
 * @param {{
 *   untilText: string | undefined,
 *   beganAt: number,
 *   readAt: number,
 *   records: number,
 *   digest: string,
 * }} stretch
 */
export const stretchText = ({ untilText, beganAt, readAt, records, digest }) =>
  `{${untilText === undefined ? "" : `"until":${untilText},`}"began_at":${beganAt},"read_at":${readAt},` +
  `"records":${records},"digest":"${digest}"}`;

/**
 * `protocol::body::Digests`: stretches of a store that follow each other, the first one from the
 * key `afterText` on, which is not included.
 * @param {Omit<Source, "beganAt" | "readAt">} source
 * @param {string | undefined} afterText
 * @param {string[]} stretches
 */
export const digestsText = ({ bucket, database, version, store }, afterText, stretches) =>
  `{"digests":{${databaseText(bucket, database)},"version":${version},"store":${stringify(store)}` +
  (afterText === undefined ? "" : `,"after":${afterText}`) +
  `,"stretches":[${stretches}]}}`;

/**
 * `protocol::body::Records`: what there is of single records.
 * @param {Source} source
 * @param {string | undefined} keyPathText
 * @param {string[]} present records
 * @param {string[]} absent keys
 */
export const recordsText = (source, keyPathText, present, absent) =>
  `{"records":{${sourceText(source)}${keyPathMember(keyPathText)},"present":[${present}],"absent":[${absent}]}}`;

// Messages of the bridge to the background: `protocol::wire::bridge::FromBridge`.

/** @param {{ context: string, late: boolean, survey: boolean, place: object }} opening */
export const openText = (opening) => stringify({ open: opening });

/**
 * The stacks of a delivery's operations; it follows.
 * @param {number} sequence
 * @param {string[]} stacks
 */
export const traceText = (sequence, stacks) => stringify({ trace: { sequence, stacks } });

/** The document goes away. */
export const LEAVING = '{"leaving":{}}';
/** The document may have committed what it has not sent. */
export const DOCUMENT_WRITES = '{"writing":{}}';
/** It has sent all that it has committed. */
export const DOCUMENT_RESTS = '{"rested":{}}';
/** The document asks for a survey of everything. */
export const SURVEY_ASKED = '{"survey":{}}';
/** It reads, and has nothing to deliver yet. */
export const SURVEYING = '{"surveying":{}}';
/** The document is done with one. */
export const SURVEYED = '{"surveyed":{}}';
/** A person can see the document. */
export const SHOWN = '{"shown":{}}';
/**
 * It is hidden.
 * @param {{ bytes: number, committed: boolean } | null} meter
 */
export const hiddenText = (meter) => stringify({ hidden: { meter } });
/**
 * The document has a worker.
 * @param {string} url
 */
export const workerText = (url) => stringify({ worker: { url } });
/** What other documents have committed is accounted for. */
export const METERED = '{"metered":{}}';

// Answers to the inspector: `protocol::wire::inspector`.

/** @param {{ bucket: string, database: string, store: string, records: number }[]} counts */
export const countsText = (counts) => stringify(counts);

/**
 * The keys of a store.
 * @param {string | undefined} keyPathText
 * @param {string[]} keys
 * @param {boolean} more whether there are others
 */
export const keysText = (keyPathText, keys, more) =>
  `{${keyPathText === undefined ? "" : `"key_path":${keyPathText},`}"keys":[${keys}],"more":${more}}`;
