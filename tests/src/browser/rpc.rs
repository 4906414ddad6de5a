//! Calls and events over a WebSocket, as the DevTools protocol and WebDriver BiDi both have them.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, protocol::WebSocketConfig};

/// How long one call may take: a page's whole scripted session runs within one.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a read wakes up to look at the clock.
const TICK: Duration = Duration::from_millis(200);

/// A connection to a browser.
pub struct Rpc {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: VecDeque<Value>,
}

impl Rpc {
    /// Connects to `ws://127.0.0.1:<port><path>`.
    pub fn connect(port: u16, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot reach the browser")?;
        stream.set_nodelay(true)?;
        let url = format!("ws://127.0.0.1:{port}{path}");
        // A page's whole database may come in one answer.
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let (socket, _) = tungstenite::client::client_with_config(url.as_str(), stream, Some(config))
            .with_context(|| format!("the browser refused a WebSocket on {url}"))?;
        socket.get_ref().set_read_timeout(Some(TICK))?;
        Ok(Self {
            socket,
            last_id: 0,
            events: VecDeque::new(),
        })
    }

    /// Calls a method that gives no answer; the call's number.
    pub fn send(&mut self, method: &str, params: Value, session: Option<&str>) -> Result<u64> {
        self.last_id += 1;
        let mut request = json!({"id": self.last_id, "method": method});
        request["params"] = params;
        if let Some(session) = session {
            request["sessionId"] = session.into();
        }
        self.socket
            .send(Message::text(request.to_string()))
            .with_context(|| format!("cannot send {method}"))?;
        Ok(self.last_id)
    }

    /// Calls a method and returns its result. `session` is the DevTools protocol's way to name a
    /// tab.
    pub fn call(&mut self, method: &str, params: Value, session: Option<&str>) -> Result<Value> {
        let id = self.send(method, params, session)?;
        let deadline = Instant::now() + CALL_TIMEOUT;
        loop {
            let Some(mut message) = self
                .receive(deadline)
                .with_context(|| format!("calling {method}"))?
            else {
                bail!("{method} has not answered within {} s", CALL_TIMEOUT.as_secs());
            };
            if message["id"] == id {
                return match message.get("error") {
                    // BiDi: `error` is a code beside `message`. DevTools: it is an object.
                    Some(error) => bail!("{method} failed: {error} {}", message["message"]),
                    None => Ok(message["result"].take()),
                };
            }
            if message.get("method").is_some() {
                self.events.push_back(message);
            }
        }
    }

    /// Forgets the events that have arrived so far.
    pub fn forget_events(&mut self) {
        self.events.clear();
    }

    /// Waits for an event, one that has arrived already or one to come.
    pub fn event(&mut self, method: &str, session: Option<&str>) -> Result<Value> {
        let wanted = |message: &Value| {
            message["method"] == method && session.is_none_or(|session| message["sessionId"] == session)
        };
        if let Some(index) = self.events.iter().position(wanted) {
            return self.events.remove(index).context("the event was there");
        }
        let deadline = Instant::now() + CALL_TIMEOUT;
        loop {
            match self.receive(deadline)? {
                Some(message) if wanted(&message) => return Ok(message),
                Some(message) => self.events.push_back(message),
                None => bail!("no {method} within {} s", CALL_TIMEOUT.as_secs()),
            }
        }
    }

    /// The next message; `None` when the deadline passes first.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Value>> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    return serde_json::from_str(&text)
                        .map(Some)
                        .context("the browser sent no JSON");
                }
                Ok(Message::Close(_)) => bail!("the browser closed the connection"),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error).context("the connection to the browser broke"),
            }
        }
    }
}
