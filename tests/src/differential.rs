//! The differential tester: generated IndexedDB programs, run where the extension is and where it
//! isn't.
//!
//! It tests two claims, with programs that no developer thought of:
//!
//! - **The page can't tell.** Everything that a page can notice (results, exceptions, events and
//!   their order, getters and proxy traps that ran) is a *trace* ([`trace::Trace`]); the traces of
//!   one program in both browsers must be equal.
//! - **Nothing is missed or invented.** The events captured of a program, replayed into an empty
//!   model ([`replay::Model`]), must give exactly what the program's databases hold in the end.
//!
//! Programs are made from a seed ([`generate`]) and run by
//! `tests/sites/differential/interpreter.js`; one that fails is made as small as it can be and
//! still fail ([`shrink`]).

pub mod generate;
pub mod replay;
pub mod shrink;
pub mod tester;
pub mod trace;
