//! Durations in JavaScript: constants whose comments say that they are milliseconds or seconds, and
//! waits for a number or for a constant of the same file.

use super::Finding;

/// The functions that wait: their last argument says how long.
const WAITS: [&str; 3] = ["after", "timeout", "setTimeout"];

/// How a comment names what a constant counts.
const UNITS: [&str; 4] = [
    "many milliseconds",
    "in milliseconds",
    "many seconds",
    "in seconds",
];

pub(super) fn find_in(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |line: usize, message: String| {
        findings.push(Finding {
            file: path.to_owned(),
            line: line + 1,
            message,
        });
    };
    let mut comment = String::new();
    let mut constants = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = number_named(line) {
            constants.push(name);
            // One comment may be about several constants in a row.
            if UNITS.iter().any(|unit| comment.contains(unit)) {
                add(number, format!("`{name}` is a duration"));
            }
        } else if is_comment(line) {
            if line.starts_with("/**") || line.starts_with("//") {
                comment.clear();
            }
            comment.push_str(line.trim_start_matches(['/', '*', ' ']));
            comment.push(' ');
        } else {
            comment.clear();
        }
    }
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
        for argument in WAITS.iter().flat_map(|wait| arguments(line, wait)) {
            let mut words = argument.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            let is_number = |word: &str| word.starts_with(|letter: char| letter.is_ascii_digit());
            if words.any(|word| is_number(word) || constants.contains(&word)) {
                add(number, format!("a wait for `{argument}`"));
            }
        }
    }
    findings
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with("/*") || line.starts_with('*')
}

/// The name of a constant at the top of a file that is a number.
fn number_named(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.strip_prefix("const ")?.split_once(" = ")?;
    value
        .starts_with(|letter: char| letter.is_ascii_digit())
        .then_some(name)
}

/// What stands in the brackets of each call of this function in a line.
fn arguments<'a>(line: &'a str, function: &str) -> Vec<&'a str> {
    let call = format!("{function}(");
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once(&call) {
        rest = behind;
        // Another function may have a name with the same end.
        if before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let mut depth = 1_u32;
        let end = behind.find(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        found.push(&behind[..end.unwrap_or(behind.len())]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> Vec<usize> {
        let found = find_in("a.js", text);
        found.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn constant_is_duration_when_its_comment_says_so() {
        let text = "/** How many milliseconds pass, the first time and at most. */\n\
                    const FIRST = 100;\n\
                    export const LAST = 10_000;\n\
                    /**\n\
                     * How many\n\
                     * seconds.\n\
                     */\n\
                    const OTHER = 1;\n\
                    /** How many bytes. */\n\
                    const BYTES = 5;\n\
                    /** @param {number} milliseconds */\n\
                    const after = (milliseconds) => wait(milliseconds);\n";
        assert_eq!(lines_of(text), [2, 3, 8]);
    }

    #[test]
    fn wait_is_found_when_its_length_is_of_this_file() {
        let text = "import { DELAY } from \"./timing.js\";\n\
                    const PAUSE = 10;\n\
                    await after(PAUSE);\n\
                    await this.#after(Math.min(delay * DELAY, 5));\n\
                    await after(DELAY);\n\
                    await this.#after(this.#delay).then(() => open(1));\n\
                    hereafter(5);\n\
                    // after(5)\n";
        assert_eq!(lines_of(text), [3, 4]);
    }
}
