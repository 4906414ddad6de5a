//! Numbers as JavaScript reads and writes them (ECMA-262, `StringToNumber` and `Number::toString`).
//!
//! In the browser its own engine is asked: what these need to be exact would be a tenth of the
//! extension's code.

/// The number that a JSON literal stands for; one that is too large is infinite.
pub fn parse(literal: &str) -> f64 {
    match literal.parse::<u32>() {
        Ok(whole) => f64::from(whole),
        Err(_) => platform::parse(literal),
    }
}

/// The shortest text that is read as this number again. It is finite.
pub fn write(number: f64, out: &mut String) {
    platform::write(number, out);
}

/// The same, as a text of its own.
pub fn text(number: f64) -> String {
    let mut text = String::new();
    write(number, &mut text);
    text
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use js_sys::Number;

    pub fn parse(literal: &str) -> f64 {
        Number::parse_float(literal)
    }

    pub fn write(number: f64, out: &mut String) {
        // Nothing but a wrong base fails.
        if let Ok(text) = Number::from(number).to_string_with_radix(10) {
            out.push_str(&String::from(text));
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    pub fn parse(literal: &str) -> f64 {
        literal.parse().unwrap_or(f64::NAN)
    }

    pub fn write(number: f64, out: &mut String) {
        out.push_str(ryu_js::Buffer::new().format(number));
    }
}
