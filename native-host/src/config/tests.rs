use super::*;
use crate::failure::Failure as _;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/c.toml"))
}

/// What a mistake is called, and its fix.
fn mistake(text: &str) -> (String, String) {
    let error = parse(text).expect_err(text);
    let message = error.to_string();
    let message = message
        .strip_prefix("the configuration /etc/c.toml, ")
        .expect("a line");
    (message.to_owned(), error.fix())
}

#[test]
fn readme_has_every_key() {
    let readme = include_str!("../../../README.md");
    let sections = [
        ("capture", CAPTURE),
        ("redis", REDIS),
        ("memcached", MEMCACHED),
        ("journal", JOURNAL),
    ];
    for (section, keys) in sections {
        for key in keys {
            assert!(readme.contains(&format!("`{section}.{key}`")), "{section}.{key}");
        }
    }
    for key in REDACT {
        assert!(readme.contains(&format!("`{key}`")), "redact: {key}");
    }
    assert_eq!(SECTIONS.len(), sections.len() + 1, "a section is missing here");
}

#[test]
fn everything_has_a_default() {
    let config = parse("").expect("nothing is enough");
    let redis = config.redis.expect("on");
    assert_eq!(redis.url, "redis://127.0.0.1:6379");
    assert_eq!(redis.stream.as_deref(), Some("idb:events"));
    let memcached = config.memcached;
    assert_eq!(memcached.servers, ["127.0.0.1:11211"]);
    assert_eq!(
        (memcached.mode, memcached.value),
        (MemcachedMode::Host, ValueForm::Plain)
    );
    assert!(config.capture.origins.is_empty());
}

#[test]
#[cfg_attr(windows, ignore = "it has paths of Unix")]
fn everything_can_be_set() {
    let config = parse(
        r#"
        [capture]
        origins = ["http://localhost:8080", "http://localhost:*"]
        [redis]
        url = "redis+unix:///run/redis.sock"
        channel = "a:{origin}:{database}:{store}"
        stream = ""
        max_stream_length = 1_000
        [memcached]
        mode = "off"
        servers = ["a:11211", "[::1]:11212", "tls://b:11211", "unix:///run/memcached.sock"]
        ca_file = "/etc/ssl/ca.pem"
        user = "ann"
        password = "open:sesame"
        key = "{origin}:{database}:{store}:{key}"
        value = "typed"
        [journal]
        directory = "/var/lib/idb-relay"
        [[redact]]
        database = "shop"
        store = "users"
        fields = ["/password", "/cards/*/number"]
        how = "drop"
        [[redact]]
        fields = ["@key", ""]
        how = "hash"
        "#,
    )
    .expect("a configuration");
    assert_eq!(config.capture.origins.len(), 2);
    assert!(config.fed_memcached().is_none());
    let redis = config.redis.expect("on");
    assert_eq!((redis.stream, redis.max_stream_length), (None, Some(1000)));
    assert_eq!(config.memcached.servers.len(), 4);
    assert_eq!(
        config.memcached.ca_file.as_deref(),
        Some(Path::new("/etc/ssl/ca.pem"))
    );
    let login = config.memcached.login.expect("a login");
    assert_eq!((&*login.user, &*login.password), ("ann", "open:sesame"));
    assert_eq!(config.journal.directory, Path::new("/var/lib/idb-relay"));
    let rules = serde_json::to_string(&config.redact).expect("JSON");
    assert_eq!(
        rules,
        r#"[{"database":"shop","store":"users","fields":["/password","/cards/*/number"],"how":"drop"},{"fields":["@key",""],"how":"hash"}]"#
    );
}

#[test]
fn a_stream_length_of_0_is_no_cap() {
    for (text, expected) in [
        ("", None),
        ("max_stream_length = 0", None),
        ("max_stream_length = 1", Some(1)),
    ] {
        let redis = parse(&format!("[redis]\n{text}")).expect(text).redis;
        assert_eq!(redis.expect("on").max_stream_length, expected, "{text}");
    }
}

#[test]
fn what_is_switched_off_is_checked_all_the_same() {
    let config = parse("[redis]\nenabled = false\n[memcached]\nmode = \"host\"").expect("a configuration");
    assert!(config.redis.is_none() && config.fed_memcached().is_some());
    assert!(
        mistake("[redis]\nenabled = false\nurl = 1")
            .0
            .contains("redis.url")
    );
    assert!(
        mistake("[redis]\nenabled = \"no\"")
            .0
            .contains("must be true or false")
    );
}

