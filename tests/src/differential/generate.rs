//! Programs from seeds. A program is JSON that `interpreter.js` runs; equal seeds give equal
//! programs.

use fastrand::Rng;
use serde_json::{Value, json};

/// The stores that programs use, with the options that create them: every combination of key path
/// and generator.
const STORES: [&str; 5] = ["outline", "inline", "counted", "inline counted", "nested path"];

fn store_options(store: &str) -> Value {
    match store {
        "inline" => json!({"keyPath": "id"}),
        "counted" => json!({"autoIncrement": true}),
        "inline counted" => json!({"keyPath": "id", "autoIncrement": true}),
        "nested path" => json!({"keyPath": ["id", "n"]}),
        _ => json!({}),
    }
}

/// The program of a seed. Its databases are called `<name>-0` and `<name>-1`.
pub fn program(seed: u64) -> Value {
    let mut generator = Generator {
        rng: Rng::with_seed(seed),
        version: 1,
        upgrading: false,
    };
    let mut steps = vec![generator.open(0, 1)];
    if generator.one_in(3) {
        steps.push(generator.open(1, 1));
    }
    if generator.one_in(4) {
        steps.push(generator.connect());
    }
    for _ in 0..generator.rng.usize(1..=5) {
        let step = if generator.one_in(10) {
            let parts: Vec<Value> = (0..generator.rng.usize(2..=3))
                .map(|_| generator.step())
                .collect();
            json!({"step": "together", "parts": parts})
        } else {
            generator.step()
        };
        steps.push(step);
    }
    json!({"name": format!("p{seed}"), "seed": seed, "steps": steps})
}

struct Generator {
    rng: Rng,
    /// The version of the first database that was asked for last.
    version: u64,
    /// Whether operations are made for an upgrade: Chromium hangs in some that call `commit()`.
    upgrading: bool,
}

