//! Checks that the UI is built, and lists the commands, so that a window may call only what its capability file names.

use std::{path::Path, process::exit};

use tauri_build::{AppManifest, Attributes};

const UI: &str = "../ui/dist/school";

const COMMANDS: [&str; 17] = [
    "call",
    "open_stream",
    "close_stream",
    "watch_link",
    "watch_places",
    "save_file",
    "watch_receiver",
    "restart_receiver",
    "check_code",
    "probe_keychain",
    "inspect_code",
    "redeem_code",
    "rotate_secret",
    "reset_enrollment",
    "save_diagnostics",
    "autostart",
    "set_autostart",
];

fn main() {
    println!("cargo:rerun-if-changed={UI}");
    if !Path::new(UI).join("index.html").exists() {
        eprintln!("error: the consoles' UI is not built: run `npm ci && npm run build` in ui/, then build this again");
        exit(1);
    }
    let attributes = Attributes::new().app_manifest(AppManifest::new().commands(&COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        eprintln!("error: {error:#}");
        exit(1);
    }
}
