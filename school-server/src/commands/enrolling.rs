//! `enroll`.

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use rollcall_proto::{enrollment::EnrollmentCode, provider::v1::InspectResponse};

use super::{client, print};
use crate::{
    config::Settings,
    data_dir::{DataDir, RememberedStore},
    enroll,
    error::{AppError, Kind},
    secrets::SecretStore,
};

/// Redeems a code, and remembers which store took the secret.
pub async fn enroll(settings: Settings, code: &str, yes: bool, json: bool) -> Result<(), AppError> {
    let code = EnrollmentCode::parse(code).map_err(|error| AppError::new(Kind::BadData, error.to_string()))?;
    let data_dir = settings.data_dir.clone();
    let (mut secret_store, mut key_file) = (settings.secret_store.clone(), settings.key_file.clone());
    let key_file_given = settings.key_file_given;
    let (mut client, own) = client(settings, &data_dir).await?;
    if own.is_none()
        && let Some(running) = other_key_file(&data_dir, &secret_store)
    {
        if key_file_given {
            return Err(differs(&running, &secret_store));
        }
        secret_store = SecretStore::named(secret_store.name(), &data_dir, Some(running.clone()))?;
        key_file = Some(running);
    }
    let remembered = RememberedStore { secret_store: secret_store.name().to_owned(), key_file };
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let ask = |inspected: &InspectResponse| yes || confirm(inspected);
    let result = enroll::enroll(&code, &secret_store, &mut client, host, ask).await;
    drop(client);
    if let Some(own) = own {
        own.stop().await?;
    }
    let enrolled = result?;
    data_dir
        .remember_store(&remembered)
        .map_err(|error| AppError::while_doing(Kind::Internal, "remembering the secret store", error))?;
    if json {
        let line = serde_json::json!({
            "school": enrolled.school_sourced_id, "name": enrolled.school_name,
            "fingerprint": enrolled.fingerprint, "already_yours": enrolled.already_yours,
        });
        return print(&line.to_string());
    }
    let already = if enrolled.already_yours { ". The code is already yours: it was redeemed here before" } else { "" };
    print(&format!(
        "{} ({}) is enrolled{already}.\nCompare with the provider's console: {}",
        enrolled.school_name, enrolled.school_sourced_id, enrolled.fingerprint
    ))
}

/// The key that the running receiver seals with, where it is another than ours: it could not open what we seal, nor we what
/// it does.
fn other_key_file(data_dir: &DataDir, ours: &SecretStore) -> Option<PathBuf> {
    let running = data_dir.announced_key_file()?;
    (place(&running) != place(ours.key_file()?)).then_some(running)
}

/// The file without links on the way to it, whether or not it was made already.
fn place(path: &Path) -> PathBuf {
    let folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(folder).unwrap_or_else(|| path.to_owned())
}

fn differs(running: &Path, ours: &SecretStore) -> AppError {
    let ours = ours.key_file().unwrap_or(Path::new("")).display();
    AppError::config(format!(
        "key_file: the running receiver seals its secret with {}, not with {ours}: leave --key-file out, or start the \
         receiver with that one",
        running.display()
    ))
}

/// Shows what the code is for. Asks only where somebody can answer.
fn confirm(inspected: &InspectResponse) -> bool {
    eprintln!(
        "This code connects {} ({}) of {}; issued by {}.",
        inspected.school_name, inspected.school_sourced_id, inspected.district_name, inspected.issued_by
    );
    if !stdin().is_terminal() {
        return true;
    }
    eprint!("Is this your school? [y/N] ");
    let mut answer = String::new();
    stdin().read_line(&mut answer).is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
