//! The commands that both consoles give their windows, and how they use Tauri. A command hands over to the library and
//! adds who asked: the window's label comes from Tauri, never from the webview.

use std::{path::PathBuf, sync::Arc};

use serde_json::Value;
use tauri::{
    AppHandle, DragDropEvent, Manager, Runtime, State, Webview, WebviewWindow, WindowEvent,
    ipc::Channel,
    plugin::{Builder, TauriPlugin},
    webview::PageLoadEvent,
};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::{oneshot, watch};

pub use crate::places::Places;
use crate::{
    ErrorCode, Shell, ShellError, Target, places,
    streams::StreamEvent,
    transfer::{Ticket, Upload},
};

/// Files that were dropped on the main window.
#[derive(Clone)]
pub struct Drops(watch::Sender<Option<PathBuf>>);

/// What every console needs beside its own commands: state, dropped files, and streams that end with their page.
pub fn plugin<R: Runtime>(shell: Shell) -> TauriPlugin<R> {
    let streams = shell.streams.clone();
    let pages = shell.streams.clone();
    Builder::new("shell")
        .setup(move |app, _| {
            for target in [Target::Provider, Target::Receiver] {
                tauri::async_runtime::spawn(shell.links.clone().watch(target));
            }
            app.manage(shell.clone());
            app.manage(Places::default());
            app.manage(Drops(watch::Sender::new(None)));
            Ok(())
        })
        .on_page_load(move |webview, payload| {
            if payload.event() == PageLoadEvent::Started {
                pages.close_window(webview.label());
            }
        })
        .on_event(move |app, event| {
            let tauri::RunEvent::WindowEvent { label, event, .. } = event else { return };
            match event {
                WindowEvent::Destroyed => streams.close_window(label),
                WindowEvent::DragDrop(DragDropEvent::Drop { paths, .. }) if label == "main" => {
                    app.state::<Drops>().0.send_replace(paths.first().cloned());
                }
                _ => {}
            }
        })
        .build()
}

/// Shows a window that may be hidden, minimized or behind others.
pub fn bring_up<R: Runtime>(app: &AppHandle<R>, label: &str) {
    if let Some(window) = app.get_webview_window(label) {
        // A window manager may refuse any of these; there is nothing to be done about it.
        let _ = window.show();
        let _ = window.unminimize();
        let _ = window.set_focus();
    }
}

/// A call with one answer.
#[tauri::command]
pub async fn call(
    window: Webview,
    shell: State<'_, Shell>,
    method: String,
    request: Value,
) -> Result<Value, ShellError> {
    shell.call(window.label(), &method, &request).await
}

/// Opens a stream; its events go into the channel. Answers its number.
#[tauri::command]
pub async fn open_stream(
    window: Webview,
    shell: State<'_, Shell>,
    method: String,
    request: Value,
    events: Channel<StreamEvent>,
) -> Result<u64, ShellError> {
    let sink = Arc::new(move |event| events.send(event).is_ok());
    shell.streams.open(&shell.rules, window.label(), &method, &request, sink)
}

/// Closes a stream of this window.
#[tauri::command]
pub async fn close_stream(window: Webview, shell: State<'_, Shell>, stream: u64) -> Result<(), ShellError> {
    shell.streams.close(window.label(), stream);
    Ok(())
}

/// Tells whether a server is reached, now and whenever that changes, until the page ends.
#[tauri::command]
pub async fn watch_link(
    window: Webview,
    shell: State<'_, Shell>,
    target: Target,
    changes: Channel<crate::link::LinkState>,
) -> Result<(), ShellError> {
    follow(&shell, &window, shell.links.state(target), move |state| changes.send(*state).is_ok());
    Ok(())
}

/// Tells the place that a deep link asked for, now if one waits and whenever one comes.
#[tauri::command]
pub async fn watch_places(
    window: Webview,
    shell: State<'_, Shell>,
    places: State<'_, Places>,
    changes: Channel<String>,
) -> Result<(), ShellError> {
    let page = shell.streams.page(window.label());
    let told = places.inner().clone().tell(page, move |place| changes.send(place.to_owned()).is_ok());
    tauri::async_runtime::spawn(told);
    Ok(())
}

