//! Upgrades: a store may have several names in one, and rules name stores.

use super::*;

/// A rule for one store.
fn rule_for(store: &str, fields: &[&str], how: How) -> Rule {
    Rule {
        store: store.to_owned(),
        ..rule(fields, how)
    }
}

fn upgrade(rules: &[Rule], key_paths: &str, operations: &[String]) -> String {
    let redaction = Redaction::new(rules, &SECRET).expect("rules");
    let body = format!(
        r#"{{"commit":{{"database":"d","version":2,"began_at":1,"committed_at":2,"key_paths":{{{key_paths}}},"operations":[{}]}}}}"#,
        operations.join(",")
    );
    redaction.body(ORIGIN, &body).into_owned()
}

fn schema(store: &str, change: &str) -> String {
    format!(r#"{{"schema":{{"store":"{store}","change":{change}}}}}"#)
}

fn create(store: &str) -> String {
    schema(
        store,
        r#"{"create_store":{"key_path":null,"auto_increment":false}}"#,
    )
}

fn delete(store: &str) -> String {
    schema(store, r#"{"delete_store":{}}"#)
}

fn rename(store: &str, to: &str) -> String {
    schema(store, &format!(r#"{{"rename_store":{{"to":"{to}"}}}}"#))
}

fn put(store: &str) -> String {
    format!(r#"{{"put":{{"store":"{store}","key":1,"value":{{"password":"PASSWORD","name":"NAME"}}}}}}"#)
}

fn users() -> [Rule; 1] {
    [rule_for("users", &["/password"], How::Mask)]
}

#[test]
fn usual_migration_is_redacted_under_each_name() {
    let operations = [
        create("users_new"),
        put("users_new"),
        delete("users"),
        rename("users_new", "users"),
        put("users"),
    ];
    let redacted = upgrade(&users(), "", &operations);
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    assert_eq!(redacted.matches("NAME").count(), 2);
    // All that stands under the new name was redacted by its rule: the records can move.
    assert!(redacted.contains(&rename("users_new", "users")), "{redacted}");
}

#[test]
fn rename_into_a_ruled_name_is_delete_and_read() {
    let operations = [
        put("people"),
        delete("users"),
        rename("people", "users"),
        put("users"),
    ];
    let redacted = upgrade(&users(), "", &operations);
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    assert!(!redacted.contains("rename_store"), "{redacted}");
    assert!(redacted.contains(&delete("people")), "{redacted}");
    assert!(
        redacted.ends_with(r#",{"delete_unknown":{"store":"users"}}]}}"#),
        "{redacted}"
    );
}

/// Whether a redacted upgrade still has a rename.
fn has_rename(redacted: &str, store: &str, to: &str) -> bool {
    redacted.contains(&rename(store, to))
}

#[test]
fn rename_out_of_a_ruled_name_and_back_keeps_the_record_redacted() {
    let operations = [
        put("users"),
        rename("users", "old"),
        put("old"),
        rename("old", "users"),
        put("users"),
    ];
    let redacted = upgrade(&users(), "", &operations);
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    // The records were redacted by the same rule before.
    assert!(has_rename(&redacted, "users", "old") && has_rename(&redacted, "old", "users"));

    // Out in one upgrade, and back in another.
    let redacted = upgrade(&users(), "", &[rename("users", "old"), put("old")]);
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    assert!(
        redacted.contains(r#"{"delete_unknown":{"store":"old"}}"#),
        "{redacted}"
    );
    let redacted = upgrade(&users(), "", &[rename("old", "users")]);
    assert!(!has_rename(&redacted, "old", "users"), "{redacted}");
    assert!(
        redacted.contains(r#"{"delete_unknown":{"store":"users"}}"#),
        "{redacted}"
    );
}

#[test]
fn each_of_several_renames_counts() {
    let operations = [
        create("a"),
        put("a"),
        rename("a", "users"),
        rename("users", "c"),
        put("c"),
        create("users"),
        put("users"),
        delete("users"),
    ];
    let redacted = upgrade(&users(), "", &operations);
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    assert!(!redacted.contains("rename_store"), "{redacted}");
    assert!(
        redacted.ends_with(r#",{"delete_unknown":{"store":"c"}}]}}"#),
        "{redacted}"
    );

    // Stores that exchange their names, of which one is ruled.
    let operations = [
        rename("users", "x"),
        rename("people", "users"),
        rename("x", "people"),
        put("people"),
        put("users"),
    ];
    let redacted = upgrade(&users(), "", &operations);
    assert!(
        !redacted.contains("PASSWORD") && !redacted.contains("rename_store"),
        "{redacted}"
    );
    for store in ["users", "people"] {
        assert!(redacted.contains(&format!(r#"{{"delete_unknown":{{"store":"{store}"}}}}"#)));
    }

    // One that is gone in the end is not read.
    let redacted = upgrade(&users(), "", &[rename("people", "users"), delete("users")]);
    assert_eq!(redacted.matches("delete_store").count(), 2, "{redacted}");
    assert!(!redacted.contains("delete_unknown"), "{redacted}");
}

#[test]
fn rename_is_reported_where_the_same_rules_hold() {
    let of_database = Rule {
        database: "d".into(),
        ..rule(&["/password", "@key"], How::Hash)
    };
    let redacted = upgrade(
        &[of_database],
        "",
        &[put("people"), rename("people", "users"), put("users")],
    );
    assert!(!redacted.contains("PASSWORD"), "{redacted}");
    assert!(has_rename(&redacted, "people", "users") && !redacted.contains("delete_unknown"));
    // The rule of another store does not count.
    let redacted = upgrade(&users(), "", &[put("a"), rename("a", "b")]);
    assert!(has_rename(&redacted, "a", "b") && redacted.contains("PASSWORD"));
}

#[test]
fn keys_are_hashed_alike_under_each_name() {
    let rules = [rule_for("users", &["/mail"], How::Hash)];
    let record =
        |store: &str| format!(r#"{{"put":{{"store":"{store}","key":"ann","value":{{"mail":"ann"}}}}}}"#);
    let made = schema(
        "users_new",
        r#"{"create_store":{"key_path":"mail","auto_increment":false}}"#,
    );
    let operations = [
        made,
        record("users_new"),
        delete("users"),
        rename("users_new", "users"),
        r#"{"delete":{"store":"users","key":"ann"}}"#.to_owned(),
    ];
    // The key path under the name is the deleted store's.
    let redacted = upgrade(&rules, r#""users":"id""#, &operations);
    assert!(!redacted.contains("ann"), "{redacted}");
    assert!(has_rename(&redacted, "users_new", "users"));
    let redaction = Redaction::new(&rules, &SECRET).expect("rules");
    let key = redaction.key(store("d", "users", Some(&path("\"mail\""))), "\"ann\"");
    let key = key.expect("a key").expect("redacted");
    assert_eq!(redacted.matches(&key).count(), 3, "{redacted}");
}

#[test]
fn store_that_came_to_its_name_unseen_is_read_again() {
    // The hook leaves names with lone surrogates out: a rename from one is not reported.
    let operations = [delete("users"), put("users")];
    assert_eq!(upgrade(&users(), "", &operations), r#"{"commit":null}"#);
    let operations = [delete("people"), put("people")];
    assert!(upgrade(&users(), "", &operations).contains("PASSWORD"));
}

proptest! {
    /// Any upgrade: nothing leaves of a store that has the ruled name at any time, and no
    /// unredacted record moves to that name.
    #[test]
    fn nothing_leaves_under_a_ruled_name(steps in prop::collection::vec((0..4_u8, 0..3_usize, 0..3_usize), 0..12)) {
        let names = ["users", "a", "b"];
        // Which store each name is, and what is known of each store: whether it ever was `users`.
        let mut stores: Vec<bool> = vec![true, false];
        let mut now: [Option<usize>; 3] = [Some(0), Some(1), None];
        let mut operations = Vec::new();
        let mut put_into = Vec::new();
        for (kind, from, to) in steps {
            match (kind, now[from]) {
                (0, None) => {
                    stores.push(from == 0);
                    now[from] = Some(stores.len() - 1);
                    operations.push(create(names[from]));
                }
                (1, Some(_)) => {
                    now[from] = None;
                    operations.push(delete(names[from]));
                }
                (2, Some(index)) if now[to].is_none() => {
                    now[from] = None;
                    now[to] = Some(index);
                    stores[index] |= to == 0;
                    operations.push(rename(names[from], names[to]));
                }
                (3, Some(index)) => {
                    put_into.push(index);
                    operations.push(put(names[from]));
                }
                _ => {}
            }
        }
        let redacted = upgrade(&users(), "", &operations);
        let kept: Vec<bool> = redacted.split(r#""put""#).skip(1).map(|put| put.contains("PASSWORD")).collect();
        let expected: Vec<bool> = put_into.iter().map(|index| !stores[*index]).collect();
        prop_assert_eq!(kept, expected, "{}", redacted);
        // Store 1 stands there unredacted from before.
        if now[0] == Some(1) {
            prop_assert!(redacted.contains(r#"{"delete_unknown":{"store":"users"}}"#), "{}", redacted);
        }
    }
}