impl Generator {
    fn one_in(&mut self, times: u32) -> bool {
        self.rng.u32(0..times) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(0..choices.len())]
    }

    fn step(&mut self) -> Value {
        match self.rng.u8(0..20) {
            0 => {
                self.version += 1;
                self.open(0, self.version)
            }
            1 => json!({"step": "close", "connection": self.pick(&["c0", "c0 too"])}),
            2 if self.one_in(2) => json!({"step": "delete", "database": self.rng.usize(0..2)}),
            3 if self.one_in(4) => json!({"step": "wrong"}),
            4 => self.connect(),
            _ => {
                let list: Vec<Value> = (0..self.rng.usize(1..=3)).map(|_| self.transaction()).collect();
                json!({"step": "transactions", "list": list})
            }
        }
    }

    /// A second connection to the first database, at the version that the database has.
    fn connect(&mut self) -> Value {
        json!({
            "step": "open", "connection": "c0 too", "database": 0, "upgrade": [], "outcome": "ok",
            "versionchange": self.versionchange(),
        })
    }

    /// What a connection does about a later upgrade: one that ignores it blocks the upgrade, until
    /// `blocked` closes it.
    fn versionchange(&mut self) -> &'static str {
        self.pick(&["close", "close", "ignore"])
    }

    fn open(&mut self, database: usize, version: u64) -> Value {
        let mut upgrade: Vec<Value> = Vec::new();
        if version == 1 {
            for store in STORES {
                let mut operation =
                    json!({"op": "createObjectStore", "store": store, "options": store_options(store)});
                if self.one_in(2) {
                    operation["index"] = json!({"unique": self.one_in(3), "multiEntry": self.one_in(4)});
                }
                upgrade.push(operation);
            }
        } else {
            for _ in 0..self.rng.usize(0..3) {
                let store = self.pick(&STORES);
                upgrade.push(match self.rng.u8(0..7) {
                    0 => json!({"op": "createObjectStore", "store": store, "options": store_options(store)}),
                    1 => json!({"op": "deleteObjectStore", "store": store}),
                    2 => json!({"op": "createIndex", "store": store, "options": {"unique": self.one_in(2)}}),
                    3 => json!({"op": "deleteIndex", "store": store}),
                    4 => {
                        json!({"op": "renameStore", "store": store, "to": self.pick(&["renamed", "inline"])})
                    }
                    5 => {
                        json!({"op": "renameIndex", "store": store, "to": self.pick(&["by something", "by_n"])})
                    }
                    _ => json!({"op": "stale", "store": store}),
                });
            }
        }
        self.upgrading = true;
        for _ in 0..self.rng.usize(0..4) {
            upgrade.push(self.operation(0));
        }
        self.upgrading = false;
        let outcome = match self.rng.u8(0..16) {
            0 if version > 1 => "abort",
            1 if version > 1 => "throw",
            _ => "ok",
        };
        json!({
            "step": "open", "connection": format!("c{database}"), "database": database, "version": version,
            "upgrade": upgrade, "outcome": outcome,
            "versionchange": self.versionchange(),
        })
    }

    fn transaction(&mut self) -> Value {
        let mut stores: Vec<&str> = STORES.into_iter().filter(|_| self.rng.bool()).collect();
        if stores.is_empty() {
            stores.push("outline");
        }
        let operations: Vec<Value> = (0..self.rng.usize(1..=6)).map(|_| self.operation(0)).collect();
        let mut transaction = json!({
            "connection": self.pick(&["c0", "c0", "c0", "c0 too", "c0", "c1"]),
            "stores": stores,
            "mode": if self.one_in(8) { "readonly" } else { "readwrite" },
            "operations": operations,
        });
        if self.one_in(4) {
            transaction["durability"] = json!(self.pick(&["strict", "relaxed", "default"]));
        }
        transaction
    }

    fn operation(&mut self, depth: u32) -> Value {
        let store = self.pick(&STORES);
        let mut operation = match self.rng.u8(0..40) {
            14..20 => self.write("add", store),
            20..23 => json!({"op": "delete", "store": store, "key": self.query()}),
            23 => json!({"op": "clear", "store": store}),
            24 => json!({"op": "get", "store": store, "key": self.query()}),
            25 => json!({"op": "count", "store": store}),
            26 => json!({"op": self.pick(&["getAll", "getAllKeys", "index"]), "store": store}),
            27..33 => self.cursor(store),
            // Firefox gets stuck in some upgrades that go on in a microtask, and each costs its
            // patience.
            33 if depth < 2 && (!self.upgrading || self.one_in(4)) => {
                json!({"op": "microtask", "then": self.operations(depth + 1)})
            }
            34 => json!({"op": "task", "store": store}),
            35 if !self.upgrading && self.one_in(3) => json!({"op": "commit"}),
            36 if self.one_in(3) => json!({"op": "abort"}),
            37 if depth > 0 && self.one_in(3) => json!({"op": "throw"}),
            _ => self.write("put", store),
        };
        if self.one_in(3) {
            operation["listener"] = json!(true);
        }
        operation["error"] = json!(self.pick(&[
            "none",
            "prevent",
            "prevent",
            "prevent",
            "both",
            "stop",
            "immediate",
            "throw"
        ]));
        if self.one_in(25) {
            operation["success"] = json!("throw");
        }
        if depth < 2 {
            if self.one_in(4) {
                operation["then"] = self.operations(depth + 1);
            }
            if self.one_in(6) {
                operation["otherwise"] = self.operations(depth + 1);
            }
        }
        operation
    }

    fn operations(&mut self, depth: u32) -> Value {
        (0..self.rng.usize(1..3)).map(|_| self.operation(depth)).collect()
    }

    fn write(&mut self, op: &str, store: &str) -> Value {
        let mut operation = json!({"op": op, "store": store, "value": self.record()});
        // Now and then a key where none may be given, or none where one must.
        let wants_key = matches!(store, "outline") || (store == "counted" && self.rng.bool());
        if wants_key != self.one_in(12) {
            operation["key"] = self.key();
        }
        operation
    }

    fn cursor(&mut self, store: &str) -> Value {
        let actions: Vec<Value> = (0..self.rng.usize(1..4)).map(|_| self.cursor_action()).collect();
        let mut operation = json!({
            "op": "cursor", "store": store, "index": self.one_in(4), "keyOnly": self.one_in(6),
            "direction": self.pick(&["next", "prev", "nextunique", "prevunique"]), "actions": actions,
        });
        if self.one_in(3) {
            operation["range"] = self.query();
        }
        operation
    }

    fn cursor_action(&mut self) -> Value {
        let error = self.pick(&["none", "prevent", "prevent"]);
        let mut action = match self.rng.u8(0..8) {
            0..3 => json!({"do": "update", "keep": true, "n": self.rng.u8(0..4), "error": error}),
            3 => json!({"do": "update", "value": self.record(), "error": error}),
            4..6 => json!({"do": "delete", "error": error}),
            6 => json!({"do": "twice", "error": error}),
            _ => json!({"do": "look"}),
        };
        if self.one_in(10) {
            action["late"] = json!(true);
        }
        if self.one_in(10) {
            action["advance"] = json!(2);
        }
        action
    }

    /// A value that mostly can be stored in any of the stores.
    fn record(&mut self) -> Value {
        let id = self.record_id();
        match self.rng.u8(0..30) {
            0..16 => json!({"id": id, "n": self.rng.u8(0..4), "member": self.value(2)}),
            16 => json!({"v": "getter", "id": id, "changes": self.rng.bool()}),
            17 => json!({"v": "key getter", "id": id}),
            18 => json!({"v": "throwing getter", "id": id}),
            19 => json!({"v": self.pick(&["hidden getter", "element getter", "mutating getter"]), "id": id}),
            20 => json!({"v": self.pick(&["proxy", "inner proxy"]), "id": id}),
            21 => json!({"v": self.pick(&["to json", "instance", "bare"]), "id": id}),
            22 => json!({"v": self.pick(&["function", "symbol member", "proto member"]), "id": id}),
            23 => json!({"v": self.pick(&["shared", "cycle"]), "id": id}),
            24 => json!({"id": id, "n": 1, "list": {"v": "sparse", "named": self.rng.bool()}}),
            25 => {
                json!({"id": id, "n": 2, "text": {"v": "repeat", "text": "ä€ ", "times": self.rng.usize(0..2000)}})
            }
            26 => json!({"id": id, "n": 3, "deep": {"v": "deep", "depth": self.rng.usize(0..200)}}),
            27 => json!({"id": id, "$date": 1}),
            28 => json!({"$date": self.value(1)}),
            _ => self.value(0),
        }
    }

    fn record_id(&mut self) -> Value {
        match self.rng.u8(0..8) {
            0 => self.key(),
            1 => Value::Null,
            _ => json!(self.rng.u8(1..6)),
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.rng.u8(0..24) {
            0 => Value::Null,
            1 => json!(self.rng.bool()),
            2 => json!(self.rng.i32(..)),
            3 => json!(self.rng.f64()),
            4 => json!("text"),
            5 => json!({"v": "surrogate"}),
            6 => json!({"v": "undefined"}),
            7 => {
                json!({"v": "number", "text": self.pick(&["NaN", "Infinity", "-Infinity", "-0", "1e21", "5e-324"])})
            }
            8 => json!({"v": "bigint", "text": self.pick(&["0", "-1", "123456789012345678901234567890"])}),
            9 => {
                json!({"v": "date", "time": self.pick(&[json!(0), json!(-1), json!(8.64e15), Value::Null].each_ref()).clone()})
            }
            10 => json!({"v": "regexp", "source": "a/b", "flags": self.pick(&["", "g", "giu"])}),
            11 => {
                json!({"v": "map", "pairs": [[self.value(depth.max(1) - 1), 1], ["k", self.value(depth.max(1) - 1)]]})
            }
            12 => json!({"v": "set", "items": [1, self.value(depth.max(1) - 1)]}),
            13 => json!({"v": self.pick(&["buffer", "platform"]), "bytes": [0, 1, 255]}),
            14 => {
                json!({"v": "view", "type": self.pick(&["Uint8Array", "Int16Array", "DataView", "Uint8ClampedArray"]), "bytes": [1, 2, 3, 4]})
            }
            15 => json!({"v": "view", "type": "Uint8Array", "bytes": [1, 2, 3, 4], "offset": 1, "length": 2}),
            16 => {
                let mut error = json!({"v": "error", "name": self.pick(&["Error", "TypeError", "RangeError"]), "message": "m"});
                if self.one_in(3) {
                    error["own"] = self.own_members();
                }
                error
            }
            17 => {
                json!({"v": "boxed", "value": self.pick(&[json!(1), json!("s"), json!(false)].each_ref()).clone()})
            }
            18 if self.rng.bool() => json!({"v": "symbol"}),
            18 => json!({"v": "resizable", "maximum": 4 + self.rng.u8(0..4)}),
            19 => json!({"v": "function"}),
            20..22 if depth > 0 => json!([self.value(depth - 1), self.value(depth - 1)]),
            22.. if depth > 0 => json!({"a": self.value(depth - 1), "10": 1, "é": self.value(depth - 1)}),
            _ => json!({}),
        }
    }

    /// Members that a page gave an error; the database keeps some of them.
    fn own_members(&mut self) -> Value {
        self.pick(
            &[
                json!({"code": 7}),
                json!({"name": "RangeError"}),
                json!({"name": "Mine", "message": 5}),
                json!({"cause": {"v": "map", "pairs": [["k", 1]]}}),
                json!({"stack": "none"}),
            ]
            .each_ref(),
        )
        .clone()
    }

    fn key(&mut self) -> Value {
        match self.rng.u8(0..20) {
            0..8 => json!(self.rng.u8(1..6)),
            8..11 => json!(self.pick(&["a", "b", "", "é"])),
            11 => json!({"v": "surrogate"}),
            12 => json!({"v": "date", "time": self.rng.i32(..)}),
            13 => json!({"v": "buffer", "bytes": [0, 255]}),
            14 => json!([1, "a", [self.rng.u8(0..2)]]),
            15 => json!({"v": "number", "text": self.pick(&["Infinity", "-0", "NaN", "1.5"])}),
            16 => json!({"v": "array getter key", "element": self.rng.u8(0..3)}),
            17 => self
                .pick(
                    &[
                        json!({"v": "cyclic key"}),
                        json!({"v": "undefined"}),
                        json!(true),
                        Value::Null,
                    ]
                    .each_ref(),
                )
                .clone(),
            18 => json!({"v": "date", "time": null}),
            _ => json!({"v": "view", "type": "Uint8Array", "bytes": [1, 2], "offset": 1, "length": 1}),
        }
    }

    fn query(&mut self) -> Value {
        match self.rng.u8(0..6) {
            0 => json!({"v": "key range", "lower": self.rng.u8(0..3), "lowerOpen": self.rng.bool()}),
            1 => json!({"v": "key range", "upper": "a", "upperOpen": self.rng.bool()}),
            2 => {
                json!({"v": "key range", "lower": self.rng.u8(0..4), "upper": self.key(), "lowerOpen": self.rng.bool(), "upperOpen": self.rng.bool()})
            }
            _ => self.key(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_programs() {
        assert_eq!(program(7), program(7));
        assert_ne!(program(7), program(8));
    }
}
