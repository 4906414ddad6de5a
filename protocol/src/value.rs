//! The "typed" encoding of structured-clone values, and its "plain" projection.
//!
//! Typed values are JSON as it is for `null`, booleans, finite numbers but `-0`, strings, dense
//! arrays and plain objects. Everything else is an object with exactly one member whose name starts
//! with `$`:
//!
//! | form | stands for |
//! |---|---|
//! | `{"$undefined":true}` | `undefined` |
//! | `{"$number":"NaN"}` | `NaN`, `Infinity`, `-Infinity`, `-0` |
//! | `{"$bigint":"12"}` | a `BigInt`, in decimal |
//! | `{"$date":"2026-01-31T12:00:00.000Z"}` | a `Date`; `null` for an invalid one |
//! | `{"$regexp":{"source":"a","flags":"g"}}` | a `RegExp` |
//! | `{"$map":[[k,v],…]}`, `{"$set":[…]}` | a `Map`, a `Set`, in order |
//! | `{"$bytes":{"type":"Uint8Array","base64":"AA=="}}` | an `ArrayBuffer` or a view of a whole one; `maxByteLength` besides if it is resizable |
//! | `{"$bytes":{"type":"Uint8Array","offset":4,"length":2,"buffer":…}}` | a view of a part; `buffer` is a typed value |
//! | `{"$error":{"name":"TypeError","message":"…","stack":"…","cause":…}}` | an error object |
//! | `{"$blob":{"type":"text/plain","size":3,"base64":"YWJj"}}` | a `Blob`; with `name` and `lastModified` a `File`; past 512 KiB `sha256` instead of `base64` |
//! | `{"$boxed":…}` | a `Boolean`, `Number`, `String` or `BigInt` object |
//! | `{"$sparse":{"length":9,"items":{"0":…}}}` | an array with holes or named properties |
//! | `{"$platform":{"type":"DOMRect","x":1,"y":2,"width":3,"height":4}}` | a platform object that is what its members are; members are typed values |
//! | `{"$opaque":{"type":"CryptoKey","reason":"…"}}` | something that JSON cannot carry |
//! | `{"$id":{"id":1,"value":…}}`, `{"$ref":1}` | the first and further places of an object that occurs more than once |
//! | `{"$object":{"$date":1}}` | a plain object whose only name starts with `$` |
//!
//! The page's encoder (`extension/content/shared/encode.js`) writes this form; here it is read.

mod plain;

pub(crate) use plain::computed_names;
pub use plain::{PlainError, plain};
