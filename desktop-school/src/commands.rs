//! The desk's own commands: enrollment, rotation, the receiver, settings. A secret passes from the provider to the
//! keychain and the receiver inside this program; a window gets names and fingerprints.

use desktop_shell::{
    ErrorCode, Shell, ShellError, Target,
    host::{follow, save_dialog},
};
use rollcall_proto::{
    enrollment::EnrollmentCode,
    provider::v1::InspectResponse,
    school::v1::{GetStatusRequest, InstallSecretRequest},
};
use school_server::{
    clock::Clock,
    enroll::{self, Enrolled},
    error::AppError,
    rotation::{self, Ask},
};
use serde::Serialize;
use tauri::{AppHandle, State, Webview, WebviewWindow, ipc::Channel};
use tauri_plugin_autostart::ManagerExt;

use crate::receiver::{Receiver, ReceiverState, remember, shell_error};

/// What a code is for, before it is redeemed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeDetails {
    /// The provider's `host:port`, as the code names it.
    pub server: String,
    pub school_name: String,
    pub school_sourced_id: String,
    pub district_name: String,
    pub issued_by: String,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// issued, claimed or confirmed.
    pub state: String,
    /// Where the secret will be kept.
    pub secret_store: &'static str,
}

/// What came of an enrollment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledInfo {
    pub school_name: String,
    pub school_sourced_id: String,
    /// Six words, to be compared with the provider's console.
    pub fingerprint: String,
    /// This installation had confirmed the code before.
    pub already_yours: bool,
    /// Where the secret is kept: `keychain` or `file`.
    pub secret_store: &'static str,
}

/// Tells how the receiver is, now and whenever that changes.
#[tauri::command]
pub async fn watch_receiver(
    window: Webview,
    shell: State<'_, Shell>,
    receiver: State<'_, Receiver>,
    changes: Channel<ReceiverState>,
) -> Result<(), ShellError> {
    follow(&shell, &window, receiver.state(), move |state| changes.send(state.clone()).is_ok());
    Ok(())
}

/// Starts the receiver again, for example once its port is free.
#[tauri::command]
pub async fn restart_receiver(receiver: State<'_, Receiver>) -> Result<(), ShellError> {
    receiver.start().await;
    Ok(())
}

/// Checks a code for typing errors without a connection. Answers the provider's address.
#[tauri::command]
pub async fn check_code(code: String) -> Result<String, ShellError> {
    parse(&code).map(|code| code.server)
}