/// Lets somebody choose a file; `None` where they did not.
#[tauri::command]
pub async fn choose_file(
    window: WebviewWindow,
    shell: State<'_, Shell>,
    title: String,
    extensions: Vec<String>,
) -> Result<Option<Ticket>, ShellError> {
    let (chosen, answer) = oneshot::channel();
    let extensions: Vec<&str> = extensions.iter().map(String::as_str).collect();
    let dialog = window.dialog().file().set_parent(&window).set_title(title).add_filter("", &extensions);
    dialog.pick_file(move |path| {
        let _ = chosen.send(path); // Nobody waits where the window is gone.
    });
    match answer.await.ok().flatten().and_then(|path| path.into_path().ok()) {
        Some(path) => shell.files.choose(&path).await.map(Some),
        None => Ok(None),
    }
}

/// Tells files that are dropped on this window, as tickets.
#[tauri::command]
pub async fn watch_drops(
    window: Webview,
    shell: State<'_, Shell>,
    drops: State<'_, Drops>,
    dropped: Channel<Result<Ticket, ShellError>>,
) -> Result<(), ShellError> {
    let (files, page, mut drops) = (shell.files.clone(), shell.streams.page(window.label()), drops.0.subscribe());
    tauri::async_runtime::spawn(async move {
        while let Some(Ok(())) = page.run_until_cancelled(drops.changed()).await {
            let path = drops.borrow_and_update().clone();
            let Some(path) = path else { continue };
            if dropped.send(files.choose(&path).await).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Uploads a chosen file as an import and answers the run; `progress` gets the bytes handed over.
#[tauri::command]
pub async fn start_import(
    window: Webview,
    shell: State<'_, Shell>,
    upload: Upload,
    progress: Channel<u64>,
) -> Result<Value, ShellError> {
    let told = move |bytes| {
        let _ = progress.send(bytes); // The upload goes on without a listener.
    };
    shell.start_import(window.label(), upload, told).await
}

/// Lets somebody name a file and writes a stream's bytes there. Answers the length; `None` where they did not.
#[tauri::command]
pub async fn save_file(
    window: WebviewWindow,
    shell: State<'_, Shell>,
    method: String,
    request: Value,
    suggested_name: String,
) -> Result<Option<u64>, ShellError> {
    match save_dialog(&window, &suggested_name).await {
        Some(path) => shell.save(window.label(), &method, &request, &path).await.map(Some),
        None => Ok(None),
    }
}

/// Lets somebody name a file to write; `None` where they did not.
pub async fn save_dialog(window: &WebviewWindow, suggested_name: &str) -> Option<PathBuf> {
    let (chosen, answer) = oneshot::channel();
    let name: String = suggested_name.chars().filter(|c| !std::path::is_separator(*c)).take(200).collect();
    window.dialog().file().set_parent(window).set_file_name(name).save_file(move |path| {
        let _ = chosen.send(path); // Nobody waits where the window is gone.
    });
    answer.await.ok().flatten().and_then(|path| path.into_path().ok())
}

/// Sends the value now and at each change, until the page ends.
pub fn follow<T: Clone + Send + Sync + 'static>(
    shell: &Shell,
    window: &Webview,
    values: watch::Receiver<T>,
    send: impl Fn(&T) -> bool + Send + 'static,
) {
    let page = shell.streams.page(window.label());
    tauri::async_runtime::spawn(places::follow(page, values, send));
}

/// A window that Tauri could not open.
pub fn no_window(error: tauri::Error) -> ShellError {
    ShellError::new(ErrorCode::Internal, format!("the window cannot be opened: {error}"))
}

/// What of a window is kept over a restart: not whether it was hidden in the tray.
pub fn window_state() -> tauri_plugin_window_state::StateFlags {
    use tauri_plugin_window_state::StateFlags;
    StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN
}

/// Before anything else: logs warnings to stderr (`ROLLCALL_LOG` names another filter), and chooses how windows are drawn.
pub fn begin() {
    let filter = std::env::var("ROLLCALL_LOG").unwrap_or_else(|_| "warn".into());
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = log.try_init(); // A second call changes nothing.
    #[cfg(target_os = "linux")]
    crate::drawing::choose();
}
