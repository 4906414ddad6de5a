//! What a script in the page's own world must not do once the page's scripts may have run: ask for
//! what the page can replace.
//!
//! Code is *set-up* code if it runs while the script does: everything outside of functions, and
//! functions that only set-up code calls. All other functions run *later*. These may use bindings
//! of the script, and nothing else:
//!
//! - no globals, nor members of the global object;
//! - no methods of objects, except for maps that carry their own (`sealedOff`);
//! - no syntax that asks an object for how it is iterated, matched, awaited or tested.

use std::collections::HashSet;

use anyhow::{Result, bail};
use oxc::{
    allocator::Allocator,
    ast::{
        AstKind,
        ast::{BindingPattern, Expression},
    },
    parser::Parser,
    semantic::{AstNodes, NodeId, Scoping, SemanticBuilder, SymbolId},
    span::{GetSpan as _, SourceType, Span},
};

/// The names that always have the same meaning.
const CONSTANT: [&str; 2] = ["undefined", "arguments"];

/// Refuses a script, not minified yet and wrapped into one function, that breaks the rule.
pub fn check(script: &str) -> Result<()> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, script, SourceType::default().with_script(true)).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("the page scripts do not parse: {error}");
    }
    let (scoping, nodes) = SemanticBuilder::new()
        .build(&parsed.program)
        .semantic
        .into_scoping_and_nodes();
    let lint = Lint::new(&scoping, &nodes);
    for node in nodes.iter() {
        if !lint.runs_later(node.id()) {
            continue;
        }
        if let Some(fault) = lint.fault(node.kind()) {
            bail!(
                "{fault} in a function of a page script that runs when the page may have replaced it: {}",
                line_of(script, node.kind().span())
            );
        }
    }
    Ok(())
}

struct Lint<'l, 'a> {
    scoping: &'l Scoping,
    nodes: &'l AstNodes<'a>,
    /// Functions that run while the script does.
    set_up: HashSet<NodeId>,
    /// Variables that are the global object.
    globals: HashSet<SymbolId>,
    /// Variables that are maps with methods of their own.
    sealed: HashSet<SymbolId>,
}

impl<'l, 'a> Lint<'l, 'a> {
    fn new(scoping: &'l Scoping, nodes: &'l AstNodes<'a>) -> Self {
        let mut lint = Self {
            scoping,
            nodes,
            set_up: HashSet::new(),
            globals: HashSet::new(),
            sealed: HashSet::new(),
        };
        let mut named = Vec::new();
        for node in nodes.iter() {
            match node.kind() {
                AstKind::VariableDeclarator(declarator) => {
                    let BindingPattern::BindingIdentifier(name) = &declarator.id else {
                        continue;
                    };
                    let symbol = name.symbol_id();
                    match declarator.init.as_ref().map(Expression::without_parentheses) {
                        Some(Expression::Identifier(value)) if value.name == "globalThis" => {
                            lint.globals.insert(symbol);
                        }
                        Some(Expression::CallExpression(call)) if call.callee.is_specific_id("sealedOff") => {
                            lint.sealed.insert(symbol);
                        }
                        _ => {}
                    }
                }
                AstKind::ArrowFunctionExpression(_) => {
                    if let AstKind::VariableDeclarator(declarator) = nodes.parent_kind(node.id())
                        && let BindingPattern::BindingIdentifier(name) = &declarator.id
                    {
                        named.push((name.symbol_id(), node.id()));
                    }
                }
                AstKind::Function(function) => {
                    if let Some(name) = &function.id {
                        named.push((name.symbol_id(), node.id()));
                    }
                }
                _ => {}
            }
            // The function that the whole script is.
            if is_function(node.kind()) && lint.function_around(node.id()).is_none() {
                lint.set_up.insert(node.id());
            }
        }
        // What only set-up code calls is set-up code, too.
        loop {
            let before = lint.set_up.len();
            for (symbol, function) in &named {
                let references = scoping.get_resolved_reference_ids(*symbol);
                let only_called = !references.is_empty()
                    && references.iter().all(|reference| {
                        let name = scoping.get_reference(*reference).node_id();
                        lint.is_callee(name) && !lint.runs_later(name)
                    });
                if only_called {
                    lint.set_up.insert(*function);
                }
            }
            for node in nodes.iter() {
                if is_function(node.kind()) && lint.is_callback(node.id()) && !lint.runs_later(node.id()) {
                    lint.set_up.insert(node.id());
                }
            }
            if lint.set_up.len() == before {
                return lint;
            }
        }
    }

    /// The innermost function around a node, itself not counted.
    fn function_around(&self, node: NodeId) -> Option<NodeId> {
        self.nodes
            .ancestor_ids(node)
            .find(|ancestor| is_function(self.nodes.kind(*ancestor)))
    }

    fn runs_later(&self, node: NodeId) -> bool {
        self.function_around(node)
            .is_some_and(|function| !self.set_up.contains(&function))
    }