#[test]
fn mistakes_name_line_key_and_fix() {
    for (text, message, fix) in [
        (
            "[redis]\nstrem = \"x\"",
            "line 2: there is no key \"strem\" in [redis]",
            "Did you mean \"stream\"?",
        ),
        (
            "\n[memcache]",
            "line 2: there is no key \"memcache\"",
            "Did you mean \"memcached\"?",
        ),
        (
            "[journal]\nzzz = 1",
            "line 2: there is no key \"zzz\" in [journal]",
            "The keys here are directory, keep_mib, keep_hours, max_mib.",
        ),
        (
            "[redis]\nurl = 1",
            "line 2: redis.url must be a string in quotes, not integer",
            "Write a string in quotes.",
        ),
        (
            "[memcached]\nservers = \"a:1\"",
            "line 2: memcached.servers must be a list of strings, such as [\"a\", \"b\"], not string",
            "Write a list of strings, such as [\"a\", \"b\"].",
        ),
        (
            "[redis]\nmax_stream_length = -1",
            "line 2: redis.max_stream_length must be a whole number from 0 up, not integer",
            "Write a whole number from 0 up.",
        ),
        (
            "[capture]\norigins = [\n  \"http://a\",\n  \"localhost:8080\",\n]",
            "line 4: capture.origins: \"localhost:8080\" has no scheme; write the whole origin, such as \"http://localhost:8080\"",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[capture]\norigins = [\"https://bücher.example\"]",
            "line 2: capture.origins: \"https://bücher.example\" matches nothing: browsers name this origin \"https://xn--bcher-kva.example\"; write that",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[memcached]\nkey = \"{origin}:{database}:{store}\"",
            "line 2: memcached.key: {key} is missing; without it different records would share a name",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[memcached]\nmod = \"off\"",
            "line 2: there is no key \"mod\" in [memcached]",
            "Did you mean \"mode\"?",
        ),
        (
            "[memcached]\nmode = \"on\"",
            "line 2: memcached.mode: \"on\" is not a valid mode; \"host\": the host writes to Memcached itself; \"off\": it does not, \
             `idb-relay apply` may do it from Redis",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[memcached]\nmode = false",
            "line 2: memcached.mode must be a string in quotes, not boolean",
            "Write a string in quotes.",
        ),
        (
            "[memcached]\nenabled = false",
            "line 2: there is no key \"enabled\" in [memcached]",
            "The keys here are mode, servers, ca_file, user, password, key, value.",
        ),
    ] {
        assert_eq!(mistake(text), (message.to_owned(), fix.to_owned()), "{text}");
    }
    let (message, fix) = mistake("[redis]\nurl = ");
    assert!(message.starts_with("line 2: it is not TOML: "), "{message}");
    assert!(fix.starts_with("Correct the line"), "{fix}");
    assert!(
        mistake("[journal]\ndirectory = \"here\"")
            .0
            .contains("not an absolute path")
    );
    assert!(
        mistake("[memcached]\nservers = []")
            .0
            .contains("the list is empty")
    );
    assert!(
        mistake("[memcached]\nservers = [\"localhost\"]")
            .0
            .contains("write host:port")
    );
}

#[test]
fn mistakes_in_rules_name_line_and_fix() {
    for (text, message, fix) in [
        (
            "[[redact]]\nfield = [\"/a\"]",
            "line 2: there is no key \"field\" in [redact]",
            "Did you mean \"fields\"?",
        ),
        (
            "[[redact]]\nfields = [\"/a\"]\nhow = \"drop\"\n[[redact]]\nfields = [\"/a\"]",
            "line 4: redact.how is missing",
            "Add it: \"drop\", \"mask\" or \"hash\".",
        ),
        (
            "[[redact]]\nhow = \"mask\"",
            "line 1: redact.fields is missing",
            "Add it: a list of JSON Pointers, such as [\"/password\"].",
        ),
        (
            "[[redact]]\nhow = \"mask\"\nfields = [\n  \"/a\",\n  \"b.c\",\n]",
            "line 5: redact.fields: \"b.c\" is no JSON Pointer; write \"/b/c\", \"\" for the whole value, or \"@key\" for the record's key",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[[redact]]\nhow = \"mask\"\nfields = []",
            "line 3: redact.fields: the rule names no field; write at least one JSON Pointer, such as \"/password\"",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[[redact]]\nhow = \"remove\"\nfields = [\"/a\"]",
            "line 2: redact.how: \"remove\" is no way to redact; there are \"drop\", \"mask\" and \"hash\"",
            "Correct the value, or remove the line to have the default.",
        ),
        (
            "[redact]\nhow = \"mask\"",
            "line 1: redact must be a list of tables, each begun by its name in double brackets, not table",
            "Write a list of tables, each begun by its name in double brackets.",
        ),
    ] {
        assert_eq!(mistake(text), (message.to_owned(), fix.to_owned()), "{text}");
    }
    let (message, fix) = mistake("[redis]\nurl = ");
    assert!(message.starts_with("line 2: it is not TOML: "), "{message}");
    assert!(fix.starts_with("Correct the line"), "{fix}");
    assert!(
        mistake("[journal]\ndirectory = \"here\"")
            .0
            .contains("not an absolute path")
    );
    assert!(
        mistake("[memcached]\nservers = []")
            .0
            .contains("the list is empty")
    );
    assert!(
        mistake("[memcached]\nservers = [\"localhost\"]")
            .0
            .contains("write host:port")
    );
}

#[test]
#[cfg_attr(windows, ignore = "it has paths of Unix")]
fn tls_needs_an_address_and_a_file_that_are_for_it() {
    let parse = |text: &str| Config::parse(text, Path::new("c.toml"));
    let config =
        parse("[redis]\nurl = \"rediss://u:secret@h\"\nca_file = \"/etc/ca.pem\"").expect("a configuration");
    let redis = config.redis.expect("switched on");
    assert_eq!(redis.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    for (text, part) in [
        (
            "url = \"rediss://h\"\nca_file = \"ca.pem\"",
            "not an absolute path",
        ),
        ("url = \"redis://h\"\nca_file = \"/ca.pem\"", "rediss://"),
        ("ca_file = \"/ca.pem\"", "rediss://"),
        ("url = \"rediss://h/#insecure\"", "always checked"),
    ] {
        let (message, _) = mistake(&format!("[redis]\n{text}"));
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn what_this_version_cannot_do_is_said_without_the_address() {
    for (url, what) in [
        (
            "redis://:secret@h:1,h:2",
            "a Redis cluster (several addresses in redis.url)",
        ),
        ("redis-sentinel://:secret@h", "Redis Sentinel (in redis.url)"),
    ] {
        let (message, fix) = mistake(&format!("[redis]\nurl = \"{url}\""));
        assert_eq!(
            message,
            format!("line 2: {what} is not available in this version")
        );
        assert!(fix.starts_with("Use redis://"), "{fix}");
    }
    for url in [
        "http://:secret@h",
        "secret",
        "redis://:secret@h:port",
        "redis://user:12345#secret@h",
        "redis://secret?x@h",
        "redis://u:7777/secret@h",
        "redis://:p@h/secret",
    ] {
        let (message, _) = mistake(&format!("[redis]\nurl = \"{url}\""));
        assert!(
            message.contains("the address") && !message.contains("secret"),
            "{message}"
        );
    }
}

#[test]
#[cfg_attr(windows, ignore = "it has paths of Unix")]
fn mistakes_in_memcached_access_name_line_and_fix() {
    for (lines, message) in [
        (
            "servers = [\"unix://memcached.sock\"]",
            "line 2: memcached.servers: \"unix://memcached.sock\" names no absolute path",
        ),
        (
            "servers = [\"tls://cache.example\"]",
            "line 2: memcached.servers: \"tls://cache.example\" is no server; write host:port",
        ),
        (
            "servers = [\"memcached://cache.example:11211\"]",
            "line 2: memcached.servers: \"memcached://cache.example:11211\" is no server",
        ),
        (
            "ca_file = \"/ca.pem\"",
            "line 2: memcached.ca_file: it is for TLS alone, which an address begins with tls:// for",
        ),
        (
            "servers = [\"tls://a:1\"]\nca_file = \"ca.pem\"",
            "line 3: memcached.ca_file: \"ca.pem\" is not an absolute path",
        ),
        ("user = \"ann\"", "line 1: memcached.password is missing"),
        ("password = \"hunter2\"", "line 1: memcached.user is missing"),
        (
            "user = \"ann b\"\npassword = \"hunter2\"",
            "line 2: memcached.user: a user's name has no spaces, colons or control characters",
        ),
        (
            "user = \"ann\"\npassword = \"hunter2\\r\\n\"",
            "line 3: memcached.password: a password has at least one character, no spaces",
        ),
        (
            "user = \"ann\"\npassword = \"hunter2 hunter2\"",
            "line 3: memcached.password: a password has at least one character, no spaces",
        ),
    ] {
        let (said, fix) = mistake(&format!("[memcached]\n{lines}"));
        assert!(said.starts_with(message), "{said}");
        assert!(!fix.is_empty() && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn credentials_in_memcached_address_are_refused_and_not_shown() {
    for server in [
        "ann:hunter2@cache.example:11211",
        "tls://ann:hunter2@cache.example:11211",
    ] {
        let (said, _) = mistake(&format!("[memcached]\nservers = [\"{server}\"]"));
        assert!(said.contains("memcached.user and memcached.password"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn every_key_stands_in_the_readme() {
    let readme = include_str!("../../../README.md");
    for (section, keys) in [
        ("capture", CAPTURE),
        ("redis", REDIS),
        ("memcached", MEMCACHED),
        ("journal", JOURNAL),
    ] {
        for key in keys {
            assert!(readme.contains(&format!("`{section}.{key}`")), "{section}.{key}");
        }
    }
}
