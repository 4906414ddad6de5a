//! Typed values out of a TOML file, each with the line it stands in.

use std::path::Path;

use protocol::name::{Template, TemplateError};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ConfigError, ConfigProblem};

/// A file that is TOML.
pub(super) struct Document<'t> {
    text: &'t str,
    path: &'t Path,
    table: DeTable<'t>,
}

/// A value and its line.
pub(super) struct Located<T> {
    pub value: T,
    pub line: usize,
}

/// One table of a file, absent or not.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    name: &'static str,
    table: Option<&'d DeTable<'d>>,
    line: usize,
}

impl<'t> Document<'t> {
    pub(super) fn parse(text: &'t str, path: &'t Path) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| ConfigError {
            path: path.to_owned(),
            line: error.span().map(|span| line(text, span.start)),
            problem: ConfigProblem::Syntax(error.message().to_owned()),
        })?;
        Ok(Self {
            text,
            path,
            table: table.into_inner(),
        })
    }

    /// Refuses tables and keys at the top that do not exist.
    pub(super) fn only_sections(&self, known: &'static [&'static str]) -> Result<(), ConfigError> {
        for key in self.table.keys() {
            self.check_key(key, "", known)?;
        }
        Ok(())
    }

    pub(super) fn section<'d>(
        &'d self,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<Section<'d>, ConfigError> {
        let Some(value) = self.table.get(name) else {
            return Ok(Section {
                document: self,
                name,
                table: None,
                line: 0,
            });
        };
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.type_error(value, name.to_owned(), "a table, such as [redis]"));
        };
        for key in table.keys() {
            self.check_key(key, name, known)?;
        }
        Ok(Section {
            document: self,
            name,
            table: Some(table),
            line: line(self.text, value.span().start),
        })
    }

    /// The tables of an array, `[[name]]` each.
    pub(super) fn sections<'d>(
        &'d self,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<Vec<Section<'d>>, ConfigError> {
        const EXPECTED: &str = "a list of tables, each begun by its name in double brackets";
        let Some(value) = self.table.get(name) else {
            return Ok(Vec::new());
        };
        let wrong = || self.type_error(value, name.to_owned(), EXPECTED);
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong());
        };
        items
            .iter()
            .map(|item| {
                let DeValue::Table(table) = item.get_ref() else {
                    return Err(wrong());
                };
                for key in table.keys() {
                    self.check_key(key, name, known)?;
                }
                Ok(Section {
                    document: self,
                    name,
                    table: Some(table),
                    line: line(self.text, item.span().start),
                })
            })
            .collect()
    }

    fn check_key(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        section: &str,
        known: &'static [&'static str],
    ) -> Result<(), ConfigError> {
        if known.contains(&&**key.get_ref()) {
            return Ok(());
        }
        let problem = ConfigProblem::UnknownKey {
            key: key.get_ref().to_string(),
            section: section.to_owned(),
            nearest: nearest(key.get_ref(), known),
            known,
        };
        Err(self.error(key.span().start, problem))
    }

    fn error(&self, at: usize, problem: ConfigProblem) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: Some(line(self.text, at)),
            problem,
        }
    }

    fn type_error(&self, value: &Spanned<DeValue<'_>>, key: String, expected: &'static str) -> ConfigError {
        let problem = ConfigProblem::Type {
            key,
            expected,
            found: value.get_ref().type_str(),
        };
        self.error(value.span().start, problem)
    }
}

impl<'d> Section<'d> {
    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.table?.get(key)
    }

    fn located<T>(&self, value: &Spanned<DeValue<'_>>, inner: T) -> Located<T> {
        Located {
            value: inner,
            line: line(self.document.text, value.span().start),
        }
    }

    fn full_name(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn as_string(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &'static str,
    ) -> Result<Located<String>, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(self.located(value, text.to_string())),
            _ => Err(self.document.type_error(value, self.full_name(key), expected)),
        }
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<Located<String>>, ConfigError> {
        self.get(key)
            .map(|value| self.as_string(key, value, "a string in quotes"))
            .transpose()
    }

    pub(super) fn strings(&self, key: &str) -> Result<Option<Vec<Located<String>>>, ConfigError> {
        const EXPECTED: &str = "a list of strings, such as [\"a\", \"b\"]";
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.document.type_error(value, self.full_name(key), EXPECTED));
        };
        items
            .iter()
            .map(|item| self.as_string(key, item, EXPECTED))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(super) fn whole(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = match value.get_ref() {
            DeValue::Integer(literal) => u64::from_str_radix(literal.as_str(), literal.radix()).ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| {
            self.document
                .type_error(value, self.full_name(key), "a whole number from 0 up")
        })
    }

    pub(super) fn enabled(&self) -> Result<bool, ConfigError> {
        let Some(value) = self.get("enabled") else {
            return Ok(true);
        };
        match value.get_ref() {
            DeValue::Boolean(enabled) => Ok(*enabled),
            _ => Err(self
                .document
                .type_error(value, self.full_name("enabled"), "true or false")),
        }
    }

    pub(super) fn template(
        &self,
        key: &str,
        default: &str,
        read: impl Fn(&str) -> Result<Template, TemplateError>,
    ) -> Result<Template, ConfigError> {
        let given = self.string(key)?;
        let (text, line) = given.map_or((default.to_owned(), 0), |given| (given.value, given.line));
        read(&text).map_err(|error| self.wrong(line, key, &error))
    }

    /// The value of this key makes no sense.
    pub(super) fn wrong(&self, line: usize, key: &str, problem: &impl ToString) -> ConfigError {
        ConfigError {
            path: self.document.path.to_owned(),
            line: Some(line),
            problem: ConfigProblem::Value {
                key: self.full_name(key),
                problem: problem.to_string(),
            },
        }
    }

    /// The value asks for what this version does not have.
    pub(super) fn not_yet(&self, line: usize, key: &'static str, fix: &'static str) -> ConfigError {
        ConfigError {
            path: self.document.path.to_owned(),
            line: Some(line),
            problem: ConfigProblem::NotYet { key, fix },
        }
    }

    /// The line of a key; that of the table if it is not there.
    pub(super) fn line(&self, key: &str) -> usize {
        self.get(key)
            .map_or(self.line, |value| line(self.document.text, value.span().start))
    }

    /// The table lacks a key that it cannot do without.
    pub(super) fn absent(&self, key: &str, expected: &'static str) -> ConfigError {
        ConfigError {
            path: self.document.path.to_owned(),
            line: Some(self.line),
            problem: ConfigProblem::Absent {
                key: self.full_name(key),
                expected,
            },
        }
    }

    /// There is neither a value nor a default.
    pub(super) fn missing(&self, key: &str) -> ConfigError {
        ConfigError {
            path: self.document.path.to_owned(),
            line: None,
            problem: ConfigProblem::NoDefault(self.full_name(key)),
        }
    }
}

/// The known key that a person most likely meant.
fn nearest(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The line of a byte, from 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
