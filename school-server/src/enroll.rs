//! The school's side of the one-time handoff. A secret is fetched only when it could be kept, is stored before it is
//! confirmed, and is never shown.

use rollcall_keychain::KeychainError;
use rollcall_proto::{
    enrollment::EnrollmentCode,
    provider::v1::{
        ConfirmRequest, ConfirmResponse, InspectRequest, InspectResponse, RedeemRequest, RedeemResponse,
        enrollment_service_client::EnrollmentServiceClient,
    },
    school::v1::{GetStatusRequest, InstallSecretRequest, Status as ReceiverStatus},
    webhook::signature::SigningSecret,
};
use tonic::{Code, transport::Channel};
use zeroize::Zeroizing;

use crate::{
    commands::ReceiverClient,
    error::{AppError, Kind, ServerKeys},
    provider_link::{self, LinkError},
    secrets::{Claim, SecretStore, StoreError},
};

/// How often a lost answer is asked for again.
const TRIES: usize = 3;

/// What came of it.
pub struct Enrolled {
    pub school_name: String,
    pub school_sourced_id: String,
    /// Six words, to be compared with the provider's console.
    pub fingerprint: String,
    /// This installation had confirmed the code before.
    pub already_yours: bool,
}

/// Redeems a code: probe, inspect, `confirmed_by_user`, redeem, store, confirm.
///
/// `host` is how this machine is shown to the provider's staff.
pub async fn enroll(
    code: &EnrollmentCode,
    secret_store: &SecretStore,
    receiver: &mut ReceiverClient,
    host: String,
    confirmed_by_user: impl FnOnce(&InspectResponse) -> bool,
) -> Result<Enrolled, AppError> {
    blocking(secret_store, SecretStore::probe).await?;
    let channel = provider_link::connect(&code.server, code.pin).await?;
    let mut provider = EnrollmentServiceClient::new(channel);

    let inspected = inspect(&mut provider, code).await?;
    let status = receiver.get_status(GetStatusRequest {}).await?.into_inner();
    check_receiver(&status, &inspected, secret_store)?;
    if !confirmed_by_user(&inspected) {
        return Err(AppError::new(Kind::Denied, "stopped: the code was not redeemed").because("not_confirmed"));
    }

    let code_id = hex::encode(code.id);
    let claim_key = {
        let claim = Claim::Code(code_id.clone());
        blocking(secret_store, move |store| store.claim_key(&claim)).await?
    };
    let redeemed = redeem(&mut provider, code, &claim_key, host).await?;
    if redeemed.already_yours {
        let (enrolled, newest) = already_yours(&status, &redeemed)?;
        if newest {
            // Where the answer to the confirm was lost, what it said is still to be done; else it changes nothing.
            let finish = InstallSecretRequest {
                secret_id: redeemed.secret_id,
                start_after_sequence: Some(redeemed.start_after_sequence),
                ..InstallSecretRequest::default()
            };
            receiver.install_secret(finish).await?;
        }
        return Ok(enrolled);
    }
    let text = Zeroizing::new(redeemed.secret.clone());
    let secret = SigningSecret::parse(&text)
        .map_err(|error| AppError::new(Kind::BadData, format!("the provider's answer: {error}")))?;
    if secret.fingerprint() != redeemed.fingerprint {
        return Err(AppError::new(
            Kind::BadData,
            "the provider's fingerprint does not fit its secret: nothing was kept",
        ));
    }
    let install = |start_after: Option<u64>| InstallSecretRequest {
        secret: secret.reveal().to_string(),
        secret_id: redeemed.secret_id.clone(),
        digest_key: redeemed.digest_key.clone(),
        installation_token: redeemed.installation_token.clone(),
        school_id: redeemed.school_id.clone(),
        school_sourced_id: redeemed.school_sourced_id.clone(),
        school_name: redeemed.school_name.clone(),
        district_sourced_id: redeemed.district_sourced_id.clone(),
        provider_address: code.server.clone(),
        provider_pin: hex::encode(code.pin),
        // Until the provider confirms, an older enrollment still counts.
        keep_previous: start_after.is_none(),
        start_after_sequence: start_after,
        previous_until: None,
    };
    receiver.install_secret(install(None)).await?;
    let request =
        ConfirmRequest { code_id, claim_key: claim_key.to_vec(), proof: secret.prove(&redeemed.nonce).to_vec() };
    let confirmed = confirm(&mut provider, request).await?;
    receiver.install_secret(install(Some(confirmed.start_after_sequence))).await?;
    // The claim key stays until another code is redeemed: it tells the provider that this code is ours.
    Ok(Enrolled {
        school_name: redeemed.school_name,
        school_sourced_id: redeemed.school_sourced_id,
        fingerprint: redeemed.fingerprint,
        already_yours: false,
    })
}

async fn inspect(
    provider: &mut EnrollmentServiceClient<Channel>,
    code: &EnrollmentCode,
) -> Result<InspectResponse, AppError> {
    let request = InspectRequest { code_id: hex::encode(code.id), code_secret: code.secret.to_vec() };
    let inspected = provider.inspect(request).await.map_err(code_error)?.into_inner();
    let refused = |reason, words: &str| Err(AppError::new(Kind::BadData, words).because(reason));
    match inspected.state.as_str() {
        "issued" | "claimed" | "confirmed" => Ok(inspected),
        "expired" => refused("code_expired", "the code has expired: ask the provider for a new one"),
        "revoked" => refused("code_revoked", "the code was revoked: ask the provider for a new one"),
        "locked" => {
            refused("code_locked", "the code is locked after too many wrong tries: ask the provider for a new one")
        }
        "compromised" => refused(
            "code_compromised",
            "the code was redeemed by two parties, so everything was destroyed: tell the provider, and ask for a new one",
        ),
        other => Err(AppError::new(Kind::BadData, format!("the code cannot be redeemed (its state is {other})"))),
    }
}

