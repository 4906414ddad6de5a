//! Makes a failing program small: removes what the failure does not need.

use serde_json::Value;

/// The lists of a program whose elements may go.
const LISTS: [&str; 9] = [
    "steps",
    "parts",
    "list",
    "operations",
    "upgrade",
    "then",
    "otherwise",
    "writers",
    "faults",
];

/// The smallest program that the search reaches and of which `fails` still holds. Greedy: each pass
/// tries to take out every element of every list, later ones first, until a pass finds nothing
/// more.
pub fn shrink(program: &Value, mut fails: impl FnMut(&Value) -> bool) -> Value {
    let mut smallest = program.clone();
    loop {
        let mut removed = false;
        let mut places = removable(&smallest);
        while let Some(place) = places.pop() {
            let mut candidate = smallest.clone();
            if remove(&mut candidate, &place) && fails(&candidate) {
                smallest = candidate;
                removed = true;
                places = removable(&smallest)
                    .into_iter()
                    .filter(|other| *other < place)
                    .collect();
            }
        }
        if !removed {
            return smallest;
        }
    }
}

/// A place in a program, as JSON pointers of its list and the index in it.
type Place = (String, usize);

fn removable(program: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    collect(program, &mut String::new(), &mut places);
    places.sort();
    places
}

fn collect(value: &Value, pointer: &mut String, places: &mut Vec<Place>) {
    let length = pointer.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointer.push('/');
                pointer.push_str(name);
                if let (true, Value::Array(items)) = (LISTS.contains(&name.as_str()), member) {
                    places.extend((0..items.len()).map(|index| (pointer.clone(), index)));
                }
                collect(member, pointer, places);
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                collect(item, pointer, places);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

fn remove(program: &mut Value, (pointer, index): &Place) -> bool {
    match program.pointer_mut(pointer) {
        Some(Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_fails_is_left() {
        let program = json!({"steps": [
            {"list": [{"operations": [{"op": "put"}, {"op": "clear", "then": [{"op": "bad"}, {"op": "get"}]}]}]},
            {"step": "close"},
        ]});
        let small = shrink(&program, |candidate| candidate.to_string().contains("bad"));
        assert_eq!(
            small,
            json!({"steps": [{"list": [{"operations": [{"op": "clear", "then": [{"op": "bad"}]}]}]}]})
        );
    }
}
