//! The fuzz targets in a few seconds and on any toolchain: every seed, then mutations of seeds, the
//! same ones each time.
#![allow(clippy::expect_used, reason = "a test's helpers")]

use std::{fs, path::Path};

use idb_relay_fuzz_harness::TARGETS;

const MUTATIONS: usize = 3000;
/// Longer inputs only slow this down.
const LONGEST: usize = 8192;

/// The files of the target's corpus; the shared vectors where they are such input; nothing at all.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", corpus.display());
    let mut seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("a seed")).collect();
    if matches!(target, "values" | "keys" | "redaction") {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../tests/vectors/values.json")).expect("the vectors");
        seeds.extend(vectors.iter().map(|vector| {
            let typed = vector["typed"].as_str().expect("a typed text");
            typed.as_bytes().to_vec()
        }));
    }
    seeds.push(Vec::new());
    seeds
}

/// A few changes of a seed: a bit flipped, a byte inserted or removed, a piece of another seed put
/// in, the end cut off.
fn mutation(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=bytes.len());
        match random.u8(..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => {
                let other = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                let to = random.usize(from..=other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            3 => bytes.truncate(at),
            // Bytes that mean something to one of the readers, more often than others.
            _ => bytes.insert(at, *random.choice(b"{}[]\",:$\\%@\n\0-.e/19~").expect("some")),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn attack(target: &str) {
    let (_, run) = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .expect("a target");
    let seeds = seeds(target);
    for seed in &seeds {
        run(seed);
    }
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..MUTATIONS {
        run(&mutation(&mut random, &seeds));
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { attack(stringify!($name)); })*

        #[test]
        fn every_target_is_attacked_here_and_by_cargo_fuzz() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), tested);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("cargo-fuzz's manifest");
            for name in tested {
                // A workspace of its own, too long to compile here: so it is nothing but the call.
                let path = format!("fuzz_targets/{name}.rs");
                let call = format!(
                    "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| harness::{name}(data));\n"
                );
                assert_eq!(fs::read_to_string(fuzz.join(&path)).expect("a target"), call, "{path}");
                assert!(
                    manifest.contains(&format!("name = \"{name}\"\npath = \"{path}\"")),
                    "{path}"
                );
            }
        }
    };
}

targets! { frames messages keys values templates config redaction }
