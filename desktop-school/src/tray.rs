//! The tray, which works by its menu alone, and notifications for what needs a person.

use std::{panic::AssertUnwindSafe, time::Duration};

use desktop_shell::{
    Shell, Target,
    host::{Places, bring_up},
    link::LinkState,
};
use rollcall_proto::{
    provider::v1::{
        Connection, ConnectionState, GetConnectionRequest, school_link_service_client::SchoolLinkServiceClient,
    },
    school::v1::{GetStatusRequest, Status, receiver_service_client::ReceiverServiceClient},
};
use tauri::{
    App, AppHandle, Manager, Runtime,
    menu::{Menu, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};
use tokio::time::sleep;

use crate::receiver::Receiver;

/// Between two looks for something that needs a person.
const LOOK: Duration = Duration::from_secs(30);

/// Puts the icon into the tray. `false`: this session has none, so closing the window ends the program.
pub fn build<R: Runtime>(app: &App<R>) -> bool {
    // The tray's library panics where it is not installed.
    let built = std::panic::catch_unwind(AssertUnwindSafe(|| -> tauri::Result<()> {
        let open = MenuItem::with_id(app, "open", "Open School Desk", true, None::<&str>)?;
        let check = MenuItem::with_id(app, "check", "Run check…", true, None::<&str>)?;
        let quit = MenuItem::with_id(app, "quit", "Quit (stops receiving)", true, None::<&str>)?;
        let line = PredefinedMenuItem::separator(app)?;
        let menu = Menu::with_items(app, &[&open, &check, &line, &quit])?;
        let mut tray = TrayIconBuilder::with_id("tray").tooltip("Rollcall School Desk").menu(&menu);
        if let Some(icon) = app.default_window_icon() {
            tray = tray.icon(icon.clone());
        }
        tray.on_menu_event(|app, event| match event.id().as_ref() {
            "open" => bring_up(app, "main"),
            "check" => {
                app.state::<Places>().open("rollcall-school://status?check=1");
                bring_up(app, "main");
            }
            "quit" => app.exit(0),
            _ => {}
        })
        .build(app)
        .map(drop)
    }));
    match built {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!("no tray: {error}");
            false
        }
        Err(_) => {
            tracing::warn!("no tray: its library is not installed");
            false
        }
    }
}

/// Looks now and then whether something needs a person, and tells it once; mends what needs nobody.
pub async fn notify_when_needed<R: Runtime>(app: AppHandle<R>, shell: Shell, receiver: Receiver) {
    let mut told = Told::default();
    loop {
        if let Err(error) = receiver.reattach().await {
            tracing::warn!("the receiver beside this program is not found: {error}");
        }
        if let Ok(link) = shell.links.get(Target::Receiver) {
            let asked = link.request(GetStatusRequest {});
            if let Ok(status) = ReceiverServiceClient::new(link.channel()).get_status(asked).await {
                tell(&app, told.of_receiver(status.get_ref()));
                told.follow_enrollment(status.get_ref());
                // A keychain that was unlocked since. Asked only once the receiver could read it: no second prompt.
                let connected = *shell.links.state(Target::Provider).borrow() != LinkState::NotConnected;
                if status.get_ref().enrolled && !connected {
                    receiver.connect_provider().await;
                }
            }
        }
        if let Ok(link) = shell.links.get(Target::Provider) {
            let asked = link.request(GetConnectionRequest {});
            if let Ok(school) = SchoolLinkServiceClient::new(link.channel()).get_connection(asked).await {
                tell(&app, told.of_connection(&school.into_inner().connection.unwrap_or_default()));
            }
        }
        sleep(LOOK).await;
    }
}

/// A notification: its title, its words, and the place that a click opens.
type News = (&'static str, String, &'static str);

const STATUS: &str = "rollcall-school://status";

/// What was told already.
#[derive(Default)]
struct Told {
    seen: bool,
    alerts: u32,
    secret_error: bool,
    /// What the provider says of the connection.
    trouble: Option<String>,
}

impl Told {
    fn of_receiver(&mut self, status: &Status) -> Vec<News> {
        let mut news = Vec::new();
        // What happened before this start is on the screen.
        if self.seen && status.alerts > self.alerts {
            news.push(("The receiver raised an alarm", status.latest_alert.clone(), "rollcall-school://events"));
        }
        let unreadable = !status.enrolled && !status.secret_error.is_empty();
        if unreadable && !self.secret_error {
            let words = format!("Nothing is received until it can be read: {}", status.secret_error);
            news.push(("The school's secret cannot be read", words, STATUS));
        }
        (self.seen, self.alerts, self.secret_error) = (true, status.alerts, unreadable);
        news
    }

