//! The wire formats beside their documents, their schemas and the vectors that all languages share.

mod documentation;
mod reading;
mod vectors;
