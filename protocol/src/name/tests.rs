use super::*;
use crate::key::Key;
use proptest::prelude::*;

const NAMES: Names<'static> = Names {
    origin: "http://localhost:8080",
    bucket: "",
    database: "shop",
    store: "orders",
};

pub(super) fn default_key() -> Template {
    Template::memcached_key("idb:{origin}:{database}:{store}:{key}").expect("the default")
}

#[test]
fn templates_read_as_they_were_written() {
    assert_eq!(default_key().to_string(), "idb:{origin}:{database}:{store}:{key}");
}

#[test]
fn patterns_match_names_and_escape_what_is_literal() {
    let pattern = |text| Template::channel(text).expect(text).pattern();
    assert_eq!(pattern("idb:{origin}:{database}:{store}"), "idb:*:*:*");
    assert_eq!(
        pattern("a*?[b]^\\:{store}:{origin}:{database}"),
        r"a\*\?\[b\]\^\\:*:*:*"
    );
}

#[test]
fn names_read_as_documented() {
    assert_eq!(
        default_key().record_name(NAMES, "42"),
        "idb:http%3A//localhost%3A8080:shop:orders:42"
    );
    assert_eq!(
        default_key().record_name(NAMES, r#"[1,"a b"]"#),
        r#"idb:http%3A//localhost%3A8080:shop:orders:[1,"a%20b"]"#
    );
    let channel = Template::channel("idb:{origin}:{database}:{store}").expect("the default");
    assert_eq!(
        channel.store_name(NAMES),
        "idb:http%3A//localhost%3A8080:shop:orders"
    );
    assert_eq!(
        channel.store_name(Names { bucket: "b", ..NAMES }),
        "idb:http%3A//localhost%3A8080:shop%@b:orders"
    );
}

#[test]
fn profile_takes_its_place_in_the_template() {
    let template =
        Template::memcached_key("idb:{profile}:{origin}:{database}:{store}:{key}").expect("a template");
    assert!(template.has_profile() && !default_key().has_profile());
    let mine = template.of_profile("7d7f-11");
    assert_eq!(mine.to_string(), "idb:7d7f-11:{origin}:{database}:{store}:{key}");
    assert_eq!(
        Template::memcached_key(&mine.to_string()).expect("a template"),
        mine
    );
    let name = mine.record_name(NAMES, "42");
    assert_eq!(name, "idb:7d7f-11:http%3A//localhost%3A8080:shop:orders:42");
    assert!(mine.read(&name).is_some());
    assert_eq!(template.of_profile("7d7f-12").read(&name), None);
    assert_eq!(template.read(&name), None);
    // An id with letters that no id has does not break out of its place.
    assert_eq!(
        template.of_profile("a:b%").record_name(NAMES, "1"),
        "idb:a%3Ab%25:http%3A//localhost%3A8080:shop:orders:1"
    );
    assert_eq!(default_key().of_profile("p"), default_key());
    let error = |text| Template::memcached_key(text).expect_err(text);
    assert!(matches!(
        error("{profile}{origin}:{database}:{store}:{key}"),
        TemplateError::Separator
    ));
    assert!(matches!(
        error("{profile}:{profile}:{origin}:{database}:{store}:{key}"),
        TemplateError::Twice("profile")
    ));
    assert!(Template::channel("{profile}:{origin}:{database}:{store}").is_err());
}

#[test]
fn an_origin_s_names_have_a_beginning_in_common() {
    let name = default_key().origin_name("owner:", NAMES.origin);
    assert_eq!(
        name,
        "owner:idb:http%3A//localhost%3A8080:{database}:{store}:{key}"
    );
    assert!(default_key().origin_name("", &"a".repeat(300)).len() <= MAX_MEMCACHED_KEY);
    let long = format!("\"{}\"", "a".repeat(300));
    let may_begin = |template: &Template, origin| {
        let name = template.record_name(NAMES, &long);
        template
            .origin_prefix(origin)
            .map(|prefix| prefix.may_begin(&name))
    };
    assert_eq!(may_begin(&default_key(), NAMES.origin), Some(true));
    assert_eq!(may_begin(&default_key(), "http://localhost:808"), Some(false));
    // A name that was cut within an origin may be that of another one with the same beginning.
    let cut = |end: &str| format!("http://{}.{end}", "a".repeat(300));
    let names = Names {
        origin: &cut("example"),
        ..NAMES
    };
    let name = default_key().record_name(names, "1");
    let prefix = default_key().origin_prefix(&cut("test")).expect("a prefix");
    assert!(prefix.may_begin(&name) && !prefix.begins(&name));
    let name = default_key().record_name(NAMES, &long);
    let prefix = default_key().origin_prefix(NAMES.origin).expect("a prefix");
    assert!(prefix.begins(&name));
    let other = Template::memcached_key("{store}:{origin}:{database}:{key}").expect("a template");
    assert_eq!(may_begin(&other, NAMES.origin), None);
}

#[test]
fn long_names_end_in_a_digest() {
    let long = format!("\"{}\"", "ä".repeat(200));
    let name = default_key().record_name(NAMES, &long);
    assert!(name.len() <= MAX_MEMCACHED_KEY);
    assert_eq!(name.rsplit_once("%@").expect("a mark").1.len(), 64);
}

#[test]
fn mistakes_are_named() {
    use TemplateError::{Brace, Literal, Missing, Separator, Twice, Unknown};
    let error = |text| Template::memcached_key(text).expect_err(text);
    assert!(matches!(error("{origin}:{database}:{store}"), Missing("key")));
    assert!(matches!(error("{origin}:{database}{store}:{key}"), Separator));
    assert!(matches!(error("{origin}:{database}-{store}:{key}"), Separator));
    assert!(matches!(
        error("{origin}:{origin}:{database}:{store}:{key}"),
        Twice("origin")
    ));
    assert!(matches!(error("{origin"), Brace));
    assert!(matches!(error("}{origin}"), Brace));
    assert!(matches!(error("{shop}"), Unknown(..)));
    assert!(matches!(error("a b{key}"), Literal));
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof!["[ab:%@2A \n]{0,4}", "[a:%]{100,130}", any::<String>()]
}

prop_compose! {
    pub(super) fn record()(origin in component(), bucket in component(), database in component(), store in component(),
                key in crate::key::tests::any_key()) -> (String, String, String, String, Key) {
        (origin, bucket, database, store, key)
    }
}

fn name_of((origin, bucket, database, store, key): &(String, String, String, String, Key)) -> String {
    default_key().record_name(
        Names {
            origin,
            bucket,
            database,
            store,
        },
        &key.to_string(),
    )
}

/// Any template that is accepted: its components in any order, with any text between.
fn any_template(components: &'static [&'static str]) -> impl Strategy<Value = String> {
    let separators = prop::collection::vec("[a-z/-]{0,2}:[a-z:-]{0,2}", components.len() - 1);
    (
        Just(components).prop_map(<[_]>::to_vec).prop_shuffle(),
        separators,
        "[a-z:]{0,4}",
        "[a-z:]{0,4}",
    )
        .prop_map(|(components, separators, before, after)| {
            let mut template = before;
            for (index, component) in components.into_iter().enumerate() {
                if index > 0 {
                    template.push_str(&separators[index - 1]);
                }
                template.push_str(component);
            }
            template + &after
        })
}

