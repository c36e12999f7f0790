//! The tray, which works by its menu alone, and notifications for what needs a person.

use std::{panic::AssertUnwindSafe, time::Duration};

use desktop_shell::{
    Shell, Target,
    host::{Places, bring_up},
};
use rollcall_proto::school::v1::{GetStatusRequest, Status, receiver_service_client::ReceiverServiceClient};
use tauri::{
    App, AppHandle, Manager, Runtime,
    menu::{Menu, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};
use tokio::time::sleep;

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

/// Looks now and then whether something needs a person, and tells it once.
pub async fn notify_when_needed<R: Runtime>(app: AppHandle<R>, shell: Shell) {
    let mut told = Told::default();
    loop {
        if let Ok(link) = shell.links.get(Target::Receiver) {
            let asked = link.request(GetStatusRequest {});
            if let Ok(status) = ReceiverServiceClient::new(link.channel()).get_status(asked).await {
                for (title, words, place) in told.news(status.get_ref()) {
                    notify(&app, title, words, place);
                }
            }
        }
        sleep(LOOK).await;
    }
}

/// What was told already.
#[derive(Default)]
struct Told {
    seen: bool,
    alerts: u32,
    secret_error: bool,
}

impl Told {
    fn news(&mut self, status: &Status) -> Vec<(&'static str, String, &'static str)> {
        let mut news = Vec::new();
        // What happened before this start is on the screen.
        if self.seen && status.alerts > self.alerts {
            news.push(("The receiver raised an alarm", status.latest_alert.clone(), "rollcall-school://events"));
        }
        let unreadable = !status.enrolled && !status.secret_error.is_empty();
        if unreadable && !self.secret_error {
            let words = format!("Nothing is received until it can be read: {}", status.secret_error);
            news.push(("The school's secret cannot be read", words, "rollcall-school://status"));
        }
        *self = Self { seen: true, alerts: status.alerts, secret_error: unreadable };
        news
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
        assert_eq!(told.news(&status(3, "")), [], "older than this start");
        assert_eq!(told.news(&status(4, "")).len(), 1);
        assert_eq!(told.news(&status(4, "")), []);
        let locked = told.news(&status(4, "the keychain is locked"));
        assert!(locked[0].1.contains("the keychain is locked"));
        assert_eq!(told.news(&status(4, "the keychain is locked")), []);
        assert_eq!(told.news(&status(4, "")), []);
        assert_eq!(told.news(&status(4, "the keychain is locked")).len(), 1, "locked again");
    }
}
