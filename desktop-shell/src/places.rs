//! What a page follows while it lives: any watched value, and places that somebody asked for from outside.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Places that somebody asked for from outside (a deep link), for the windows to follow. The newest one counts.
#[derive(Clone)]
pub struct Places(watch::Sender<Option<String>>);

impl Default for Places {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Places {
    /// A link came in. It only opens a place; what it says is cut to what a place may look like.
    pub fn open(&self, link: &str) {
        let fits = link.len() <= 2_000 && link.chars().all(|c| c.is_ascii_graphic());
        if fits {
            self.0.send_replace(Some(link.to_owned()));
        }
    }

    /// Tells the place that waits, and each one that comes, until the page ends. `send` answers whether somebody listens.
    pub async fn tell(self, page: CancellationToken, send: impl Fn(&str) -> bool) {
        follow(page, self.0.subscribe(), |place| {
            let Some(told) = place else { return true };
            let sent = send(told);
            // Followed once; a page that is loaded anew does not go there again. One that came meanwhile stays.
            self.0.send_if_modified(|held| {
                held.take_if(|held| held == told);
                false
            });
            sent
        })
        .await;
    }
}

/// Sends the value now and at each change, until the page ends. `send` answers whether somebody listens.
pub async fn follow<T: Clone>(page: CancellationToken, mut values: watch::Receiver<T>, send: impl Fn(&T) -> bool) {
    values.mark_changed();
    while let Some(Ok(())) = page.run_until_cancelled(values.changed()).await {
        // Copied first: whoever is told may change the value, which waits for all who still read it.
        let value = values.borrow_and_update().clone();
        if !send(&value) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_place_is_told_once_and_the_next_one_too() {
        // Never ended: ending one with a hanging worker would hang the test that shall tell of it.
        let runtime = Box::leak(Box::new(tokio::runtime::Runtime::new().expect("a runtime")));
        let (places, page) = (Places::default(), CancellationToken::new());
        let follow = |page: &CancellationToken| {
            let (told, heard) = mpsc::channel();
            runtime.spawn(places.clone().tell(page.clone(), move |place| told.send(place.to_owned()).is_ok()));
            heard
        };
        // As a window's thread does it: in a test it may hang without holding anybody up.
        let open = |link: &'static str| {
            let (places, (opened, done)) = (places.clone(), mpsc::channel());
            std::thread::spawn(move || {
                places.open(link);
                let _ = opened.send(()); // The test gave up.
            });
            done.recv_timeout(LIMIT).expect("opening a place waits for nobody");
        };
        let heard = follow(&page);
        for link in ["rollcall-school://roster", "rollcall-school://status?check=1"] {
            open(link);
            assert_eq!(heard.recv_timeout(LIMIT).as_deref(), Ok(link));
        }
        page.cancel();
        assert_eq!(heard.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
        // The page that comes next is told only what comes next.
        let heard = follow(&CancellationToken::new());
        open("rollcall-school://events");
        assert_eq!(heard.recv_timeout(LIMIT).as_deref(), Ok("rollcall-school://events"));
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn what_cannot_be_a_place_is_not_opened() {
        let places = Places::default();
        for link in ["rollcall-school://a b", "rollcall-school://\u{e9}", &"x".repeat(2_001)] {
            places.open(link);
        }
        assert_eq!(*places.0.borrow(), None);
    }
}
