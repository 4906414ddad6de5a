//! No circle between modules, and no arrow up between floors.
//!
//! An arrow runs from the module that names something to the one that has it. It is looked at
//! between siblings: what a module's descendants use counts as used by the module. So two modules
//! of one parent may not need each other, at any depth. A child may use what stands in its parent's
//! file.
//!
//! Tests are left out: they may stand on anything.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{Finding, settings::Settings};
use crate::sources::{Language, Source, Sources};

/// A module's path from the crate's root, without `crate`.
type Path = Vec<String>;

/// Where a module names something of another one.
#[derive(Debug, Clone)]
struct Use {
    from: Path,
    /// `crate`, `super` and `self` are resolved.
    to: Path,
    file: String,
    line: usize,
}

pub(super) fn find(sources: &Sources, settings: &Settings) -> Result<Vec<Finding>> {
    let roots: BTreeSet<&str> = sources
        .of(&[Language::Rust])
        .filter_map(|source| source.path.rsplit_once("/src/").map(|(root, _)| root))
        .filter(|root| !root.contains("/src"))
        .collect();
    let mut findings = Vec::new();
    for root in roots {
        let graph = Graph::read(sources, root)?;
        findings.extend(graph.circles());
        if let Some(floors) = settings.floors.get(root) {
            findings.extend(graph.arrows_up(floors));
        }
    }
    Ok(findings)
}

/// The modules of a crate with what they use.
#[derive(Default)]
struct Graph {
    modules: BTreeSet<Path>,
    /// Of a module: the names that it imports, with where they come from. Children see them, too.
    imports: BTreeMap<Path, BTreeMap<String, Path>>,
    uses: Vec<Use>,
}

impl Graph {
    fn read(sources: &Sources, root: &str) -> Result<Self> {
        let prefix = format!("{root}/src/");
        let mut graph = Self::default();
        for source in sources.of(&[Language::Rust]) {
            let Some(inner) = source.path.strip_prefix(&prefix) else {
                continue;
            };
            if let Some(module) = module_of(inner) {
                graph.add(source, &module)?;
            }
        }
        Ok(graph)
    }

    fn add(&mut self, source: &Source, module: &Path) -> Result<()> {
        let file = syn::parse_file(&source.text).with_context(|| format!("cannot parse {}", source.path))?;
        self.modules.insert(module.clone());
        let mut visitor = Visitor {
            graph: self,
            file: &source.path,
            module: module.clone(),
        };
        visitor.visit_file(&file);
        Ok(())
    }

    /// The module that has what a path names: as far down as there are modules, and along imports.
    fn owner(&self, path: &[String]) -> Path {
        let mut module = Path::new();
        for (index, segment) in path.iter().enumerate() {
            let mut inner = module.clone();
            inner.push(segment.clone());
            if self.modules.contains(&inner) {
                module = inner;
                continue;
            }
            let import = self.imports.get(&module).and_then(|names| names.get(segment));
            return match import {
                // An import that leads to itself by another name would never end.
                Some(target) if target.as_slice() != &path[..=index] => {
                    let mut target = target.clone();
                    target.extend_from_slice(&path[index + 1..]);
                    if target.len() > 16 {
                        module
                    } else {
                        self.owner(&target)
                    }
                }
                _ => module,
            };
        }
        module
    }

    /// Arrows between children of a module, each with one place where it is used.
    fn arrows(&self) -> BTreeMap<Path, BTreeMap<(String, String), &Use>> {
        let mut arrows: BTreeMap<Path, BTreeMap<(String, String), &Use>> = BTreeMap::new();
        for using in &self.uses {
            let owner = self.owner(&using.to);
            let common = using
                .from
                .iter()
                .zip(&owner)
                .take_while(|(one, other)| one == other)
                .count();
            // One is above the other.
            if common == using.from.len() || common == owner.len() {
                continue;
            }
            arrows
                .entry(owner[..common].to_vec())
                .or_default()
                .entry((using.from[common].clone(), owner[common].clone()))
                .or_insert(using);
        }
        arrows
    }

    /// One finding for each arrow that is part of a circle.
    fn circles(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (parent, arrows) in self.arrows() {
            for ((from, to), using) in &arrows {
                if let Some(way) = way_back(&arrows, to, from) {
                    findings.push(Finding {
                        file: using.file.clone(),
                        line: using.line,
                        message: format!("circle in `{}`: {from} → {way}", name(&parent)),
                    });
                }
            }
        }
        findings
    }

    /// One finding for each arrow from a lower floor to a higher one.
    fn arrows_up(&self, floors: &[Vec<String>]) -> Vec<Finding> {
        let floor_of = |module: &str| {
            floors
                .iter()
                .position(|modules| modules.iter().any(|name| name == module))
        };
        let arrows = self.arrows();
        let top = arrows.get(&Path::new()).into_iter().flatten();
        top.filter_map(|((from, to), using)| {
            let (below, above) = (floor_of(from)?, floor_of(to)?);
            (below > above).then(|| Finding {
                file: using.file.clone(),
                line: using.line,
                message: format!("{from} uses {to}, which is on a floor above it"),
            })
        })
        .collect()
    }
}