    fn is_callee(&self, node: NodeId) -> bool {
        match self.nodes.parent_kind(node) {
            AstKind::CallExpression(call) => call.callee.span() == self.nodes.kind(node).span(),
            _ => false,
        }
    }

    /// Whether a function is an argument of a method: of an array, which calls it at once.
    fn is_callback(&self, function: NodeId) -> bool {
        match self.nodes.parent_kind(function) {
            AstKind::CallExpression(call) => {
                call.callee.is_member_expression() && call.callee.span() != self.nodes.kind(function).span()
            }
            _ => false,
        }
    }

    /// The variable that an expression is, if it is one.
    fn variable(&self, expression: &Expression<'a>) -> Option<SymbolId> {
        match expression.without_parentheses() {
            Expression::Identifier(name) => self.scoping.get_reference(name.reference_id()).symbol_id(),
            _ => None,
        }
    }

    /// What is wrong with a node in a function that runs later.
    fn fault(&self, kind: AstKind<'a>) -> Option<String> {
        match kind {
            AstKind::IdentifierReference(name) => {
                match self.scoping.get_reference(name.reference_id()).symbol_id() {
                    None if CONSTANT.contains(&name.name.as_str()) => None,
                    None => Some(format!("the global {}", name.name)),
                    Some(symbol) => self
                        .globals
                        .contains(&symbol)
                        .then(|| "a member of the global object".to_owned()),
                }
            }
            AstKind::CallExpression(call) if call.callee.is_member_expression() => {
                let callee = call.callee.as_member_expression()?;
                let carries_own = self
                    .variable(callee.object())
                    .is_some_and(|symbol| self.sealed.contains(&symbol));
                (!carries_own).then(|| "a method call".to_owned())
            }
            AstKind::Function(function) if function.r#async || function.generator => {
                Some("an asynchronous function or a generator".to_owned())
            }
            AstKind::BinaryExpression(test) if test.operator.as_str() == "instanceof" => {
                Some("instanceof".to_owned())
            }
            AstKind::ForOfStatement(_) | AstKind::ForInStatement(_) => Some("an iteration".to_owned()),
            AstKind::SpreadElement(_) | AstKind::BindingRestElement(_) => {
                Some("a spread or a rest".to_owned())
            }
            AstKind::ArrayPattern(_) | AstKind::ArrayAssignmentTarget(_) => {
                Some("the destructuring of an array".to_owned())
            }
            AstKind::AwaitExpression(_) | AstKind::YieldExpression(_) => {
                Some("an await or a yield".to_owned())
            }
            AstKind::RegExpLiteral(_) => Some("a regular expression".to_owned()),
            AstKind::TaggedTemplateExpression(_) => Some("a tagged template".to_owned()),
            AstKind::Class(_) => Some("a class".to_owned()),
            _ => None,
        }
    }
}

fn is_function(kind: AstKind<'_>) -> bool {
    matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_))
}

/// The line of the script where something stands.
fn line_of(script: &str, span: Span) -> String {
    let at = usize::try_from(span.start).unwrap_or_default();
    let from = script[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = script[from..].lines().next().unwrap_or_default();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(script: &str) -> String {
        match check(&format!("(() => {{\n{script}\n}})();")) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn set_up_code_may_use_everything() {
        let script = "const { keys } = Object;
            const map = sealedOff(new Map());
            function sealedOff(object) { for (const name of keys(object)) use(name); return object; }
            const use = (name) => console.log(...name);
            [1, 2].map((number) => String(number)).forEach(use2);
            function use2() { return map.get(keys(undefined)); }";
        assert_eq!(fault(script), "");
    }

    #[test]
    fn globals_are_refused_in_what_runs_later() {
        let script = "hook(() => helper());
            function helper() { return Object; }
            function hook(action) { window.listener = action; }";
        assert!(
            fault(script).starts_with("the global Object"),
            "{}",
            fault(script)
        );
        assert_eq!(
            fault(&script.replace("hook(() => helper())", "hook(helper())")),
            ""
        );
    }

    #[test]
    fn another_name_of_the_global_object_helps_nothing() {
        let script = "const scope = /** @type {any} */ (globalThis); export_(() => scope.Map);
            function export_(action) { window.listener = action; }";
        assert!(fault(script).starts_with("a member of the global object"));
    }

    #[test]
    fn syntax_that_asks_objects_is_refused_in_what_runs_later() {
        for body in [
            "given.push(1)",
            "for (const x of given) f(x)",
            "f(...given)",
            "const [x] = given; f(x)",
            "/x/",
            "given instanceof f",
            "class X {}",
        ] {
            let script = format!("const f = sealed; f(function (given) {{ {body}; }});");
            assert!(
                fault(&script).contains("runs when the page may have replaced it"),
                "{body}: {}",
                fault(&script)
            );
        }
    }
}
