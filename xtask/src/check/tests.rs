use super::*;

#[test]
fn the_seed_of_a_day_is_far_from_the_next_ones() {
    assert_eq!(seed_of_today() % SEEDS_APART, 0);
}

#[test]
fn files_that_quick_leaves_out_are_there() {
    let directory = crate::root().unwrap().join("native-host/tests/host");
    for name in SLOW {
        assert!(
            directory.join(name).with_extension("rs").is_file(),
            "SLOW names {name}"
        );
    }
}

#[test]
fn windows_host_is_built_only_if_a_filter_names_its_tests() {
    let text = fs::read_to_string(crate::root().unwrap().join(WINDOWS_FILE)).unwrap();
    let names = |filter: &str| names_windows_test(&[filter.to_owned()], &text);
    assert!(names_windows_test(&[], &text));
    assert!(names("windows") && names("install_makes_registry_keys") && names("frames_over"));
    assert!(!names("crash") && !names("retention") && !names("chrome"));
}

#[test]
fn windows_tests_that_are_left_out_are_run_by_no_filter() {
    let filters = ["install".to_owned()];
    let request = Request {
        size: Size::Everyday,
        filters: &filters,
        seed: None,
        json: None,
    };
    let asked = Run::Asked {
        is_first: true,
        share: 1.0,
    };
    let arguments = |windows| {
        let mut tests = Command::new("cargo");
        nextest(&mut tests, &request, &asked, windows);
        let last = tests.get_args().last().unwrap();
        last.to_string_lossy().into_owned()
    };
    assert_eq!(arguments(Windows::Built), "test(~install)");
    assert_eq!(
        arguments(Windows::LeftOut),
        format!("(not ({WINDOWS})) & test(~install)")
    );
}

#[test]
fn share_of_rounds_is_never_none() {
    assert_eq!(scaled(100, 1.0), 100);
    assert_eq!(scaled(100, 0.25), 25);
    assert_eq!(scaled(5, 0.1), 1);
}

/// A file that `main.rs` does not name is compiled by nothing, so its tests would never run.
#[test]
fn every_file_of_tests_is_a_module_of_its_binary() {
    let root = crate::root().unwrap();
    for directory in [
        "native-host/tests/host",
        "protocol/tests/formats",
        "tests/tests/browsers",
    ] {
        let main = fs::read_to_string(root.join(directory).join("main.rs")).unwrap();
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
                let declared = main.lines().any(|line| line == format!("mod {name};"));
                assert!(declared, "{directory}/main.rs lacks `mod {name};`");
            }
        }
    }
}
