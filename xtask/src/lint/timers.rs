//! Every duration of a crate, or of the page scripts, stands in one module: a reader sees them on
//! one page, and how long the tests wait is decided in one place.
//!
//! In Rust, found are constants that hold a duration, by their type or name, durations that are
//! made of constants only, and timers of the browser that are given a number. What is made of a
//! length or a setting is no timer. Tests are left out.
//!
//! - [`scripts`]: what is found in JavaScript.

mod scripts;

use anyhow::{Context as _, Result};
use syn::{
    Attribute, Expr, ExprCall, ExprMethodCall, ImplItemConst, Item, ItemConst, ItemStatic, Lit, Type,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    Finding, modules,
    settings::{PATH, Settings},
};
use crate::sources::{Language, Sources};

/// Functions that begin a timer, by the end of their names.
const TIMERS: [&str; 3] = [
    "run_later",
    "set_timeout",
    "set_timeout_with_callback_and_timeout_and_arguments_0",
];

/// How the name of a constant ends that holds a duration as a number.
const UNITS: [&str; 2] = ["_MS", "_SECONDS"];

pub(super) fn find(sources: &Sources, settings: &Settings) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (directory, timers) in &settings.timers {
        let mut used = Vec::new();
        for source in sources.of(&[Language::Rust, Language::JavaScript]) {
            let is_inside = source
                .path
                .strip_prefix(directory.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
            if !is_inside || source.path == timers.module || is_test(&source.path) {
                continue;
            }
            let found = match source.language {
                Language::JavaScript => scripts::find_in(&source.path, &source.text),
                _ => find_in(&source.path, &source.text)?,
            };
            if timers.others.contains_key(&source.path) {
                used.extend((!found.is_empty()).then(|| source.path.clone()));
            } else {
                findings.extend(found);
            }
        }
        for path in timers.others.keys().filter(|path| !used.contains(path)) {
            findings.push(Finding {
                file: PATH.to_owned(),
                line: 0,
                message: format!("{path} has no duration any more: remove it from [timers]"),
            });
        }
    }
    Ok(findings)
}

/// Modules for tests have files of their own.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/test/")
}

fn find_in(path: &str, text: &str) -> Result<Vec<Finding>> {
    let file = syn::parse_file(text).with_context(|| format!("cannot parse {path}"))?;
    let mut visitor = Visitor {
        file: path,
        findings: Vec::new(),
    };
    visitor.visit_file(&file);
    Ok(visitor.findings)
}

