use super::*;

fn sender(origin: &'static str, frame: i64) -> Sender {
    Sender {
        page: Page {
            origin: origin.into(),
            tab: 1,
            frame,
        },
        incognito: false,
        container: String::new(),
        top: None,
        inactive: false,
    }
}

#[test]
fn the_reader_is_the_welcome_bridge_of_the_origin_that_spoke_last() {
    let mut bridges = Bridges::default();
    for (port, origin) in [(1, "http://a"), (2, "http://a"), (3, "http://b"), (4, "http://a")] {
        bridges.open(port, sender(origin, 0));
        bridges.note_message(port);
        bridges.introduce(port, &format!("c{port}"), false, false);
    }
    assert_eq!(bridges.reader_of("http://a", &[]), None);
    for (port, bridge) in bridges.introduced() {
        if port != 4 {
            bridge.standing = Standing::Welcome;
        }
    }
    assert_eq!(bridges.reader_of("http://a", &[]), Some(2));
    bridges.note_message(1);
    assert_eq!(bridges.reader_of("http://a", &[]), Some(1));
    assert_eq!(bridges.reader_of("http://a", &[1]), Some(2));
    bridges.close(1);
    assert_eq!(bridges.reader_of("http://a", &[]), Some(2));
    bridges.note_message(2).expect("open").leaving = true;
    assert_eq!(bridges.reader_of("http://a", &[]), None);
    assert_eq!(bridges.ports_of("c3").collect::<Vec<_>>(), [3]);
}
#[test]
fn page_in_a_tab_is_asked_what_there_is_rather_than_a_frame() {
    let mut bridges = Bridges::default();
    for (port, frame) in [(1, 0), (2, 5)] {
        bridges.open(port, sender("http://a", frame));
        bridges.note_message(port).expect("open").standing = Standing::Welcome;
    }
    assert_eq!(bridges.reader_of("http://a", &[]), Some(2));
    assert_eq!(bridges.surveyor_of("http://a", &[], None), Some(1));
    assert_eq!(bridges.surveyor_of("http://a", &[], Some(1)), Some(1));
    assert_eq!(bridges.surveyor_of("http://a", &[1], None), Some(2));
    bridges.close(1);
    assert_eq!(bridges.surveyor_of("http://a", &[], None), Some(2));
}

#[test]
fn document_is_not_charged_with_what_the_one_before_it_was_refused_for() {
    let mut bridges = Bridges::default();
    let problem = problems::not_captured("http://a");
    bridges.open(1, sender("http://a", 0));
    bridges.note_message(1).expect("open").refused = Some(Refusal {
        problem: problem.clone(),
        lasting: false,
    });
    // The tab shows another page, of which another process tells: the end of the port before
    // comes later.
    bridges.open(2, sender("http://b", 0));
    bridges.introduce(2, "next", false, false);
    bridges.close(1);
    let documents = bridges.documents(Some(1));
    let origins: Vec<_> = documents.iter().map(|document| &*document.origin).collect();
    assert_eq!(origins, ["http://b"]);
    assert!(!bridges.note_cut_off(&sender("http://a", 0), problem));
    assert_eq!(bridges.documents(Some(1)), documents);
}

#[test]
fn frames_that_were_turned_away_go_with_their_page() {
    let mut bridges = Bridges::default();
    let refuse = |bridges: &mut Bridges, port: u32, frame: i64| {
        bridges.open(port, sender("http://a", frame));
        bridges.note_message(port).expect("open").refused = Some(Refusal {
            problem: problems::ephemeral("http://a"),
            lasting: true,
        });
        bridges.close(port);
    };
    let frames = |bridges: &Bridges| -> Vec<i64> {
        let documents = bridges.documents(Some(1));
        let refused = documents.iter().filter(|document| document.refused.is_some());
        refused.map(|document| document.frame).collect()
    };
    // A frame may be known before its page has introduced itself.
    refuse(&mut bridges, 1, 5);
    bridges.open(2, sender("http://a", 0));
    bridges.introduce(2, "page", false, false);
    refuse(&mut bridges, 3, 6);
    assert_eq!(frames(&bridges), [5, 6]);
    // Its port broke.
    bridges.close(2);
    bridges.open(4, sender("http://a", 0));
    bridges.introduce(4, "page", false, false);
    assert_eq!(frames(&bridges), [5, 6]);
    // What stays turned away is not promised anything.
    bridges.reconsider(|_| true);
    let documents = bridges.documents(Some(1));
    assert!(documents.iter().all(|document| {
        document
            .refused
            .as_ref()
            .is_none_or(|remark| !remark.fix.contains("reload"))
    }));
    bridges.close(4);
    bridges.open(5, sender("http://a", 0));
    bridges.introduce(5, "another page", false, false);
    assert!(frames(&bridges).is_empty());
}
