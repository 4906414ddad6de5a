//! What stands between a client and a server, and holds back what a test wants to come late.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{Memcached, PATIENCE};

/// Passes bytes on both ways. What a client has sent reaches the server though the client has gone
/// meanwhile.
#[derive(Clone)]
pub struct Proxy {
    address: String,
    answered: Arc<Mutex<HashSet<usize>>>,
    /// The clients' connections.
    clients: Arc<Mutex<Vec<TcpStream>>>,
    /// Clients are not notified when the server ends.
    silent: Arc<AtomicBool>,
}

impl Proxy {
    /// In front of this server. `pass` is called with the connection's number, from 1 on, and with
    /// what the client sends, before the server has it; the server gets it when that returns.
    pub fn start(server: &Memcached, pass: impl Fn(&Self, usize, &[u8]) + Send + Sync + 'static) -> Self {
        Self::between(server.address(), pass, |_| {})
    }

    /// In front of the server of this address. `answer` is called with what it sends, before the
    /// client has it; the client gets it when that returns.
    pub fn of_answers(server: String, answer: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self::between(server, |_, _, _| {}, answer)
    }

    /// In front of the server of this address, with both.
    pub fn between(
        server: String,
        pass: impl Fn(&Self, usize, &[u8]) + Send + Sync + 'static,
        answer: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let proxy = Self {
            address,
            answered: Arc::default(),
            clients: Arc::default(),
            silent: Arc::default(),
        };
        let (pass, answer, this) = (Arc::new(pass), Arc::new(answer), proxy.clone());
        // It ends with the test's process.
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else {
                    continue;
                };
                let (pass, answer) = (Arc::clone(&pass), Arc::clone(&answer));
                let (proxy, this) = (this.clone(), this.clone());
                let (mut answers, mut asker) = (clone(&server), clone(&client));
                this.clients.lock().expect("no panic").push(clone(&client));
                thread::spawn(move || copy(client, server, |bytes| pass(&proxy, number + 1, bytes)));
                thread::spawn(move || {
                    let mut buffer = vec![0; 65536];
                    while let Ok(length @ 1..) = answers.read(&mut buffer) {
                        answer(&buffer[..length]);
                        // Read in any case: the server must not find its answers refused.
                        let _gone = asker.write_all(&buffer[..length]);
                        this.answered.lock().expect("no panic").insert(number + 1);
                    }
                    if !this.silent.load(Ordering::SeqCst) {
                        let _gone = asker.shutdown(Shutdown::Both);
                    }
                });
            }
        });
        proxy
    }

    /// Closes all connections of clients.
    pub fn cut(&self) {
        for client in self.clients.lock().expect("no panic").drain(..) {
            let _gone = client.shutdown(Shutdown::Both);
        }
    }

    /// From now on a connection whose server ends stays open, and nothing comes on it.
    pub fn tell_no_end(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// How many connections there have been that were not cut.
    pub fn connections(&self) -> usize {
        self.clients.lock().expect("no panic").len()
    }

    /// Whether the server has answered anything on a connection, even if its client has gone.
    pub fn has_answered(&self, connection: usize) -> bool {
        self.answered.lock().expect("no panic").contains(&connection)
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("another handle")
}

fn copy(mut client: TcpStream, mut server: TcpStream, pass: impl Fn(&[u8])) {
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        pass(&buffer[..length]);
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _gone = server.shutdown(Shutdown::Write);
}

/// Whether these bytes are among them.
pub fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Where what is held back waits. Closed at first.
#[derive(Default)]
pub struct Gate {
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    /// Waits until it is open.
    pub fn pass(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.1 += 1;
        self.changed.notify_all();
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |(open, _)| !*open)
            .expect("no panic");
        assert!(!waited.timed_out(), "the test has not opened the gate");
        state.1 -= 1;
    }

    /// Waits until a thread waits at the gate.
    pub fn await_waiter(&self) {
        let state = self.state.lock().expect("no panic");
        let (_state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |(_, waiting)| *waiting == 0)
            .expect("no panic");
        assert!(!waited.timed_out(), "no thread has come to the gate");
    }

    /// Lets all pass from now on.
    pub fn open(&self) {
        self.state.lock().expect("no panic").0 = true;
        self.changed.notify_all();
    }
}
