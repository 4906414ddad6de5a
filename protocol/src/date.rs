//! ECMAScript's date-time strings (ECMA-262, "Date Time String Format").
//!
//! Dates travel as what `Date.prototype.toISOString` says, because that is what a reader of a cache
//! expects to find.

/// The largest distance from the epoch that a `Date` can hold, in milliseconds (ECMA-262, "Time
/// Values and Time Range").
pub const MAX_TIME: i64 = 8_640_000_000_000_000;

const DAY: i64 = 86_400_000;

/// Milliseconds since the epoch as `YYYY-MM-DDTHH:mm:ss.sssZ`; years outside 0–9999 get a sign and
/// six digits.
pub fn format(time: i64) -> String {
    let (year, month, day) = civil_from_days(time.div_euclid(DAY));
    let ms = time.rem_euclid(DAY);
    let clock = format!(
        "{:02}:{:02}:{:02}.{:03}",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    );
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    format!("{year}-{month:02}-{day:02}T{clock}Z")
}

/// The inverse of [`format`]; `None` for any other text.
pub fn parse(text: &str) -> Option<i64> {
    let year_digits = if text.starts_with(['+', '-']) { 7 } else { 4 };
    let year: i64 = text.get(..year_digits)?.parse().ok()?;
    let rest = text.get(year_digits..)?;
    let number = |from: usize, to: usize| rest.get(from..to)?.parse::<i64>().ok();
    let time = days_from_civil(year, number(1, 3)?, number(4, 6)?) * DAY
        + number(7, 9)? * 3_600_000
        + number(10, 12)? * 60_000
        + number(13, 15)? * 1000
        + number(16, 19)?;
    // What is out of range or out of place does not come back as the same text.
    (time.abs() <= MAX_TIME && format(time) == text).then_some(time)
}

/// Days since 1970-01-01 to year, month and day of the proleptic Gregorian calendar. The year is
/// taken to start in March, which puts the leap day last; 400 years are 146,097 days.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_what_engines_print() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (MAX_TIME, "+275760-09-13T00:00:00.000Z"),
            (-MAX_TIME, "-271821-04-20T00:00:00.000Z"),
            (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(format(time), text);
            assert_eq!(parse(text), Some(time));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00.000",
            "1970-02-30T00:00:00.000Z",
            "+275760-09-13T00:00:00.001Z",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_survives(time in -MAX_TIME..=MAX_TIME) {
            prop_assert_eq!(parse(&format(time)), Some(time));
        }

        #[test]
        fn never_panics(text: String) {
            let _answer = parse(&text);
        }
    }
}
