//! `xtask/lint.toml`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use toml::{Table, Value};

/// Where the settings are, relative to the top of the tree.
pub const PATH: &str = "xtask/lint.toml";

/// What the file says.
pub struct Settings {
    /// The directories whose findings are counted together, the longest first.
    areas: Vec<String>,
    /// By rule and area: how many findings there may be.
    allowed: BTreeMap<String, BTreeMap<String, usize>>,
    /// By word: what to write instead.
    pub words: BTreeMap<String, String>,
    /// The modules of a crate from the highest floor to the lowest, by the crate's directory. Those
    /// on one floor may not use each other in a circle, as anywhere.
    pub floors: BTreeMap<String, Vec<Vec<String>>>,
    /// Where the durations of a crate stand, by the directory of its sources.
    pub timers: BTreeMap<String, Timers>,
}

/// Where the durations of a crate stand.
pub struct Timers {
    /// The file that has them all.
    pub module: String,
    /// Other files that have some, as they are no timers, each with the reason.
    pub others: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the file.
    pub fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(PATH)).with_context(|| format!("cannot read {PATH}"))?;
        Self::parse(&text).with_context(|| format!("in {PATH}"))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let file: Table = toml::from_str(text)?;
        let section = |name: &str| -> Result<&Table> {
            file.get(name)
                .and_then(Value::as_table)
                .with_context(|| format!("[{name}] is missing"))
        };
        let mut areas = strings(file.get("areas").context("areas is missing")?)?;
        areas.sort_by_key(|area| std::cmp::Reverse(area.len()));
        let mut allowed = BTreeMap::new();
        for (rule, counts) in section("allowed")? {
            let counts = counts
                .as_table()
                .with_context(|| format!("allowed.{rule} is a table"))?;
            let counts = counts.iter().map(|(area, count)| {
                let count = count.as_integer().and_then(|count| usize::try_from(count).ok());
                Ok((
                    area.clone(),
                    count.with_context(|| format!("allowed.{rule}.{area} is a count"))?,
                ))
            });
            allowed.insert(rule.clone(), counts.collect::<Result<_>>()?);
        }
        let words = section("words")?.iter().map(|(word, instead)| {
            let instead = instead
                .as_str()
                .with_context(|| format!("words.{word:?} is a text"))?;
            Ok((word.clone(), instead.to_owned()))
        });
        let floors = section("floors")?.iter().map(|(directory, floors)| {
            let floors = floors
                .as_array()
                .with_context(|| format!("floors.{directory:?} is a list of lists"))?;
            Ok((
                directory.clone(),
                floors.iter().map(strings).collect::<Result<_>>()?,
            ))
        });
        let timers = section("timers")?
            .iter()
            .map(|(directory, timers)| Ok((directory.clone(), Timers::of(directory, timers)?)));
        Ok(Self {
            areas,
            allowed,
            words: words.collect::<Result<_>>()?,
            floors: floors.collect::<Result<_>>()?,
            timers: timers.collect::<Result<_>>()?,
        })
    }

    /// The area of a file; files outside of all areas are counted together.
    pub fn area(&self, file: &str) -> &str {
        let is_below = |area: &&String| {
            file.strip_prefix(area.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.areas.iter().find(is_below).map_or(".", String::as_str)
    }

    /// How many findings of a rule an area may have.
    pub fn allowed(&self, rule: &str, area: &str) -> usize {
        let counts = self.allowed.get(rule);
        counts.and_then(|counts| counts.get(area)).copied().unwrap_or(0)
    }

    /// The areas that may have findings of a rule.
    pub fn allowed_areas<'a>(&'a self, rule: &str) -> impl Iterator<Item = &'a str> {
        self.allowed
            .get(rule)
            .into_iter()
            .flat_map(|counts| counts.keys().map(String::as_str))
    }
}

impl Timers {
    fn of(directory: &str, value: &Value) -> Result<Self> {
        let text = |value: Option<&Value>, name: &str| -> Result<String> {
            let text = value.and_then(Value::as_str);
            Ok(text
                .with_context(|| format!("timers.{directory:?}.{name} is a text"))?
                .to_owned())
        };
        let module = text(value.get("module"), "module")?;
        let others = value.get("others").and_then(Value::as_table);
        let others = others.into_iter().flatten();
        let others = others.map(|(path, reason)| Ok((path.clone(), text(Some(reason), path)?)));
        Ok(Self {
            module,
            others: others.collect::<Result<_>>()?,
        })
    }
}

fn strings(value: &Value) -> Result<Vec<String>> {
    let list = value.as_array().context("a list of texts is expected")?;
    list.iter()
        .map(|text| Ok(text.as_str().context("a list of texts is expected")?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_area_counts() {
        let settings = Settings::parse(
            "areas = [\"extension\", \"extension/panel\"]\n[allowed.words]\nextension = 2\n[words]\n[floors]\n[timers]\n",
        )
        .expect("valid");
        assert_eq!(settings.area("extension/panel/src/lib.rs"), "extension/panel");
        assert_eq!(settings.area("extension/panels.rs"), "extension");
        assert_eq!(settings.area("README.md"), ".");
        assert_eq!(settings.allowed("words", "extension"), 2);
        assert_eq!(settings.allowed("comments", "extension"), 0);
    }
}
