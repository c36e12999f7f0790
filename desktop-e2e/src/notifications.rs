//! The notifications of a session: what the desktop's own service would show to the person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use zbus::{OwnedVariant, connection::Builder, object_server::SignalEmitter};

use crate::{STEP, process::until};

/// Desktop Notifications Specification 1.3.
const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// What pressing the notification itself means.
const PRESSED: &str = "default";

/// One notification.
#[derive(Clone)]
pub struct Notification {
    id: u32,
    /// Its first line.
    pub title: String,
    /// What stands below.
    pub words: String,
}

type Shown = Arc<Mutex<Vec<Notification>>>;

/// The service of one bus. Ends with its value.
pub struct Notifications {
    shown: Shown,
    connection: zbus::Connection,
}

impl Notifications {
    pub(crate) async fn serve(bus: &str) -> Result<Self> {
        let shown = Shown::default();
        let connection = Builder::address(bus).name(NAME).serve_at(PATH, Service { shown: shown.clone() });
        Ok(Self { shown, connection: connection.build().await.context("the bus takes no notification service")? })
    }

    /// Waits for a notification of this title.
    pub async fn until_shown(&self, title: &str) -> Result<Notification> {
        until(&format!("a notification “{title}”"), STEP * 2, async || {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(shown.iter().find(|notification| notification.title == title).cloned())
        })
        .await
    }

    /// Presses it, as the person does.
    pub async fn press(&self, notification: &Notification) -> Result<()> {
        let service = self.connection.object_server().interface::<_, Service>(PATH).await?;
        Ok(Service::action_invoked(service.signal_emitter(), notification.id, PRESSED).await?)
    }
}

struct Service {
    shown: Shown,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_capabilities(&self) -> Vec<&str> {
        vec!["actions", "body"]
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("desktop-e2e", "Rollcall", env!("CARGO_PKG_VERSION"), "1.2")
    }

    #[allow(clippy::too_many_arguments, reason = "the specification's signature")]
    fn notify(
        &self,
        _application: &str,
        _replaces: u32,
        _icon: &str,
        title: String,
        words: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expires_ms: i32,
    ) -> u32 {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let id = shown.len() as u32 + 1;
        shown.push(Notification { id, title, words });
        id
    }

    fn close_notification(&self, _id: u32) {}

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action_key: &str) -> zbus::Result<()>;
}
