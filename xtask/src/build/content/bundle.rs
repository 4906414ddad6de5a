//! Puts a script together from its modules.
//!
//! Content scripts are no modules. So the modules that an entry imports, directly or not, are laid
//! one behind the other, each behind those that it imports; the caller puts a function around them,
//! so that nothing of them is global. What the entry's modules ask for by `import()` is laid into a
//! function of its own, which runs when it is first asked for.
//!
//! The modules share one scope: two of them may not declare one name, and an import keeps the name
//! that it has in its module. Both are checked here; that an imported name exists is checked by
//! TypeScript.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use oxc::{
    allocator::Allocator,
    ast::{
        AstKind,
        ast::{Expression, ImportDeclaration, ImportDeclarationSpecifier, Statement},
    },
    parser::Parser,
    semantic::{Semantic, SemanticBuilder},
    span::{GetSpan as _, SourceType, Span},
};

/// The text of a script whose entry is this module, a path below `directory`: the body of a
/// function. `instead` names modules, and those that take their places.
pub fn bundle(directory: &Path, entry: &str, instead: &[(&str, &str)]) -> Result<String> {
    let mut order = Order::new(directory, instead);
    order.add(&PathBuf::from(entry))?;
    let first = order.modules.len();
    let wanted: Vec<PathBuf> = order
        .modules
        .iter()
        .flat_map(|module| module.wanted.clone())
        .collect();
    for path in &wanted {
        order.add(path)?;
    }
    declare_once(&order.modules)?;
    let (now, later) = order.modules.split_at(first);
    let mut text = String::new();
    text.extend(now.iter().map(|module| module.text.as_str()));
    if !wanted.is_empty() {
        text.push_str("let loaded;\nfunction later() {\nreturn loaded ??= (() => {\n");
        text.extend(later.iter().map(|module| module.text.as_str()));
        let exported = order
            .modules
            .iter()
            .filter(|module| wanted.contains(&module.path));
        let names: Vec<&str> = exported
            .flat_map(|module| &module.exported)
            .map(String::as_str)
            .collect();
        writeln!(text, "return {{ {} }};\n}})();\n}}", names.join(", "))?;
    }
    Ok(text)
}

/// A module as the script has it.
struct Module {
    /// Below the directory of all.
    path: PathBuf,
    /// Its source without `import` and `export`.
    text: String,
    /// What it declares at its top level.
    declared: Vec<String>,
    /// Which of these it exports.
    exported: Vec<String>,
    /// The modules that it asks for by `import()`.
    wanted: Vec<PathBuf>,
}

/// Modules, each behind those that it imports.
struct Order<'a> {
    directory: &'a Path,
    /// Modules, and those that take their places.
    instead: &'a [(&'a str, &'a str)],
    modules: Vec<Module>,
    added: HashSet<PathBuf>,
    /// Those whose imports are being added, the entry first.
    open: Vec<PathBuf>,
}

impl<'a> Order<'a> {
    fn new(directory: &'a Path, instead: &'a [(&'a str, &'a str)]) -> Self {
        Self {
            directory,
            instead,
            modules: Vec::new(),
            added: HashSet::new(),
            open: Vec::new(),
        }
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let other = self.instead.iter().find(|(module, _)| Path::new(module) == path);
        let path = other.map_or(path, |(_, other)| Path::new(other));
        if let Some(start) = self.open.iter().position(|module| module == path) {
            let circle: Vec<String> = self.open[start..]
                .iter()
                .map(|module| module.display().to_string())
                .collect();
            bail!(
                "{} import each other; move what they share to a module of its own",
                circle.join(", ")
            );
        }
        if !self.added.insert(path.to_owned()) {
            return Ok(());
        }
        let file = self.directory.join(path);
        let source = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let (module, imported) = read_module(path, &source).with_context(|| file.display().to_string())?;
        self.open.push(path.to_owned());
        for path in imported {
            self.add(&path)?;
        }
        self.open.pop();
        self.modules.push(module);
        Ok(())
    }
}

