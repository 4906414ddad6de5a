use super::*;

fn entry(context: &str, sequence: u64, length: usize) -> Entry {
    Entry {
        context: context.into(),
        page: Page {
            origin: format!("http://{context}").into(),
            tab: 1,
            frame: 0,
        },
        may_overtake: false,
        sequence,
        content: Content::Parts(vec![" ".repeat(length)]),
    }
}

fn drained(outbox: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| {
        let entry = outbox.next_to_send()?;
        Some(format!("{}{}", entry.context, entry.sequence))
    })
    .collect()
}

#[test]
fn entries_go_out_in_order_once_and_again_after_a_rewind() {
    let mut outbox = Outbox::default();
    for (context, sequence) in [("a", 1), ("b", 1), ("a", 2), ("a", 1), ("a", 2)] {
        outbox.push(entry(context, sequence, 0));
    }
    assert_eq!(drained(&mut outbox), ["a1", "b1", "a2"]);
    outbox.acknowledge("a", 1);
    outbox.acknowledge("unknown", 7);
    outbox.rewind();
    assert_eq!(drained(&mut outbox), ["b1", "a2"]);
    outbox.acknowledge("a", 2);
    outbox.acknowledge("b", 9);
    outbox.rewind();
    assert!(drained(&mut outbox).is_empty());
    assert_eq!((outbox.lanes.len(), outbox.bytes), (0, 0));
    assert!(outbox.contexts.is_empty());
}

#[test]
fn what_is_not_allowed_goes_even_if_it_was_on_its_way() {
    let mut outbox = Outbox::default();
    for (context, sequence) in [("a", 1), ("b", 1), ("a", 2)] {
        outbox.push(entry(context, sequence, 0));
    }
    drained(&mut outbox);
    outbox.retain(|origin| origin == "http://b");
    outbox.rewind();
    assert_eq!(drained(&mut outbox), ["b1"]);
}

#[test]
fn what_is_on_its_way_is_bounded_but_a_large_delivery_travels_alone() {
    let mut outbox = Outbox::default();
    outbox.push(entry("a", 1, HOST_WINDOW * 2));
    outbox.push(entry("a", 2, HOST_WINDOW / 2));
    outbox.push(entry("b", 1, HOST_WINDOW));
    outbox.push(entry("a", 3, HOST_WINDOW));
    // Neither origin waits for the other one.
    assert_eq!(drained(&mut outbox), ["a1", "b1"]);
    outbox.acknowledge("a", 1);
    assert_eq!(drained(&mut outbox), ["a2"]);
    outbox.acknowledge("b", 1);
    assert_eq!(drained(&mut outbox), [""; 0]);
    outbox.acknowledge("a", 2);
    assert_eq!(drained(&mut outbox), ["a3"]);
    outbox.forget("a");
    assert_eq!((outbox.lanes.len(), outbox.bytes), (0, 0));
}

#[test]
fn few_short_deliveries_of_an_origin_stand_before_anothers() {
    let mut outbox = Outbox::default();
    for sequence in 1..=20_000 {
        outbox.push(entry("a", sequence, 10));
    }
    assert_eq!(drained(&mut outbox).len(), 256);
    outbox.push(entry("b", 1, 10));
    assert_eq!(drained(&mut outbox), ["b1"]);
    outbox.acknowledge("a", 100);
    let next = drained(&mut outbox);
    assert_eq!((next.len(), &*next[0], &*next[99]), (100, "a257", "a356"));
    outbox.forget("a");
    outbox.forget("b");
    let in_flight: usize = outbox.lanes.values().map(|lane| lane.in_flight).sum();
    assert_eq!((in_flight, outbox.bytes), (0, 0));
}

fn commit(context: &str, sequence: u64, store: &str) -> Entry {
    let body = format!(
        r#"{{"commit":{{"bucket":"","database":"d","operations":[{{"put":{{"store":"{store}","key":1,"value":2}}}},{{"clear":{{"store":"{store}"}}}}]}}}}"#
    );
    let mut entry = entry(context, sequence, 0);
    entry.page.origin = "http://o".into();
    entry.content = Content::Parts(vec![body[..30].to_owned(), body[30..].to_owned()]);
    entry
}

fn content(entry: &Entry) -> String {
    match &entry.content {
        Content::Whole(body) => body.get().to_owned(),
        Content::Parts(parts) => parts.concat(),
    }
}

#[test]
fn one_gap_for_each_origin_names_the_stores_of_closed_documents() {
    let mut outbox = Outbox::default();
    for (context, sequence, store) in [
        ("old", 4, "s"),
        ("old", 5, "t"),
        ("open", 1, "u"),
        ("older", 1, "v\\\""),
    ] {
        outbox.push(commit(context, sequence, store));
    }
    outbox.push(entry("other", 1, 10));
    outbox.shrink("http://o", usize::MAX, |_| false);
    assert_eq!(outbox.len(), 5);
    for origin in ["http://o", "http://other"] {
        outbox.shrink(origin, 0, |context| context == "open");
    }
    let found: Vec<(String, u64, String)> = std::iter::from_fn(|| {
        let entry = outbox.next_to_send()?;
        Some((entry.context.clone(), entry.sequence, content(entry)))
    })
    .collect();
    let gap = |stores: &str| {
        format!(
            r#"{{"gap":{{"reason":"the host did not keep up, or was away for too long","stores":[{stores}]}}}}"#
        )
    };
    let store = |name: &str| format!(r#"{{"bucket":"","database":"d","store":"{name}"}}"#);
    let stores = [store("s"), store("t"), store("v\\\"")].join(",");
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], ("old".to_owned(), 4, gap(&stores)));
    assert_eq!((found[1].0.as_str(), found[1].1), ("open", 1));
    assert_eq!(found[2], ("other".to_owned(), 1, gap("")));
    // What is on its way stays what it is: another one follows.
    outbox.push(commit("old", 6, "w"));
    outbox.shrink("http://o", 0, |context| context == "open");
    assert_eq!(outbox.next_to_send().map(content), Some(gap(&store("w"))));
    for context in ["old", "open", "other"] {
        outbox.acknowledge(context, 9);
    }
    assert_eq!((outbox.lanes.len(), outbox.bytes, outbox.lost.len()), (0, 0, 0));
}
