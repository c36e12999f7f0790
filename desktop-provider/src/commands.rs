//! The console's own commands: the session, and its other windows.

use desktop_shell::{
    Links, Shell, ShellError, Target,
    check::ServerCheck,
    host::{bring_up, no_window},
    session::{Credentials, Server, SessionInfo, Sessions},
};
use rollcall_proto::id::SchoolId;
use tauri::{AppHandle, Manager, State, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

/// The window that shows a secret.
const SECRET: &str = "secret-once";

/// Servers that somebody signed in to, the last one first.
#[tauri::command]
pub async fn known_servers(sessions: State<'_, Sessions>) -> Result<Vec<Server>, ShellError> {
    Ok(sessions.servers())
}

/// Looks at a server before anybody signs in.
#[tauri::command]
pub async fn check_server(sessions: State<'_, Sessions>, address: String) -> Result<ServerCheck, ShellError> {
    sessions.check(&address).await
}

/// Signs in, or claims the first owner.
#[tauri::command]
pub async fn sign_in(
    app: AppHandle,
    shell: State<'_, Shell>,
    sessions: State<'_, Sessions>,
    credentials: Credentials,
) -> Result<SessionInfo, ShellError> {
    // Before the new session: the windows of one that ended by itself show what it saw, and would go on with this one.
    close_others(&app, &shell);
    sessions.sign_in(credentials).await
}

/// Ends the session and closes the windows that show what it saw.
#[tauri::command]
pub async fn sign_out(
    app: AppHandle,
    shell: State<'_, Shell>,
    sessions: State<'_, Sessions>,
) -> Result<(), ShellError> {
    close_others(&app, &shell);
    sessions.sign_out().await;
    Ok(())
}

/// Who is signed in.
#[tauri::command]
pub async fn session(sessions: State<'_, Sessions>) -> Result<Option<SessionInfo>, ShellError> {
    Ok(sessions.current())
}

/// Takes up the session of the last run, if the keychain holds one that is still good.
#[tauri::command]
pub async fn resume_session(sessions: State<'_, Sessions>) -> Result<Option<SessionInfo>, ShellError> {
    match sessions.current() {
        Some(session) => Ok(Some(session)),
        None => sessions.resume().await,
    }
}

/// Opens the log of a school in a window of its own, or brings that up.
#[tauri::command]
pub async fn open_log_window(app: AppHandle, school: String, title: String) -> Result<(), ShellError> {
    let school = school_id(&school)?;
    let label = format!("webhook-logs-{school}");
    if app.get_webview_window(&label).is_some() {
        bring_up(&app, &label);
        return Ok(());
    }
    let title: String = title.chars().filter(|c| !c.is_control()).take(120).collect();
    let page = WebviewUrl::App(format!("index.html#/webhook-logs/{school}").into());
    let window = WebviewWindowBuilder::new(&app, label, page).title(format!("{title} – webhook log"));
    window.inner_size(1180.0, 760.0).min_inner_size(720.0, 420.0).build().map(drop).map_err(no_window)
}

/// Opens the window that shows a school's secret once: its first one, or that of a rotation.
#[tauri::command]
pub async fn open_secret_window(app: AppHandle, school: String, rotate: bool) -> Result<(), ShellError> {
    let school = school_id(&school)?;
    if app.get_webview_window(SECRET).is_some() {
        bring_up(&app, SECRET);
        return Ok(());
    }
    let act = if rotate { "rotate" } else { "show" };
    let page = WebviewUrl::App(format!("index.html#/secret-once/{school}/{act}").into());
    let window = WebviewWindowBuilder::new(&app, SECRET, page).title("Signing secret, shown once");
    // Not in screenshots and shared screens, where the system can do that.
    let window = window.inner_size(640.0, 480.0).resizable(false).content_protected(true);
    window.build().map(drop).map_err(no_window)
}

/// Closes the window that asks.
#[tauri::command]
pub async fn close_window(window: WebviewWindow, shell: State<'_, Shell>) -> Result<(), ShellError> {
    shell.streams.close_window(window.label());
    window.close().map_err(no_window)
}

/// Closes every window but the main one; their streams end at once.
fn close_others(app: &AppHandle, shell: &Shell) {
    for (label, window) in app.webview_windows() {
        if label != "main" {
            shell.streams.close_window(&label);
            let _ = window.close(); // It may be closing already.
        }
    }
}

/// Closes the window that shows a secret each time the server says that the session has ended, until the program ends.
pub async fn close_secret_when_ended(app: AppHandle, links: Links) {
    let mut ended = links.ended(Target::Provider);
    while ended.changed().await.is_ok() {
        if let Some(window) = app.get_webview_window(SECRET) {
            let _ = window.close(); // It may be closing already.
        }
    }
}

/// Labels and addresses of windows are made of typed ids only.
fn school_id(text: &str) -> Result<SchoolId, ShellError> {
    let wrong = |_| ShellError::new(desktop_shell::ErrorCode::InvalidArgument, "this is not a school's id (sch_…)");
    text.parse().map_err(wrong)
}
