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

/// The channel whose message says to the listener that it has received all.
const LAST: &str = "idb-end";

/// A message: its channel and its text.
pub type Message = (String, String);

pub struct Listener {
    messages: Arc<Mutex<Vec<Message>>>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Listens from now on.
    pub fn start(url: &str) -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn({
            let (messages, ended, url) = (Arc::clone(&messages), Arc::clone(&ended), url.to_owned());
            move || {
                while !ended.load(Ordering::SeqCst) {
                    let _broken = listen(&url, &messages, &ready);
                    thread::sleep(Duration::from_millis(2));
                }
            }
        });
        is_ready.recv().expect("subscribed");
        Self {
            messages,
            ended,
            thread,
        }
    }

    /// All received messages. The server must be well.
    pub fn end(self, url: &str) -> Vec<Message> {
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
                        .expect("sent");
                }
            }
        }
        self.thread.join().expect("it listened");
        std::mem::take(&mut self.messages.lock().expect("whole"))
    }
}

/// Listens until the connection breaks, or the last message arrives.
fn listen(url: &str, messages: &Mutex<Vec<Message>>, ready: &mpsc::Sender<()>) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let mut subscriber = connection.as_pubsub();
    subscriber.psubscribe("idb*")?;
    let _sent_before = ready.send(());
    loop {
        let message = subscriber.get_message()?;
        if message.get_channel_name() == LAST {
            return Ok(());
        }
        let message = (message.get_channel_name().to_owned(), message.get_payload()?);
        messages.lock().expect("whole").push(message);
    }
}
