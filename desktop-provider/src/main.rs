//! The Provider Console: a thin shell around the UI. What it may do stands in `rules` and in `capabilities/`.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod commands;
mod rules;

use desktop_shell::{
    Shell,
    host::{self, Places, bring_up},
    session::{self, Sessions},
};
use rollcall_keychain::Keychain;
use tauri::Manager;
use tauri_plugin_deep_link::DeepLinkExt;

fn main() {
    host::begin();
    let shell = Shell::new(rules::RULES);
    let app = tauri::Builder::default()
        // First, so that a second start ends before it does anything; a link it was given comes here.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| bring_up(app, "main")))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(host::window_state())
                .with_denylist(&["secret-once"])
                .build(),
        )
        .plugin(host::plugin(shell.clone()))
        .setup(move |app| {
            let folder = app.path().app_data_dir()?;
            app.manage(Sessions::new(shell.links.clone(), Keychain::new(session::KEYCHAIN_SERVICE), &folder));
            let closing = commands::close_secret_when_ended(app.handle().clone(), shell.links.clone());
            tauri::async_runtime::spawn(closing);
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
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![
            host::call,
            host::open_stream,
            host::close_stream,
            host::watch_link,
            host::watch_places,
            host::choose_file,
            host::watch_drops,
            host::start_import,
            host::save_file,
            commands::known_servers,
            commands::check_server,
            commands::sign_in,
            commands::sign_out,
            commands::session,
            commands::resume_session,
            commands::open_log_window,
            commands::open_secret_window,
            commands::close_window,
        ])
        .run(tauri::generate_context!());
    if let Err(error) = app {
        eprintln!("error: the console cannot start: {error}");
        std::process::exit(70);
    }
}