    /// Of a school that enrolls while this program runs, nothing is older than this start.
    fn follow_enrollment(&mut self, status: &Status) {
        if !status.enrolled && status.secret_error.is_empty() {
            self.trouble.get_or_insert_default();
        }
    }

    fn of_connection(&mut self, connection: &Connection) -> Option<News> {
        use ConnectionState as State;
        let title = match connection.state() {
            // An active connection has a reason only where somebody else presented the code.
            State::Active | State::Compromised => "Somebody else used the enrollment code",
            State::Down | State::Held => "The provider cannot deliver to this school",
            State::Revoked => "The school's secret was revoked",
            // Passes by itself, or is somebody's wish.
            State::Failing | State::Paused | State::Enrolling | State::NotConnected | State::Unspecified => "",
        };
        let trouble = if title.is_empty() { String::new() } else { connection.reason.clone() };
        let before = self.trouble.replace(trouble.clone());
        let is_new = before.is_some_and(|before| before != trouble) && !trouble.is_empty();
        is_new.then_some((title, trouble, STATUS))
    }
}

fn tell<R: Runtime>(app: &AppHandle<R>, news: impl IntoIterator<Item = News>) {
    for (title, words, place) in news {
        notify(app, title, words, place);
    }
}

fn notify<R: Runtime>(app: &AppHandle<R>, title: &str, words: String, place: &'static str) {
    let mut notification = notify_rust::Notification::new();
    notification.appname("Rollcall School Desk").summary(title).body(&words).action("default", "Open");
    let app = app.clone();
    // Waiting for the click blocks, for as long as the notification is shown.
    let shown = std::thread::Builder::new().name("notification".into()).spawn(move || match notification.show() {
        #[cfg(all(unix, not(target_os = "macos")))]
        Ok(handle) => handle.wait_for_action(|action| {
            if action == "default" {
                app.state::<Places>().open(place);
                bring_up(&app, "main");
            }
        }),
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        Ok(_) => drop((app, place)),
        Err(error) => tracing::warn!("no notification: {error}"),
    });
    if let Err(error) = shown {
        tracing::warn!("no notification: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once() {
        let status = |alerts, secret_error: &str| Status {
            alerts,
            secret_error: secret_error.into(),
            latest_alert: "one id came with two bodies".into(),
            ..Status::default()
        };
        let mut told = Told::default();
        assert_eq!(told.of_receiver(&status(3, "")), [], "older than this start");
        assert_eq!(told.of_receiver(&status(4, "")).len(), 1);
        assert_eq!(told.of_receiver(&status(4, "")), []);
        let locked = told.of_receiver(&status(4, "the keychain is locked"));
        assert!(locked[0].1.contains("the keychain is locked"));
        assert_eq!(told.of_receiver(&status(4, "the keychain is locked")), []);
        assert_eq!(told.of_receiver(&status(4, "")), []);
        assert_eq!(told.of_receiver(&status(4, "the keychain is locked")).len(), 1, "locked again");
    }

    #[test]
    fn a_reused_code_alarms_here_too() {
        let connection = |state: ConnectionState, reason: &str| Connection {
            state: state.into(),
            reason: reason.into(),
            ..Connection::default()
        };
        let mut told = Told::default();
        assert_eq!(told.of_connection(&connection(ConnectionState::Active, "old")), None, "older than this start");
        assert_eq!(told.of_connection(&connection(ConnectionState::Active, "")), None);
        let alarm = told.of_connection(&connection(ConnectionState::Active, "a second party has the code"));
        assert!(alarm.expect("told").0.contains("Somebody else"));
        assert_eq!(told.of_connection(&connection(ConnectionState::Active, "a second party has the code")), None);
        assert_eq!(told.of_connection(&connection(ConnectionState::Paused, "until Monday")), None);
        let down = told.of_connection(&connection(ConnectionState::Down, "nobody answers"));
        assert!(down.expect("told").0.contains("cannot deliver"));

        let mut told = Told::default();
        told.follow_enrollment(&Status::default());
        let alarm = told.of_connection(&connection(ConnectionState::Active, "a second party has the code"));
        assert!(alarm.is_some(), "enrolled since the start, and the first look comes after the alarm");
    }
}