/// A module, and the paths of those that it imports.
fn read_module(path: &Path, source: &str) -> Result<(Module, Vec<PathBuf>)> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("the module does not parse: {error}");
    }
    let semantic = SemanticBuilder::new().build(&parsed.program).semantic;
    let mut cuts: Vec<(Span, &str)> = Vec::new();
    let mut imported = Vec::new();
    let mut of_others = HashSet::new();
    let mut exports = Vec::new();
    for statement in &parsed.program.body {
        match statement {
            Statement::ImportDeclaration(import) => {
                imported.push(beside(path, &import.source.value)?);
                of_others.extend(names_of(import)?);
                cuts.push((import.span, ""));
            }
            Statement::ExportNamedDeclaration(export) => {
                let declaration = export.declaration.as_ref();
                let declaration =
                    declaration.context("only declarations can be exported; put `export` before one")?;
                exports.push(declaration.span());
                cuts.push((Span::new(export.span.start, declaration.span().start), ""));
            }
            Statement::ExportDefaultDeclaration(_) | Statement::ExportAllDeclaration(_) => {
                bail!("only declarations can be exported; put `export` before one");
            }
            _ => {}
        }
    }
    let mut wanted = Vec::new();
    for node in semantic.nodes().iter() {
        if let AstKind::ImportExpression(import) = node.kind() {
            let Expression::StringLiteral(asked) = &import.source else {
                bail!("`import()` takes the path of a module as a literal");
            };
            wanted.push(beside(path, &asked.value)?);
            cuts.push((import.span, "later()"));
        }
    }
    let mut declared = Vec::new();
    let mut exported = Vec::new();
    for (name, span) in top_level(&semantic) {
        if of_others.contains(&name) {
            continue;
        }
        if exports
            .iter()
            .any(|export| export.start <= span.start && span.end <= export.end)
        {
            exported.push(name.clone());
        }
        declared.push(name);
    }
    let module = Module {
        path: path.to_owned(),
        text: cut(source, cuts),
        declared,
        exported,
        wanted,
    };
    Ok((module, imported))
}

/// What is declared at a module's top level, imports among it.
fn top_level(semantic: &Semantic<'_>) -> Vec<(String, Span)> {
    let scoping = semantic.scoping();
    let symbols = scoping.iter_bindings_in(scoping.root_scope_id());
    symbols
        .map(|symbol| {
            (
                scoping.symbol_name(symbol).to_owned(),
                scoping.symbol_span(symbol),
            )
        })
        .collect()
}

/// The names that an import brings.
fn names_of(import: &ImportDeclaration<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for specifier in import.specifiers.iter().flatten() {
        let ImportDeclarationSpecifier::ImportSpecifier(one) = specifier else {
            bail!(
                "{} is imported as a whole; import names of it",
                import.source.value
            );
        };
        ensure!(
            one.imported.name() == one.local.name,
            "{} is imported under another name; rename it where it is declared",
            one.imported.name()
        );
        names.push(one.local.name.to_string());
    }
    Ok(names)
}

/// The path of a module that another one names by `./` and `../`.
fn beside(path: &Path, named: &str) -> Result<PathBuf> {
    ensure!(
        named.starts_with("./") || named.starts_with("../"),
        "{named} is no path of a module beside this one"
    );
    let mut beside = path.parent().map(Path::to_owned).unwrap_or_default();
    for component in Path::new(named).components() {
        match component {
            Component::ParentDir => ensure!(beside.pop(), "{named} lies outside of the page scripts"),
            Component::Normal(name) => beside.push(name),
            _ => {}
        }
    }
    Ok(beside)
}

/// A text with pieces of it replaced.
fn cut(source: &str, mut cuts: Vec<(Span, &str)>) -> String {
    cuts.sort_by_key(|(span, _)| span.start);
    let mut text = String::with_capacity(source.len());
    let mut from = 0;
    for (span, replacement) in cuts {
        text.push_str(&source[from..span.start as usize]);
        text.push_str(replacement);
        from = span.end as usize;
    }
    text.push_str(&source[from..]);
    text.push('\n');
    text
}

