//! Someone who listens to all channels, and comes back whenever the server does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The channel on which the listener is told that it has heard all.
const LAST: &str = "idb-end";

/// A message: its channel and its text.
pub type Heard = (String, String);

pub struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Listens from now on.
    pub fn start(url: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn({
            let (heard, ended, url) = (Arc::clone(&heard), Arc::clone(&ended), url.to_owned());
            move || {
                while !ended.load(Ordering::SeqCst) {
                    let _broken = listen(&url, &heard, &ready);
                    thread::sleep(Duration::from_millis(2));
                }
            }
        });
        is_ready.recv().expect("subscribed");
        Self { heard, ended, thread }
    }

    /// All that was heard. The server must be well.
    pub fn end(self, url: &str) -> Vec<Heard> {
        self.ended.store(true, Ordering::SeqCst);
        let mut connection = redis::Client::open(url)
            .and_then(|client| client.get_connection())
            .expect("a connection");
        for attempt in 1_u32.. {
            if self.thread.is_finished() {
                break;
            }
            redis::cmd("PUBLISH")
                .arg(LAST)
                .arg("")
                .exec(&mut connection)
                .expect("sent");
            thread::sleep(Duration::from_millis(1));
            // Its subscription may have been refused (a password was wanted just then), which the
            // client library takes for an answer.
            if attempt % 1000 == 0 {
                for kind in ["normal", "pubsub"] {
                    redis::cmd("CLIENT")
                        .arg(&["KILL", "TYPE", kind])
                        .exec(&mut connection)
                        .expect("told");
                }
            }
        }
        self.thread.join().expect("it listened");
        std::mem::take(&mut self.heard.lock().expect("whole"))
    }
}

/// Listens until the connection breaks, or the end is told.
fn listen(url: &str, heard: &Mutex<Vec<Heard>>, ready: &mpsc::Sender<()>) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("idb*")?;
    let _told_before = ready.send(());
    loop {
        let message = subscriber.get_message()?;
        if message.get_channel_name() == LAST {
            return Ok(());
        }
        let heard_now = (message.get_channel_name().to_owned(), message.get_payload()?);
        heard.lock().expect("whole").push(heard_now);
    }
}
