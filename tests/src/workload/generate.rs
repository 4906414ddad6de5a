//! Programs from seeds. Equal seeds give equal programs.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::round::Fault;
use crate::browser::Kind;

/// How many records the writers share in a store, so that they meet.
const KEYS: u32 = 12;

/// What a round is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Pages alone write.
    Pages,
    /// Dedicated workers and a service worker write, too.
    Workers,
    /// Pages write, and processes are killed, stopped and restarted.
    Faults,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pages, Self::Workers, Self::Faults];
}

/// The program of a seed, with databases whose names begin with `prefix`.
pub fn program(class: Class, kind: Kind, seed: u64, prefix: &str) -> Value {
    let mut generator = Generator {
        rng: Rng::with_seed(seed),
        prefix,
    };
    let tabs = generator.rng.usize(2..=4);
    let mut kinds: Vec<(&str, usize)> = (0..tabs).map(|tab| ("page", tab)).collect();
    if class == Class::Workers {
        kinds.push(("service", 0));
        kinds.extend((0..generator.rng.usize(1..=2)).map(|tab| ("dedicated", tab)));
    }
    let writers: Vec<Value> = kinds
        .into_iter()
        .enumerate()
        .map(|(index, (kind, tab))| {
            let steps: Vec<Value> = (0..generator.rng.usize(12..=25))
                .map(|_| generator.step())
                .collect();
            json!({"name": format!("w{index}"), "kind": kind, "tab": tab, "steps": steps})
        })
        .collect();
    let faults: Vec<Value> = match class {
        Class::Pages | Class::Workers => Vec::new(),
        Class::Faults => (0..generator.rng.usize(1..=3))
            .map(|_| generator.fault(kind, &writers))
            .collect(),
    };
    json!({"class": class, "seed": seed, "tabs": tabs, "writers": writers, "faults": faults})
}

struct Generator<'p> {
    rng: Rng,
    prefix: &'p str,
}

impl Generator<'_> {
    fn fault(&mut self, kind: Kind, writers: &[Value]) -> Value {
        let faults = Fault::all(kind);
        let fault = faults[self.rng.usize(0..faults.len())];
        let writer = &writers[self.rng.usize(0..writers.len())];
        let steps = writer["steps"].as_array().map_or(1, Vec::len);
        json!({"fault": fault, "writer": writer["name"], "at": self.rng.usize(0..steps)})
    }

    fn step(&mut self) -> Value {
        match self.rng.u32(0..100) {
            0..72 => self.write(false),
            72..76 => self.write(true),
            76..86 => self.dexie(),
            86..90 => json!({"step": "upgrade", "database": self.database(), "value": self.value()}),
            90..92 => json!({"step": "delete", "database": self.database()}),
            _ => json!({"step": "pause", "milliseconds": self.rng.u32(1..80)}),
        }
    }

    fn write(&mut self, aborts: bool) -> Value {
        let count = if self.rng.u32(0..20) == 0 {
            60
        } else {
            self.rng.usize(1..=4)
        };
        let operations: Vec<Value> = (0..count).map(|_| self.operation()).collect();
        json!({"step": "write", "database": self.database(), "operations": operations, "aborts": aborts})
    }

    fn operation(&mut self) -> Value {
        let (key, value) = (self.rng.u32(0..KEYS), self.value());
        match self.rng.u32(0..100) {
            0..45 => json!(["put", "items", value, key]),
            45..65 => json!(["put", "inline", {"id": key, "value": value}]),
            65..75 => json!(["put", "counted", value]),
            75..80 => json!(["add", "items", value, key]),
            80..88 => json!(["delete", "items", key]),
            88..92 => json!(["delete", "inline", {"from": key, "to": key + 3}]),
            92..98 => json!(["walk", if self.rng.bool() { "items" } else { "inline" }, value]),
            _ => json!(["clear", if self.rng.bool() { "items" } else { "counted" }]),
        }
    }

    fn dexie(&mut self) -> Value {
        let rows: Vec<Value> = (0..self.rng.usize(1..=5))
            .map(|_| json!({"id": self.rng.u32(0..KEYS), "group": self.rng.u32(0..3), "value": self.value()}))
            .collect();
        let deleted: Vec<u32> = (0..self.rng.usize(0..=2))
            .map(|_| self.rng.u32(0..KEYS))
            .collect();
        json!({"step": "dexie", "database": format!("{}dexie", self.prefix), "rows": rows, "deleted": deleted})
    }

    /// Most writes are to the same database.
    fn database(&mut self) -> String {
        let name = if self.rng.u32(0..4) == 0 { "b" } else { "a" };
        format!("{}{name}", self.prefix)
    }

    fn value(&mut self) -> Value {
        let number = self.rng.u32(..);
        match self.rng.u32(0..60) {
            0..30 => json!({"n": number}),
            30..40 => json!(number),
            40..48 => json!({"name": format!("é{number}"), "list": [number, null, {"deep": [true]}]}),
            48..54 => json!({"bytes": {"$bytes": number % 300}}),
            54..59 => json!([number, {"$long": 5000}]),
            _ => json!({"$long": 300_000}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_program() {
        for class in Class::ALL {
            let made = || program(class, Kind::Chromium, 7, "p ");
            assert_eq!(made(), made());
            assert_ne!(made(), program(class, Kind::Chromium, 8, "p "));
        }
    }
}