fn declare_once(modules: &[Module]) -> Result<()> {
    let mut by: HashMap<&str, &Path> = HashMap::new();
    for module in modules {
        for name in &module.declared {
            if let Some(other) = by.insert(name, &module.path) {
                bail!(
                    "{} and {} both declare {name}; rename one of them",
                    other.display(),
                    module.path.display()
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(sources: &[(&str, &str)]) -> Result<String> {
        let directory = tempfile::tempdir()?;
        for (name, source) in sources {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().context("a directory")?)?;
            fs::write(path, source)?;
        }
        bundle(directory.path(), sources[0].0, &[])
    }

    fn refusal(sources: &[(&str, &str)]) -> String {
        format!("{:#}", bundled(sources).expect_err("it is refused"))
    }

    #[test]
    fn module_stands_behind_its_imports() -> Result<()> {
        let text = bundled(&[
            (
                "main/a.js",
                "import {\n  b,\n} from \"./b.js\";\nimport \"../shared/c.js\";\nb(1);\n",
            ),
            (
                "main/b.js",
                "import { c } from \"../shared/c.js\";\nexport function b() {\n  c();\n}\n",
            ),
            ("shared/c.js", "export const c = 2, [d] = [3];\n"),
        ])?;
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(
            at("const c") < at("function b") && at("function b") < at("b(1)"),
            "{text}"
        );
        assert!(!text.contains("import") && !text.contains("export"), "{text}");
        Ok(())
    }

    #[test]
    fn module_of_a_dynamic_import_runs_when_asked_for() -> Result<()> {
        let text = bundled(&[
            (
                "a.js",
                "async function f() {\n  const { x } = await import(\"./c.js\");\n  x();\n}\nf();\n",
            ),
            ("b.js", "export function y() {}\n"),
            (
                "c.js",
                "import { y } from \"./b.js\";\nexport function x() {\n  y(made);\n}\nconst made = make();\n",
            ),
        ])?;
        let loader = text.find("??=").context("it is made once")?;
        assert!(text.find("make()").context("it is there")? > loader, "{text}");
        assert!(
            text.contains("return { x };") && !text.contains("import("),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn module_takes_the_place_of_another() -> Result<()> {
        let directory = tempfile::tempdir()?;
        for (name, source) in [
            ("a.js", "import { x } from \"./b.js\";\nx();\n"),
            ("b.js", "import \"./absent.js\";\nexport const x = 1;\n"),
            ("c.js", "export const x = 2;\n"),
        ] {
            fs::write(directory.path().join(name), source)?;
        }
        let text = bundle(directory.path(), "a.js", &[("b.js", "c.js")])?;
        assert!(text.contains("x = 2") && !text.contains("x = 1"), "{text}");
        Ok(())
    }

    #[test]
    fn name_in_two_modules_is_refused() {
        let sources = [
            ("a.js", "import \"./b.js\";\nconst { x } = {};\n"),
            ("b.js", "function x() {}\n"),
        ];
        assert_eq!(
            refusal(&sources),
            "b.js and a.js both declare x; rename one of them"
        );
    }

    #[test]
    fn circle_is_refused() {
        let sources = [("a.js", "import \"./b.js\";\n"), ("b.js", "import \"./a.js\";\n")];
        assert!(refusal(&sources).contains("a.js, b.js import each other"));
    }

    #[test]
    fn import_that_renames_is_refused() {
        let sources = [
            ("a.js", "import { b as c } from \"./b.js\";\n"),
            ("b.js", "export const b = 1;\n"),
        ];
        assert!(refusal(&sources).contains("b is imported under another name"));
        let sources = [
            ("a.js", "import * as b from \"./b.js\";\n"),
            ("b.js", "export const b = 1;\n"),
        ];
        assert!(refusal(&sources).contains("./b.js is imported as a whole"));
    }

    #[test]
    fn module_outside_is_refused() {
        assert!(refusal(&[("a.js", "import \"../b.js\";\n")]).contains("outside of the page scripts"));
        assert!(refusal(&[("a.js", "import \"b\";\n")]).contains("no path of a module"));
    }
}