/// Whether a secret could be kept: writes, reads back, deletes.
#[tauri::command]
pub async fn probe_keychain(receiver: State<'_, Receiver>) -> Result<&'static str, ShellError> {
    let store = receiver.place().await?.secret_store;
    let name = store.name();
    let probed = tokio::task::spawn_blocking(move || store.probe()).await;
    let broke = |_| ShellError::new(ErrorCode::KeychainFailed, "using the keychain broke");
    probed.map_err(broke)?.map_err(|error| shell_error(error.into()))?;
    Ok(name)
}

/// What a code is for. The keychain is tried first, so that a code is never burnt for nothing; nothing is redeemed.
#[tauri::command]
pub async fn inspect_code(receiver: State<'_, Receiver>, code: String) -> Result<CodeDetails, ShellError> {
    let code = parse(&code)?;
    let mut place = receiver.place().await?;
    let mut seen: Option<InspectResponse> = None;
    let look = |inspected: &InspectResponse| {
        seen = Some(inspected.clone());
        false
    };
    let outcome = enroll::enroll(&code, &place.secret_store, &mut place.client, host(), look).await;
    let Some(seen) = seen else {
        let unseen = || ShellError::new(ErrorCode::Internal, "the code was not looked at");
        return Err(outcome.err().map_or_else(unseen, shell_error));
    };
    Ok(CodeDetails {
        server: code.server.clone(),
        school_name: seen.school_name,
        school_sourced_id: seen.school_sourced_id,
        district_name: seen.district_name,
        issued_by: seen.issued_by,
        expires_at: seen.expires_at.map(|at| at.to_string()),
        state: seen.state,
        secret_store: place.secret_store.name(),
    })
}

/// Redeems a code for the school that the person saw and confirmed.
#[tauri::command]
pub async fn redeem_code(
    receiver: State<'_, Receiver>,
    code: String,
    school_sourced_id: String,
) -> Result<EnrolledInfo, ShellError> {
    let code = parse(&code)?;
    let mut place = receiver.place().await?;
    let same = |inspected: &InspectResponse| inspected.school_sourced_id == school_sourced_id;
    let enrolled = enroll::enroll(&code, &place.secret_store, &mut place.client, host(), same).await;
    let Enrolled { school_name, school_sourced_id, fingerprint, already_yours } = enrolled.map_err(shell_error)?;
    remember(&place);
    receiver.connect_provider().await;
    let secret_store = place.secret_store.name();
    Ok(EnrolledInfo { school_name, school_sourced_id, fingerprint, already_yours, secret_store })
}

/// Asks for a new secret, or takes one that waits; stores and confirms it. Answers its fingerprint; `None`: none waits.
#[tauri::command]
pub async fn rotate_secret(
    receiver: State<'_, Receiver>,
    request: bool,
    revoke_now: bool,
) -> Result<Option<String>, ShellError> {
    let place = receiver.place().await?;
    let store = place.secret_store.clone();
    let loaded = tokio::task::spawn_blocking(move || store.load()).await;
    let broke = |_| ShellError::new(ErrorCode::KeychainFailed, "using the keychain broke");
    let not_enrolled = || ShellError::new(ErrorCode::FailedPrecondition, "this desk is not enrolled");
    let enrollment = loaded.map_err(broke)?.map_err(|error| shell_error(error.into()))?.ok_or_else(not_enrolled)?;
    let install = |request: InstallSecretRequest| {
        let mut client = place.client.clone();
        async move { client.install_secret(request).await.map(drop).map_err(AppError::from) }
    };
    let ask = Ask { request, revoke_now };
    let now_ms = Clock::system().now_ms();
    rotation::pull(&enrollment, &place.secret_store, ask, now_ms, install).await.map_err(shell_error)
}

/// Forgets the enrollment.
#[tauri::command]
pub async fn reset_enrollment(receiver: State<'_, Receiver>) -> Result<(), ShellError> {
    receiver.reset().await
}

/// Writes what support needs to a file that somebody names: no secret, no student. `None` where they did not.
#[tauri::command]
pub async fn save_diagnostics(
    window: WebviewWindow,
    shell: State<'_, Shell>,
    receiver: State<'_, Receiver>,
) -> Result<Option<u64>, ShellError> {
    let Some(path) = save_dialog(&window, "school-desk-diagnostics.json").await else { return Ok(None) };
    let status = match receiver.place().await {
        Ok(mut place) => place.client.get_status(GetStatusRequest {}).await.ok().map(|s| {
            let status = rollcall_proto::json::to_json(s.get_ref());
            serde_json::json!({ "receiver": status })
        }),
        Err(_) => None,
    };
    let report = serde_json::json!({
        "desk": env!("CARGO_PKG_VERSION"),
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "state": receiver.state().borrow().clone(),
        "provider": *shell.links.state(Target::Provider).borrow(),
        "receiverLink": *shell.links.state(Target::Receiver).borrow(),
        "status": status,
    });
    let bytes = serde_json::to_vec_pretty(&report).unwrap_or_default();
    let written = tokio::fs::write(&path, &bytes).await;
    written.map_err(|error| ShellError::new(ErrorCode::File, format!("the file cannot be written: {error}")))?;
    Ok(Some(bytes.len() as u64))
}

/// Whether the desk starts with the session.
#[tauri::command]
pub async fn autostart(app: AppHandle) -> Result<bool, ShellError> {
    app.autolaunch().is_enabled().map_err(no_autostart)
}

/// Starts the desk with the session, hidden in the tray, or not.
#[tauri::command]
pub async fn set_autostart(app: AppHandle, on: bool) -> Result<(), ShellError> {
    let autostart = app.autolaunch();
    if on { autostart.enable() } else { autostart.disable() }.map_err(no_autostart)
}

fn no_autostart(error: tauri_plugin_autostart::Error) -> ShellError {
    ShellError::new(ErrorCode::Setup, format!("the session's start cannot be changed: {error}"))
}

fn parse(code: &str) -> Result<EnrollmentCode, ShellError> {
    EnrollmentCode::parse(code)
        .map_err(|error| ShellError::new(ErrorCode::Code, error.to_string()).because("code_typo"))
}

/// How this machine is shown to the provider's staff.
fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
