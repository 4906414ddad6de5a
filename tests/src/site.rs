//! An HTTP server for the pages under test.

use std::{
    collections::HashSet,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{directories, wait::PATIENCE};

/// The page whose answer tells the browser to forget what the origin has stored (the
/// `Clear-Site-Data` header).
pub const CLEARING: &str = "/clearing/";

/// The page whose answer waits: `/hold/?NAME` until this name is released.
pub const HOLD: &str = "/hold/";

/// In the query of any other page: once it is answered, this name is released.
const RELEASE: &str = "release=";

/// In the query of a script: twenty million more letters follow.
const LENGTHEN: &str = "lengthen";

/// In the query of any other page: the browser may keep the answer.
const KEEP: &str = "keep";

/// In the query of any other page: its policy allows nothing that is not in the answer.
const POLICY: &str = "policy";

/// The names that are released.
#[derive(Debug, Default)]
struct Releases {
    names: Mutex<HashSet<String>>,
    changed: Condvar,
}

impl Releases {
    fn release(&self, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned());
        self.changed.notify_all();
    }

    /// Waits until this is released; `false` if that takes too long.
    fn wait_for(&self, name: &str) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(names, PATIENCE, |names| !names.contains(name));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// Serves `tests/sites/`, or another directory, on a free port. Each server is an origin of its
/// own.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    root: PathBuf,
    releases: Arc<Releases>,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Site {
    /// Starts serving.
    pub fn start() -> Result<Self> {
        Self::of(directories::tests_directory().join("sites"))
    }

    /// Starts serving another directory.
    pub fn of(root: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for HTTP")?;
        let address = listener.local_addr()?;
        let mut site = Self {
            address,
            root,
            releases: Arc::default(),
            stopping: Arc::default(),
            acceptor: None,
        };
        site.serve(listener);
        Ok(site)
    }

    fn serve(&mut self, listener: TcpListener) {
        self.stopping = Arc::default();
        let (stopping, root) = (Arc::clone(&self.stopping), self.root.clone());
        let releases = Arc::clone(&self.releases);
        self.acceptor = Some(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                let (root, releases) = (root.clone(), Arc::clone(&releases));
                thread::spawn(move || {
                    // A browser may hang up at any time.
                    let _hung_up = answer(stream, &root, &releases);
                });
            }
        }));
    }

    /// Ends the server: its address no longer answers.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the acceptor.
        let _refused = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _panicked = acceptor.join();
        }
    }

    /// Serves again, at the same address.
    pub fn restart(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).context("cannot listen for HTTP again")?;
        self.serve(listener);
        Ok(())
    }

    /// The serialised origin.
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// The URL of a page, such as `/raw/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(stream: TcpStream, root: &Path, releases: &Releases) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let mut stream = reader.into_inner();
    let target = request.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == HOLD {
        let status = if releases.wait_for(query) {
            "204 No Content"
        } else {
            "504 Gateway Timeout"
        };
        return write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let answered = answer_with_file(&mut stream, root, path, query);
    if let Some(name) = query.strip_prefix(RELEASE) {
        releases.release(name);
    }
    answered
}

fn answer_with_file(stream: &mut TcpStream, root: &Path, path: &str, query: &str) -> io::Result<()> {
    let file = file_of(root, path);
    match file.as_ref().map(fs::read) {
        Some(Ok(mut body)) => {
            if query == LENGTHEN {
                body.extend(b"\n/* ");
                body.resize(body.len() + 20_000_000, b'x');
                body.extend(b" */\nvar isWhole = true;\n");
            }
            let policy = if query == POLICY {
                "Content-Security-Policy: default-src 'none'\r\n"
            } else {
                ""
            };
            let keep = if query == KEEP { "max-age=3600" } else { "no-store" };
            let kind = file.as_deref().map_or("", mime);
            let clear = if path == CLEARING {
                "Clear-Site-Data: \"storage\"\r\n"
            } else {
                ""
            };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: {keep}\r\n{clear}{policy}Connection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body)
        }
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

/// The file that a URL path means; `None` for a path that leads out of the root.
fn file_of(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    if relative
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return None;
    }
    let file = root.join(relative);
    Some(if file.is_dir() {
        file.join("index.html")
    } else {
        file
    })
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
