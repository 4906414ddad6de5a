//! Chromium's native look of the functions that the hook puts in the place of native ones.
//!
//! V8 keeps the distance between a function's name and its parameters in 16 bits. Where it does not
//! fit, V8 has no source text of the function: `Function.prototype.toString`, of any window, prints
//! `function put() { [native code] }` as it does for native ones
//! (`SharedFunctionInfo::function_token_position`). So the build puts that many spaces there: 1.1
//! MB in all, 2.7 KB compressed. Skipping them takes V8 about a millisecond.

use anyhow::{Result, ensure};
use oxc::{
    allocator::Allocator,
    ast::{AstKind, ast::PropertyKind},
    parser::Parser,
    semantic::SemanticBuilder,
    span::{GetSpan as _, SourceType},
};

/// One more than the longest distance that V8 keeps.
const DISTANCE: usize = 1 << 16;

/// The script with spaces behind the name of each method and each accessor.
pub fn padded(script: &str) -> Result<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, script, SourceType::default().with_script(true)).parse();
    ensure!(
        parsed.errors.is_empty(),
        "the minified page script does not parse"
    );
    let semantic = SemanticBuilder::new().build(&parsed.program).semantic;
    let mut ends: Vec<usize> = semantic
        .nodes()
        .iter()
        .filter_map(|node| match node.kind() {
            AstKind::ObjectProperty(property)
                if !property.computed && (property.method || property.kind != PropertyKind::Init) =>
            {
                usize::try_from(property.key.span().end).ok()
            }
            _ => None,
        })
        .collect();
    ends.sort_unstable();
    let spaces = " ".repeat(DISTANCE);
    let mut padded = String::with_capacity(script.len() + ends.len() * DISTANCE);
    let mut from = 0;
    for end in ends {
        padded.push_str(&script[from..end]);
        padded.push_str(&spaces);
        from = end;
    }
    padded.push_str(&script[from..]);
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_methods_and_accessors_are_padded() -> Result<()> {
        let text =
            padded("const a={put(x){},set name(y){},get key(){return 1},b:()=>a.put(1),c:function(){}};")?;
        let short = text.replace(&" ".repeat(DISTANCE), "…");
        assert_eq!(
            short,
            "const a={put…(x){},set name…(y){},get key…(){return 1},b:()=>a.put(1),c:function(){}};"
        );
        Ok(())
    }
}