/// The shortest way along arrows, as text.
fn way_back(arrows: &BTreeMap<(String, String), &Use>, from: &str, to: &str) -> Option<String> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::from([from.to_owned()]);
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last()?;
            if last == to {
                return Some(way.join(" → "));
            }
            for (start, end) in arrows.keys() {
                if start == last && seen.insert(end.clone()) {
                    let mut way = way.clone();
                    way.push(end.clone());
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

fn name(module: &[String]) -> String {
    std::iter::once("crate")
        .chain(module.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("::")
}

/// The module of a file below `src/`. Programs in `bin/` are crates of their own.
fn module_of(file: &str) -> Option<Path> {
    let path = file.strip_suffix(".rs")?;
    let mut module: Path = path.split('/').map(str::to_owned).collect();
    if module.first().is_some_and(|first| first == "bin") || module.iter().any(|name| name == "tests") {
        return None;
    }
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if let [only] = module.as_slice()
        && (only == "lib" || only == "main")
    {
        module.pop();
    }
    Some(module)
}

struct Visitor<'a> {
    graph: &'a mut Graph,
    file: &'a str,
    module: Path,
}

impl Visitor<'_> {
    fn add(&mut self, segments: &[String], line: usize) {
        if let Some(to) = self.resolve(segments) {
            self.graph.uses.push(Use {
                from: self.module.clone(),
                to,
                file: self.file.to_owned(),
                line,
            });
        }
    }

    /// A path that starts with `crate`, `self` or `super`, from the crate's root.
    fn resolve(&self, segments: &[String]) -> Option<Path> {
        let mut module = self.module.clone();
        let mut rest = segments;
        match rest.first()?.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => {
                module.pop()?;
                while let [_, next, ..] = rest
                    && next == "super"
                {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        module.extend_from_slice(&rest[1..]);
        Some(module)
    }

    fn add_tree(&mut self, before: &mut Path, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(before, &path.tree);
                before.pop();
            }
            UseTree::Name(name) => {
                let last = name.ident.to_string();
                let line = name.span().start().line;
                self.add_name(before, &last, &last, line);
            }
            UseTree::Rename(renamed) => {
                let (last, known_as) = (renamed.ident.to_string(), renamed.rename.to_string());
                let line = renamed.span().start().line;
                self.add_name(before, &last, &known_as, line);
            }
            UseTree::Glob(glob) => self.add(before, glob.span().start().line),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(before, tree);
                }
            }
        }
    }

    fn add_name(&mut self, before: &Path, last: &str, known_as: &str, line: usize) {
        let mut path = before.clone();
        if last != "self" {
            path.push(last.to_owned());
        }
        self.add(&path, line);
        if let Some(target) = self.resolve(&path) {
            self.graph
                .imports
                .entry(self.module.clone())
                .or_default()
                .insert(known_as.to_owned(), target);
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_none() {
            return;
        }
        self.module.push(item.ident.to_string());
        self.graph.modules.insert(self.module.clone());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut before = Path::new();
        // `use child::Item` names a child of this module, as `self::child::Item` does.
        if let UseTree::Path(path) = &item.tree {
            let first = path.ident.to_string();
            if !matches!(first.as_str(), "crate" | "self" | "super") {
                before.push("self".to_owned());
            }
        }
        self.add_tree(&mut before, &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(&segments, path.span().start().line);
        visit::visit_path(self, path);
    }
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether this is `#[cfg(test)]`.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|what| what.is_ident("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources = Sources(
            files
                .iter()
                .map(|(path, text)| Source {
                    path: format!("host/src/{path}"),
                    language: Language::Rust,
                    text: (*text).to_owned(),
                })
                .collect(),
        );
        let graph = Graph::read(&sources, "host").expect("parses");
        let floors = [vec!["upper".to_owned()], vec!["lower".to_owned()]];
        let circles = graph.circles().into_iter();
        circles
            .chain(graph.arrows_up(&floors))
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn a_circle_is_found_at_any_depth_and_through_imports() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod deep; pub use deep::Thing;"),
            ("a/deep.rs", "pub struct Thing; fn f() { crate::b::g() }"),
            ("b.rs", "use crate::a::Thing; pub fn g() {}"),
        ]);
        assert_eq!(
            found,
            ["circle in `crate`: a → b → a", "circle in `crate`: b → a → b"]
        );
    }

    #[test]
    fn parents_children_and_tests_make_no_circle() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "mod child; use child::X; pub struct Y; #[cfg(test)] mod tests { use crate::b::Z; }",
            ),
            ("a/child.rs", "use super::Y; pub struct X;"),
            ("b.rs", "use crate::a::Y; pub struct Z;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_arrow_up_is_found() {
        let found = findings(&[
            ("lib.rs", "mod upper; mod lower;"),
            ("upper.rs", "pub struct Up;"),
            ("lower.rs", "use crate::upper::Up;"),
        ]);
        assert_eq!(found, ["lower uses upper, which is on a floor above it"]);
    }
}
