//! The examples of `docs/consumers.md`: they stand there as they are, and they work.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{
    Host, Sandbox,
    body::{add, clear, commit, delete, put},
};

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("a workspace").to_owned()
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("docs/examples").join(name)).expect("an example")
}

#[test]
fn the_examples_stand_in_the_documentation_as_they_are() {
    let page = fs::read_to_string(root().join("docs/consumers.md")).expect("a page");
    for (name, language) in [("consumer.py", "python"), ("consumer.mjs", "js")] {
        let text = example(name);
        assert!(page.contains(&format!("\n```{language}\n{text}```\n")), "{name}");
        assert!(text.lines().count() <= 26, "{name} is short");
    }
}

/// A process that is killed with its test.
struct Consumer(Child);

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Consumer {
    fn start(sandbox: &Sandbox, command: &mut Command) -> Self {
        let child = command
            .args([sandbox.redis.url(), sandbox.memcached.address()])
            .stdin(Stdio::null())
            .spawn();
        Self(child.expect("`cargo xtask test` installs what it needs"))
    }
}

/// What any consumer must make of the stream; `start` starts it.
fn works(start: impl Fn(&Sandbox) -> Consumer) {
    let sandbox = Sandbox::with_config("mode = \"off\"\n");
    let mut host = Host::start(&sandbox);
    host.deliver(
        1,
        &commit(&[put("1", r#"{"total":9,"name":"ä"}"#), add("\"a b\"", "null")]),
    );
    host.acknowledged(1);
    sandbox.redis.await_stream(2);
    let consumer = start(&sandbox);
    sandbox.await_cached("1", Some(r#"{"total":9,"name":"ä"}"#));
    sandbox.await_cached("\"a b\"", Some("null"));
    host.deliver(2, &commit(&[put("[1,\"ü:%\"]", "2"), delete("1"), put("3", "3")]));
    sandbox.await_cached("3", Some("3"));
    sandbox.await_cached("[1,\"ü:%\"]", Some("2"));
    sandbox.await_cached("1", None);
    drop(consumer);
    // What comes while it is away waits for it.
    host.deliver(3, &commit(&[clear(), put("4", "4")]));
    host.acknowledged(3);
    let _consumer = start(&sandbox);
    sandbox.await_cached("4", Some("4"));
    sandbox.await_cached("3", None);
    assert_eq!(sandbox.memcached.count_keys(), 1);
}

#[test]
fn the_python_example_keeps_memcached_up_to_date() {
    works(|sandbox| {
        // The system's own, which has the system's packages.
        let mut python = Command::new("/usr/bin/python3");
        Consumer::start(sandbox, python.arg(root().join("docs/examples/consumer.py")))
    });
}

#[test]
fn the_node_example_keeps_memcached_up_to_date() {
    works(|sandbox| {
        // Modules are looked for beside the script and above it.
        let directory = sandbox.directory.path();
        let modules = directory.join("node_modules");
        if !modules.exists() {
            std::os::unix::fs::symlink(root().join("tests/peer/node_modules"), &modules).expect("a link");
        }
        let script = directory.join("consumer.mjs");
        fs::write(&script, example("consumer.mjs")).expect("written");
        Consumer::start(sandbox, Command::new("node").arg(script))
    });
}
