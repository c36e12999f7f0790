//! Server streams for the webview: each resumes at its cursor after a lost connection, so that no row is missed, and
//! ends with its window.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prost_reflect::{DynamicMessage, MethodDescriptor, Value as Field};
use serde::Serialize;
use serde_json::Value;
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::{
    ErrorCode, Links, Rules, ShellError, Target,
    codec::{from_json, to_json},
    secrets::guard,
};

/// Streams that one window may hold open.
const MAX_PER_WINDOW: usize = 16;

/// Tails: they never end by themselves, and go on after the last seen row.
/// (method, the request's cursor, the answer's cursor)
const TAILS: [(&str, &str, &str); 2] =
    [("TailAttempts", "after_log_sequence", "log_sequence"), ("TailEvents", "after_number", "number")];
/// Streams that answer the whole state and may be asked again after a lost connection.
const REPEATABLE: [&str; 1] = ["WatchImport"];

/// What a stream tells the webview.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StreamEvent {
    /// Connected, for the first time or again.
    Open,
    /// An answer.
    Message { message: Value },
    /// The connection was lost; it is tried again by itself.
    Reconnecting { error: ShellError },
    /// The server ended it.
    End,
    /// It failed for good.
    Error { error: ShellError },
}

/// Takes events; `false` means that nobody listens any more.
pub type Sink = Arc<dyn Fn(StreamEvent) -> bool + Send + Sync>;

/// The open streams. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    links: Links,
    open: Arc<Mutex<HashMap<u64, Open>>>,
    next: Arc<AtomicU64>,
    retry: (Duration, Duration),
}

struct Open {
    window: String,
    /// Not a stream of a server, but of ours, as long as the page lives.
    page: bool,
    stop: CancellationToken,
}

impl Streams {
    pub(crate) fn new(links: Links) -> Self {
        let retry = (Duration::from_millis(250), Duration::from_secs(15));
        Self { links, open: Arc::default(), next: Arc::new(AtomicU64::new(1)), retry }
    }

    /// Tries a lost server again after the first wait, then up to the second.
    pub fn with_retry(self, first: Duration, longest: Duration) -> Self {
        Self { retry: (first, longest), ..self }
    }

    /// Opens a stream for a window and answers its number. Events begin at once.
    ///
    /// # Errors
    /// Where the window may not, the request is wrong, or too many are open.
    pub fn open(&self, rules: &Rules, window: &str, method: &str, json: &Value, sink: Sink) -> Result<u64, ShellError> {
        let method = rules.method(window, method)?;
        if method.is_client_streaming() || !method.is_server_streaming() {
            return Err(ShellError::new(ErrorCode::NotAllowed, "this call is not a stream of answers"));
        }
        let request = from_json(&method.input(), json)?;
        let stop = CancellationToken::new();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut open = self.open.lock().expect("no holder of this lock panics");
            if open.values().filter(|open| open.window == window && !open.page).count() >= MAX_PER_WINDOW {
                return Err(ShellError::new(ErrorCode::ResourceExhausted, "too many streams are open in this window"));
            }
            open.insert(number, Open { window: window.to_owned(), page: false, stop: stop.clone() });
        }
        let follow = Follow {
            links: self.links.clone(),
            target: Target::of(&method),
            method,
            request,
            sink,
            retry: self.retry,
            sees_secrets: rules.sees_secrets(window),
        };
        let (streams, listener) = (self.clone(), follow.sink.clone());
        tokio::spawn(async move {
            select! {
                () = stop.cancelled() => {}
                () = follow.run() => {}
            }
            streams.forget(number);
            // Who hears that the stream ended finds it forgotten.
            drop(listener);
        });
        Ok(number)
    }

    /// Closes a stream of a window; an unknown one is no error.
    pub fn close(&self, window: &str, number: u64) {
        let mut open = self.open.lock().expect("no holder of this lock panics");
        if open.get(&number).is_some_and(|open| open.window == window)
            && let Some(closed) = open.remove(&number)
        {
            closed.stop.cancel();
        }
    }

    /// Closes all streams of a window that was closed or loaded anew.
    pub fn close_window(&self, window: &str) {
        let mut open = self.open.lock().expect("no holder of this lock panics");
        open.retain(|_, stream| {
            let keep = stream.window != window;
            if !keep {
                stream.stop.cancel();
            }
            keep
        });
    }

    /// A token that is cancelled with the window's page, for whatever tells that page something.
    pub fn page(&self, window: &str) -> CancellationToken {
        let stop = CancellationToken::new();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().expect("no holder of this lock panics");
        // A page asks for few of these; the newest ones count.
        let held = open.iter().filter(|(_, open)| open.window == window && open.page).map(|(number, _)| *number);
        if let (MAX_PER_WINDOW.., Some(oldest)) = (held.clone().count(), held.min())
            && let Some(closed) = open.remove(&oldest)
        {
            closed.stop.cancel();
        }
        open.insert(number, Open { window: window.to_owned(), page: true, stop: stop.clone() });
        stop
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.lock().expect("no holder of this lock panics").len()
    }

    fn forget(&self, number: u64) {
        self.open.lock().expect("no holder of this lock panics").remove(&number);
    }
}

/// One stream, followed until it ends.
struct Follow {
    links: Links,
    target: Target,
    method: MethodDescriptor,
    request: DynamicMessage,
    sink: Sink,
    retry: (Duration, Duration),
    sees_secrets: bool,
}

