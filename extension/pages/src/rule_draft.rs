//! Redaction rules as the user writes them in a form.

use protocol::redact::{How, Rule, RuleError};

/// A rule in the fields of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleDraft {
    /// Empty: any database.
    pub database: String,
    /// Empty: any store.
    pub store: String,
    /// One field per line.
    pub fields: String,
    /// `drop`, `mask` or `hash`.
    pub method: String,
}

impl RuleDraft {
    pub fn from_rule(rule: &Rule) -> Self {
        Self {
            database: rule.database.clone(),
            store: rule.store.clone(),
            fields: rule
                .fields
                .iter()
                .map(|field| if field.is_empty() { "\"\"" } else { field })
                .collect::<Vec<_>>()
                .join("\n"),
            method: method_name(rule.how).to_owned(),
        }
    }

    /// The rule, if it is valid.
    pub fn to_rule(&self) -> Result<Rule, RuleError> {
        let lines = self.fields.lines().map(str::trim).filter(|line| !line.is_empty());
        let rule = Rule {
            database: self.database.trim().to_owned(),
            store: self.store.trim().to_owned(),
            // Empty lines are skipped, so the whole value is written as `""`.
            fields: lines
                .map(|line| if line == "\"\"" { "" } else { line }.to_owned())
                .collect(),
            how: match self.method.as_str() {
                "mask" => How::Mask,
                "hash" => How::Hash,
                _ => How::Drop,
            },
        };
        rule.check().map(|()| rule)
    }
}

/// The name of a redaction method, as in the configuration.
pub fn method_name(how: How) -> &'static str {
    match how {
        How::Drop => "drop",
        How::Mask => "mask",
        How::Hash => "hash",
    }
}

/// The stores to which a rule applies, in words.
pub fn describe_scope(rule: &Rule) -> String {
    match (rule.database.as_str(), rule.store.as_str()) {
        ("", "") => "every store".to_owned(),
        (database, "") => format!("every store of {database}"),
        ("", store) => format!("{store} of every database"),
        (database, store) => format!("{database} › {store}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(fields: &str, method: &str) -> RuleDraft {
        RuleDraft {
            store: " users ".into(),
            fields: fields.into(),
            method: method.into(),
            ..RuleDraft::default()
        }
    }

    #[test]
    fn draft_becomes_a_rule_and_back() {
        let rule = draft("/a\n\n  /b/* \n\"\"", "mask").to_rule().expect("a rule");
        assert_eq!(rule.fields, ["/a", "/b/*", ""]);
        assert_eq!((rule.store.as_str(), rule.how), ("users", How::Mask));
        assert_eq!(RuleDraft::from_rule(&rule).to_rule(), Ok(rule.clone()));
        assert_eq!(describe_scope(&rule), "users of every database");
        assert_eq!(draft(" \n", "drop").to_rule(), Err(RuleError::NoFields));
        assert!(
            draft("a", "drop")
                .to_rule()
                .expect_err("no pointer")
                .to_string()
                .contains("\"/a\"")
        );
    }
}