/// What would burn the code for nothing is found before it is redeemed.
fn check_receiver(
    status: &ReceiverStatus,
    inspected: &InspectResponse,
    secret_store: &SecretStore,
) -> Result<(), AppError> {
    let held = &status.school_sourced_id;
    if !held.is_empty() && *held != inspected.school_sourced_id {
        return Err(AppError::config(format!(
            "data_dir: it belongs to school {held}, the code is for {}: use another --data-dir",
            inspected.school_sourced_id
        ))
        .because("other_school"));
    }
    if status.secret_store != secret_store.name() {
        return Err(AppError::config(format!(
            "secret_store: the running receiver keeps its secret in `{}`, not in `{}`",
            status.secret_store,
            secret_store.name()
        )));
    }
    Ok(())
}

async fn redeem(
    provider: &mut EnrollmentServiceClient<Channel>,
    code: &EnrollmentCode,
    claim_key: &[u8; 32],
    host: String,
) -> Result<RedeemResponse, AppError> {
    let request = RedeemRequest {
        code_id: hex::encode(code.id),
        code_secret: code.secret.to_vec(),
        claim_key: claim_key.to_vec(),
        host: host.chars().take(255).collect(),
    };
    for _ in 1..TRIES {
        match provider.redeem(request.clone()).await {
            Err(status) if is_lost(status.code()) => {}
            answer => return answer.map(tonic::Response::into_inner).map_err(code_error),
        }
    }
    provider.redeem(request).await.map(tonic::Response::into_inner).map_err(code_error)
}

async fn confirm(
    provider: &mut EnrollmentServiceClient<Channel>,
    request: ConfirmRequest,
) -> Result<ConfirmResponse, AppError> {
    for _ in 1..TRIES {
        match provider.confirm(request.clone()).await {
            Err(status) if is_lost(status.code()) => {}
            answer => return answer.map(tonic::Response::into_inner).map_err(code_error),
        }
    }
    provider.confirm(request).await.map(tonic::Response::into_inner).map_err(|status| {
        let words = "the provider did not answer the confirmation: run the same command again within 10 minutes";
        if is_lost(status.code()) { AppError::new(Kind::Unreachable, words) } else { code_error(status) }
    })
}

/// A code that this installation confirmed before: right if the secret is in place, or one that followed it in a rotation;
/// else lost for good. Also answers whether it is the newest: only then nothing that came later can be undone.
fn already_yours(status: &ReceiverStatus, redeemed: &RedeemResponse) -> Result<(Enrolled, bool), AppError> {
    let newest = status.fingerprints.first() == Some(&redeemed.fingerprint);
    let held = newest || status.fingerprints.contains(&redeemed.fingerprint);
    let rotated = !redeemed.school_id.is_empty() && status.school_id == redeemed.school_id;
    let (true, Some(fingerprint)) = (held || rotated, status.fingerprints.first()) else {
        let words =
            "this installation confirmed the code before, but its secret is gone: ask the provider for a new code";
        return Err(AppError::new(Kind::BadData, words).because("secret_gone"));
    };
    let enrolled = Enrolled {
        school_name: status.school_name.clone(),
        school_sourced_id: status.school_sourced_id.clone(),
        fingerprint: fingerprint.clone(),
        already_yours: true,
    };
    Ok((enrolled, newest))
}

fn is_lost(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)
}

/// The provider's refusals in the words of somebody who holds a code.
fn code_error(status: tonic::Status) -> AppError {
    let (reason, words) = match status.code() {
        Code::NotFound => {
            ("code_unknown", "the provider does not know this code: check it, or ask for a new one".to_owned())
        }
        Code::AlreadyExists => (
            "code_used",
            format!(
                "the code was redeemed by somebody else{}. Tell the provider: both sides see an alarm. Nothing was kept \
                 here",
                if status.message().is_empty() { String::new() } else { format!(" ({})", status.message()) }
            ),
        ),
        Code::ResourceExhausted => ("too_many_tries", "too many tries: wait a few minutes and try again".to_owned()),
        Code::FailedPrecondition => ("code_refused", format!("the code cannot be redeemed: {}", status.message())),
        _ => return status.into(),
    };
    let kind = if status.code() == Code::ResourceExhausted { Kind::Denied } else { Kind::BadData };
    AppError::new(kind, words).because(reason)
}

/// Runs a call on the secret store without blocking the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    store: &SecretStore,
    call: impl FnOnce(&SecretStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, AppError> {
    let store = store.clone();
    let result = tokio::task::spawn_blocking(move || call(&store)).await;
    result.unwrap_or(Err(StoreError::Damaged("using it broke"))).map_err(AppError::from)
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        let words = error.to_string();
        match error {
            StoreError::Keychain(error) => Self::new(Kind::Denied, words).because(match error {
                KeychainError::Locked(_) | KeychainError::Timeout(_) => "keychain_locked",
                KeychainError::NoService(_) => "keychain_absent",
                KeychainError::ReadBackDiffers => "keychain_differs",
                KeychainError::NoEntry | KeychainError::Other(_) => "keychain_failed",
            }),
            _ => Self::config(words),
        }
    }
}

impl From<LinkError> for AppError {
    fn from(error: LinkError) -> Self {
        let words = error.to_string();
        match error {
            LinkError::Unreachable { .. } => Self::new(Kind::Unreachable, words).because("unreachable"),
            LinkError::WrongKey { expected, shown, .. } => {
                Self::new(Kind::Denied, words).because("wrong_server").with_keys(ServerKeys { expected, shown })
            }
            LinkError::Address(_) => Self::new(Kind::BadData, words).because("bad_address"),
        }
    }
}
