//! Every test starts itself again inside a private session, because the session is the process's environment.

use std::{env, path::Path, process::Command, time::Duration};

use rollcall_keychain::{Keychain, KeychainError};

const INSIDE: &str = "ROLLCALL_KEYCHAIN_TEST";

/// Runs the test `name` again with `INSIDE` set, by way of `wrapper` (a shell script that ends in `exec "$@"`).
fn again(name: &str, wrapper: &str, home: &Path, bus: Option<&str>) {
    let mut command = Command::new("sh");
    command.args(["-c", wrapper, "sh"]).arg(env::current_exe().expect("this test's own path"));
    command.args(["--exact", name, "--nocapture"]);
    command.env(INSIDE, "1").env("HOME", home).env("XDG_RUNTIME_DIR", home).env("XDG_DATA_HOME", home.join("data"));
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS");
    if let Some(bus) = bus {
        command.env("DBUS_SESSION_BUS_ADDRESS", bus);
    }
    let output = command.output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "the inner test did not run: {text}");
}

fn installed(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).exists()))
}

fn keychain() -> Keychain {
    Keychain::new("rollcall-test").with_timeout(Duration::from_secs(10))
}

#[test]
fn session_without_a_bus_is_told_apart() {
    if env::var_os(INSIDE).is_some() {
        let error = keychain().probe().expect_err("there is no bus");
        assert!(matches!(error, KeychainError::NoService(_)), "{error:?}");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    again("session::session_without_a_bus_is_told_apart", r#"exec "$@""#, home.path(), Some("unix:path=/nonexistent"));
}

#[test]
fn values_are_written_read_and_deleted_in_a_real_keychain() {
    if env::var_os(INSIDE).is_some() {
        let keychain = keychain();
        assert_eq!(keychain.get("secret").err(), Some(KeychainError::NoEntry));
        keychain.probe().expect("an unlocked keychain");
        let value: Vec<u8> = (0..=255).collect();
        keychain.set("secret", &value).expect("written");
        keychain.set("secret", &value[..32]).expect("overwritten");
        assert_eq!(keychain.get("secret").expect("read").as_slice(), &value[..32]);
        assert_eq!(Keychain::new("rollcall-other").get("secret").err(), Some(KeychainError::NoEntry));
        keychain.delete("secret").expect("deleted");
        keychain.delete("secret").expect("deleting again changes nothing");
        assert_eq!(keychain.get("secret").err(), Some(KeychainError::NoEntry));
        return;
    }
    if !installed("dbus-run-session") || !installed("gnome-keyring-daemon") {
        eprintln!("skipped: dbus-run-session and gnome-keyring-daemon are not installed");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let wrapper = r#"exec dbus-run-session -- sh -c 'echo -n test | gnome-keyring-daemon --unlock --components=secrets >/dev/null; "$@"' sh "$@""#;
    again("session::values_are_written_read_and_deleted_in_a_real_keychain", wrapper, home.path(), None);
}

#[test]
fn locked_keychain_without_a_display_says_so() {
    if env::var_os(INSIDE).is_some() {
        let error = keychain().probe().expect_err("nobody unlocked it");
        assert!(matches!(error, KeychainError::Locked(_)), "{error:?}");
        return;
    }
    if !installed("dbus-run-session") || !installed("gnome-keyring-daemon") {
        eprintln!("skipped: dbus-run-session and gnome-keyring-daemon are not installed");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let wrapper = r#"exec dbus-run-session -- sh -c 'gnome-keyring-daemon --start --components=secrets >/dev/null; "$@"' sh "$@""#;
    again("session::locked_keychain_without_a_display_says_so", wrapper, home.path(), None);
}