struct Visitor<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl Visitor<'_> {
    fn add(&mut self, line: usize, message: String) {
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            message,
        });
    }

    /// Finds numbers among the arguments of a timer.
    fn add_numbers<'ast>(&mut self, arguments: impl Iterator<Item = &'ast Expr>) {
        for argument in arguments.filter(|argument| is_number(argument)) {
            self.add(argument.span().start().line, "a timer with a number".to_owned());
        }
    }

    /// Whether a constant holds a duration; then it is found.
    fn add_constant(&mut self, name: &syn::Ident, of: &Type) -> bool {
        let text = name.to_string();
        let is_found = is_duration(of) || UNITS.iter().any(|unit| text.ends_with(unit));
        if is_found {
            self.add(name.span().start().line, format!("`{text}` is a duration"));
        }
        is_found
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = modules::attributes(item);
        if !attributes.iter().any(modules::is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        if !self.add_constant(&item.ident, &item.ty) {
            visit::visit_item_const(self, item);
        }
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        if !self.add_constant(&item.ident, &item.ty) {
            visit::visit_item_static(self, item);
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast ImplItemConst) {
        if !self.add_constant(&item.ident, &item.ty) {
            visit::visit_impl_item_const(self, item);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if makes_duration(call) && call.args.iter().all(is_constant) {
            self.add(call.span().start().line, "a duration without a name".to_owned());
        }
        if begins_timer(&call.func) {
            self.add_numbers(call.args.iter());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if TIMERS.contains(&call.method.to_string().as_str()) {
            self.add_numbers(call.args.iter());
        }
        visit::visit_expr_method_call(self, call);
    }
}

fn is_duration(of: &Type) -> bool {
    let Type::Path(path) = of else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "Duration")
}

/// A number other than 0, which is no time.
fn is_number(expression: &Expr) -> bool {
    let Expr::Lit(literal) = expression else {
        return false;
    };
    match &literal.lit {
        Lit::Int(number) => number.base10_digits() != "0",
        Lit::Float(_) => true,
        _ => false,
    }
}

/// `run_later(…)` and its like.
fn begins_timer(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| TIMERS.contains(&last.ident.to_string().as_str()))
}

/// `Duration::from_secs(…)` and its like.
fn makes_duration(call: &ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else {
        return false;
    };
    let mut names = path
        .path
        .segments
        .iter()
        .rev()
        .map(|segment| segment.ident.to_string());
    let is_maker = names
        .next()
        .is_some_and(|name| name == "new" || name.starts_with("from_"));
    is_maker && names.next().is_some_and(|name| name == "Duration")
}

/// Whether an expression is made of literals and constants only.
fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::Lit(_) => true,
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.chars().all(|letter| !letter.is_lowercase())
        }),
        Expr::Binary(binary) => is_constant(&binary.left) && is_constant(&binary.right),
        Expr::Cast(cast) => is_constant(&cast.expr),
        Expr::Paren(paren) => is_constant(&paren.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> Vec<usize> {
        let found = find_in("a/src/b.rs", text).expect("Rust");
        found.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn constants_that_hold_durations_are_found() {
        let text = "const A: Duration = Duration::from_secs(1);\n\
                    static B: std::time::Duration = c();\n\
                    const STAYS_MS: u64 = 10_000;\n\
                    impl C { const D: Duration = c(); }\n\
                    const ATTEMPTS: u32 = 4;\n";
        assert_eq!(lines_of(text), [1, 2, 3, 4]);
    }

    #[test]
    fn durations_of_constants_are_found_and_those_of_values_are_not() {
        let text = "fn f(bytes: u64) {\n\
                    sleep(Duration::from_millis(5));\n\
                    sleep(Duration::from_secs(2 * limits::MOST as u64));\n\
                    sleep(Duration::from_millis(bytes * 1000 / SLOWEST));\n\
                    sleep(Duration::ZERO);\n\
                    }\n";
        assert_eq!(lines_of(text), [2, 3]);
    }

    #[test]
    fn timer_with_number_is_found() {
        let text = "fn f() {\n\
                    run_later(100, g);\n\
                    run_later(timing::TOAST, g(0)).at(0);\n\
                    window.set_timeout_with_callback_and_timeout_and_arguments_0(g, 5);\n\
                    }\n";
        assert_eq!(lines_of(text), [2, 4]);
    }

    #[test]
    fn tests_may_name_durations() {
        let text = "#[cfg(test)] mod tests { const A: Duration = Duration::from_secs(1); }";
        assert_eq!(lines_of(text), [0; 0]);
        assert!(is_test("a/src/b/tests.rs") && is_test("a/src/tests/c.rs") && !is_test("a/src/b.rs"));
    }

    #[test]
    fn one_module_and_listed_files_have_durations_and_no_list_outlives_its_reason() {
        let settings = Settings::parse(
            "areas = []\n[allowed]\n[words]\n[floors]\n\
             [timers.\"a/src\"]\nmodule = \"a/src/timing.rs\"\n\
             [timers.\"a/src\".others]\n\"a/src/b.rs\" = \"a setting\"\n\"a/src/c.rs\" = \"a setting\"\n",
        )
        .expect("valid");
        let duration = "const A: Duration = Duration::from_secs(1);";
        let files = [
            ("a/src/timing.rs", duration),
            ("a/src/b.rs", duration),
            ("a/src/c.rs", ""),
            ("a/src/d.rs", duration),
            ("a/srcs/e.rs", duration),
        ];
        let sources = files.map(|(path, text)| crate::sources::Source {
            path: path.to_owned(),
            language: Language::Rust,
            text: text.to_owned(),
        });
        let found = find(&Sources(sources.into()), &settings).expect("Rust");
        let files: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
        assert_eq!(files, ["a/src/d.rs", PATH]);
    }
}