/// Why one connection of a stream ended.
enum Ended {
    /// Nobody listens.
    Unwanted,
    /// The server closed it.
    Closed,
    Failed(ShellError),
}

impl Follow {
    async fn run(mut self) {
        let tail = TAILS.iter().find(|(name, ..)| *name == self.method.name());
        let repeatable = tail.is_some() || REPEATABLE.contains(&self.method.name());
        let mut replaced = self.links.generation(self.target);
        let mut wait = self.retry.0;
        loop {
            replaced.mark_unchanged();
            let mut answered = false;
            let ended = select! {
                ended = self.connection(tail.copied(), &mut answered) => ended,
                // Signed in anew, or to another server: the old connection is of no use.
                _ = replaced.changed() => Ended::Failed(ShellError::new(ErrorCode::Unavailable, "the connection was replaced")),
            };
            if answered {
                wait = self.retry.0;
            }
            let error = match ended {
                Ended::Unwanted => return,
                Ended::Closed if tail.is_none() => {
                    (self.sink)(StreamEvent::End);
                    return;
                }
                Ended::Closed => ShellError::new(ErrorCode::Unavailable, "the server ended the stream"),
                Ended::Failed(error) => error,
            };
            self.links.note(self.target, Err(&error));
            // A receiver that does not run is started again; nobody signs in to it.
            let stopped = self.target == Target::Receiver && error.code == ErrorCode::NotConnected;
            let lost = stopped
                || error.is_connection_loss()
                || matches!(error.code, ErrorCode::Cancelled | ErrorCode::DeadlineExceeded);
            if !(repeatable && lost) {
                (self.sink)(StreamEvent::Error { error });
                return;
            }
            if !(self.sink)(StreamEvent::Reconnecting { error }) {
                return;
            }
            select! {
                () = sleep(wait) => wait = (wait * 2).min(self.retry.1),
                _ = replaced.changed() => wait = self.retry.0,
            }
        }
    }

    async fn connection(&mut self, tail: Option<(&str, &str, &str)>, answered: &mut bool) -> Ended {
        let opened = async {
            self.links.get(self.target)?.stream(&self.method, self.request.clone()).await.map_err(ShellError::from)
        };
        let mut answers: Streaming<DynamicMessage> = match opened.await {
            Ok(answers) => answers,
            Err(error) => return Ended::Failed(error),
        };
        self.links.note(self.target, Ok(()));
        if !(self.sink)(StreamEvent::Open) {
            return Ended::Unwanted;
        }
        loop {
            let answer = match answers.message().await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ended::Closed,
                Err(status) => return Ended::Failed(status.into()),
            };
            *answered = true;
            let answer = match guard(answer, self.sees_secrets) {
                Ok(answer) => answer,
                Err(error) => return Ended::Failed(error),
            };
            let seen = tail.and_then(|(_, _, seen)| answer.get_field_by_name(seen)).and_then(|seen| seen.as_u64());
            if !(self.sink)(StreamEvent::Message { message: to_json(&answer) }) {
                return Ended::Unwanted;
            }
            if let (Some((_, after, _)), Some(seen)) = (tail, seen) {
                self.request.set_field_by_name(after, Field::U64(seen));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{WindowRule, find};

    #[tokio::test]
    async fn a_tail_waits_for_a_receiver_that_does_not_run() {
        const METHODS: &[&str] = &["ReceiverService/TailEvents", "LogService/TailAttempts"];
        const RULES: Rules = Rules(&[WindowRule { label: "main", methods: METHODS, sees_secrets: false }]);
        let streams = Streams::new(Links::default()).with_retry(Duration::from_millis(1), Duration::from_millis(1));
        let open = |method| {
            let (told, heard) = tokio::sync::mpsc::unbounded_channel();
            let sink: Sink = Arc::new(move |event| told.send(event).is_ok());
            streams.open(&RULES, "main", method, &serde_json::json!({}), sink).expect("it is opened");
            heard
        };
        let mut receiver = open(METHODS[0]);
        for _ in 0..3 {
            let event = receiver.recv().await;
            assert!(
                matches!(&event, Some(StreamEvent::Reconnecting { error }) if error.code == ErrorCode::NotConnected),
                "{event:?}"
            );
        }
        // Without a session, one of the provider's has nothing to wait for.
        let event = open(METHODS[1]).recv().await;
        assert!(
            matches!(&event, Some(StreamEvent::Error { error }) if error.code == ErrorCode::NotConnected),
            "{event:?}"
        );
    }

    /// The table above names methods and fields of the schema, and every stream is in it or ends by itself.
    #[test]
    fn cursors_exist_in_the_schema() {
        for (method, after, seen) in TAILS {
            let service = if method == "TailEvents" { "ReceiverService" } else { "LogService" };
            let method = find(service, method).expect("in the schema");
            assert!(method.is_server_streaming());
            assert!(method.input().get_field_by_name(after).is_some_and(|field| field.supports_presence()));
            assert!(method.output().get_field_by_name(seen).is_some());
        }
        for service in crate::codec::pool().services() {
            for method in service.methods().filter(|m| m.is_server_streaming() && m.name().starts_with("Tail")) {
                assert!(TAILS.iter().any(|(name, ..)| *name == method.name()), "{} has no cursor", method.name());
            }
        }
    }
}