fn names((origin, bucket, database, store, _): &(String, String, String, String, Key)) -> Names<'_> {
    Names {
        origin,
        bucket,
        database,
        store,
    }
}

proptest! {
    #[test]
    fn different_records_never_share_a_key(a in record(), b in record()) {
        prop_assert_eq!(name_of(&a) == name_of(&b), a == b);
    }

    #[test]
    fn nor_do_they_under_other_templates(
        a in record(),
        other in record(),
        same in prop::array::uniform5(any::<bool>()),
        template in any_template(&["{origin}", "{database}", "{store}", "{key}"]),
    ) {
        let template = Template::memcached_key(&template).expect(&template);
        // Records that differ in some of their parts only are the ones that could be taken for each
        // other.
        let pick = |index: usize, a: &String, b: &String| if same[index] { a.clone() } else { b.clone() };
        let key = if same[4] { a.4.clone() } else { other.4.clone() };
        let b = (pick(0, &a.0, &other.0), pick(1, &a.1, &other.1), pick(2, &a.2, &other.2), pick(3, &a.3, &other.3), key);
        let name = |record| template.record_name(names(record), &record.4.to_string());
        prop_assert_eq!(name(&a) == name(&b), a == b);
    }

    #[test]
    fn different_stores_never_share_a_channel(
        a in record(),
        other in record(),
        same in prop::array::uniform4(any::<bool>()),
        template in any_template(&["{origin}", "{database}", "{store}"]),
    ) {
        let template = Template::channel(&template).expect(&template);
        let pick = |index: usize, a: &String, b: &String| if same[index] { a.clone() } else { b.clone() };
        let b = (pick(0, &a.0, &other.0), pick(1, &a.1, &other.1), pick(2, &a.2, &other.2), pick(3, &a.3, &other.3), a.4.clone());
        prop_assert_eq!(template.store_name(names(&a)) == template.store_name(names(&b)), a == b);
    }

    #[test]
    fn moving_a_boundary_changes_the_name(text in "[ab:%]{1,6}", cut_a in 0_usize..6, cut_b in 0_usize..6) {
        let split = |cut: usize| {
            let cut = cut.min(text.len());
            (String::new(), String::new(), text[..cut].to_owned(), text[cut..].to_owned(), Key::Number(1.0))
        };
        prop_assert_eq!(name_of(&split(cut_a)) == name_of(&split(cut_b)), cut_a.min(text.len()) == cut_b.min(text.len()));
    }

    #[test]
    fn every_name_is_a_memcached_key(record in record()) {
        let name = name_of(&record);
        prop_assert!(name.len() <= MAX_MEMCACHED_KEY);
        prop_assert!(!name.contains(|char: char| char.is_whitespace() || char.is_control()));
    }

    #[test]
    fn components_round_trip(text: String) {
        let mut encoded = String::new();
        encode(&text, &mut encoded);
        prop_assert_eq!(decode(&encoded), Some(Cow::Borrowed(text.as_str())));
    }

    #[test]
    fn the_prefix_says_the_same(record in record()) {
        let (origin, bucket, database, store, key) = &record;
        let prefix = default_key().prefix(Names { origin, bucket, database, store }).expect("the key comes last");
        prop_assert_eq!(prefix.record_name(&key.to_string()), name_of(&record));
    }
}
