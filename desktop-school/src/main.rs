//! School Desk: a thin shell around the UI, with the receiver inside unless the school runs its own beside it.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod commands;
mod receiver;
mod rules;
mod tray;

use clap::Parser;
use desktop_shell::{
    Shell,
    host::{self, Places, bring_up},
};
use receiver::Receiver;
use school_server::cli::{Common, Serve};
use tauri::{Manager, RunEvent, WindowEvent};
use tauri_plugin_autostart::MacosLauncher;
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};

/// Receives a school's roster and shows how it goes.
#[derive(Parser)]
#[command(name = "desktop-school", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    serve: Serve,
    /// Start in the tray, without a window
    #[arg(long)]
    hidden: bool,
    /// A link to open, such as rollcall-school://enroll?code=…
    #[arg(value_name = "LINK")]
    link: Option<String>,
}

fn main() {
    let arguments = Arguments::parse();
    host::begin();
    school_server::data_dir::keep_to_this_user();
    let shell = Shell::new(rules::RULES);
    let receiver = Receiver::new(arguments.common, arguments.serve, shell.links.clone());
    let (hidden, link) = (arguments.hidden, arguments.link);
    let (started, looks) = (receiver.clone(), receiver.clone());
    let app = tauri::Builder::default()
        // First, so that a second start ends before it does anything; a link it was given comes here.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| bring_up(app, "main")))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec!["--hidden"])))
        .plugin(tauri_plugin_window_state::Builder::new().with_state_flags(host::window_state()).build())
        .plugin(host::plugin(shell.clone()))
        .setup(move |app| {
            app.manage(started.clone());
            tauri::async_runtime::spawn(async move { started.start().await });
            let handle = app.handle().clone();
            app.deep_link().on_open_url(move |event| {
                for url in event.urls() {
                    handle.state::<Places>().open(url.as_str());
                }
                bring_up(&handle, "main");
            });
            if let Some(url) = app.deep_link().get_current()?.and_then(|urls| urls.into_iter().next()) {
                app.state::<Places>().open(url.as_str());
            }
            // The plugin reads a link only where it is the one argument.
            if let Some(link) = link.filter(|link| link.starts_with("rollcall-school://")) {
                app.state::<Places>().open(&link);
            }
            if tray::build(app) {
                stay_in_tray(app);
            }
            if !hidden {
                bring_up(app.handle(), "main");
            }
            tauri::async_runtime::spawn(tray::notify_when_needed(app.handle().clone(), shell.clone(), looks.clone()));
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![
            host::call,
            host::open_stream,
            host::close_stream,
            host::watch_link,
            host::watch_places,
            host::save_file,
            commands::watch_receiver,
            commands::restart_receiver,
            commands::check_code,
            commands::probe_keychain,
            commands::inspect_code,
            commands::redeem_code,
            commands::rotate_secret,
            commands::reset_enrollment,
            commands::save_diagnostics,
            commands::autostart,
            commands::set_autostart,
        ])
        .build(tauri::generate_context!());
    match app {
        Ok(app) => app.run(move |_, event| {
            if let RunEvent::Exit = event {
                tauri::async_runtime::block_on(receiver.stop());
            }
        }),
        Err(error) => {
            eprintln!("error: School Desk cannot start: {error}");
            std::process::exit(70);
        }
    }
}

/// Closing the window leaves the receiver running; the first time, that is explained.
fn stay_in_tray(app: &tauri::App) {
    let Some(window) = app.get_webview_window("main") else { return };
    let explained = app.path().app_data_dir().map(|folder| folder.join("tray-explained"));
    let handle = app.handle().clone();
    window.on_window_event(move |event| {
        let WindowEvent::CloseRequested { api, .. } = event else { return };
        api.prevent_close();
        if let Some(window) = handle.get_webview_window("main") {
            let _ = window.hide(); // A window that is gone already is hidden, too.
        }
        let Ok(explained) = &explained else { return };
        if !explained.exists() {
            let words = "School Desk keeps receiving in the background. Its icon is in the tray: open it there, or quit \
                         to stop receiving.";
            handle.dialog().message(words).title("Still receiving").kind(MessageDialogKind::Info).show(|_| {});
            let written = explained.parent().map_or(Ok(()), std::fs::create_dir_all);
            let _ = written.and_then(|()| std::fs::write(explained, "")); // It is explained again next time.
        }
    });
}
