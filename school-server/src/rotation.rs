//! Rotation: a new secret waits at the provider; it is pulled, stored, then confirmed. From the pull on both verify.

use std::time::Duration;

use rollcall_proto::{
    provider::v1::{
        ConfirmSecretRequest, GetConnectionRequest, PullSecretRequest, RequestRotationRequest,
        school_link_service_client::SchoolLinkServiceClient,
    },
    school::v1::InstallSecretRequest,
    webhook::signature::SigningSecret,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Request, metadata::MetadataValue, transport::Channel};
use zeroize::Zeroizing;

use crate::{
    enroll::blocking,
    error::{AppError, Kind},
    grpc::desk::{Desk, timestamp},
    provider_link,
    secrets::{Claim, Enrollment, SecretStore},
};

/// Between two looks whether a secret waits.
const PULL_INTERVAL: Duration = Duration::from_secs(3_600);
/// The first look after a start, and the first one again after a failure.
const FIRST_PULL: Duration = Duration::from_secs(60);
/// The longest overlap that is believed; after it an old secret no longer verifies here.
const MAX_OVERLAP_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Messages that were signed before the confirm may still be on their way.
const GRACE_MS: u64 = 10 * 60 * 1_000;

/// What is asked of the provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// Ask for a new secret first; else only take one that waits.
    pub request: bool,
    /// The old one leaked: it stops now.
    pub revoke_now: bool,
}

/// The provider's rpc for this school, with its installation token.
struct Link {
    client: SchoolLinkServiceClient<Channel>,
    bearer: MetadataValue<tonic::metadata::Ascii>,
}

impl Link {
    async fn open(enrollment: &Enrollment) -> Result<Self, AppError> {
        let not_enrolled =
            || AppError::new(Kind::BadData, "this receiver was not enrolled by a code: enroll it to use rotations");
        let token = enrollment.installation_token.as_ref().ok_or_else(not_enrolled)?;
        let identity = &enrollment.identity;
        let pin: Option<[u8; 32]> = hex::decode(&identity.provider_pin).ok().and_then(|pin| pin.try_into().ok());
        let channel = provider_link::connect(&identity.provider_address, pin.ok_or_else(not_enrolled)?).await?;
        let text = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let mut bearer = MetadataValue::try_from(text.as_str()).map_err(|_| not_enrolled())?;
        bearer.set_sensitive(true);
        Ok(Self { client: SchoolLinkServiceClient::new(channel), bearer })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}

/// Pulls a waiting secret, stores it through `install` and confirms it. Answers its fingerprint; `None`: none waits.
pub async fn pull<F, I>(
    enrollment: &Enrollment,
    secret_store: &SecretStore,
    ask: Ask,
    now_ms: i64,
    mut install: F,
) -> Result<Option<String>, AppError>
where
    F: FnMut(InstallSecretRequest) -> I,
    I: Future<Output = Result<(), AppError>>,
{
    let mut link = Link::open(enrollment).await?;
    if ask.request {
        let request = link.request(RequestRotationRequest { revoke_now: ask.revoke_now });
        link.client.request_rotation(request).await?;
    }
    let claim_key = blocking(secret_store, |store| store.claim_key(&Claim::Rotation)).await?;
    let request = link.request(PullSecretRequest { claim_key: claim_key.to_vec() });
    let pulled = link.client.pull_secret(request).await?.into_inner();
    if !pulled.waiting {
        retire_previous(&mut link, enrollment, now_ms, install).await?;
        return Ok(None);
    }
    let text = Zeroizing::new(pulled.secret);
    let secret = SigningSecret::parse(&text)
        .map_err(|error| AppError::new(Kind::BadData, format!("the provider's answer: {error}")))?;
    if secret.fingerprint() != pulled.fingerprint {
        return Err(AppError::new(Kind::BadData, "the provider's fingerprint does not fit its secret"));
    }
    let request = |keep_previous: bool, previous_until_ms: Option<i64>| InstallSecretRequest {
        secret: secret.reveal().to_string(),
        secret_id: pulled.secret_id.clone(),
        keep_previous,
        previous_until: previous_until_ms.map(timestamp),
        ..InstallSecretRequest::default()
    };
    // Until the confirm the old one alone signs: its end is not set before the provider knows of the new one.
    install(request(true, None)).await?;
    let confirm = link.request(ConfirmSecretRequest {
        secret_id: pulled.secret_id.clone(),
        claim_key: claim_key.to_vec(),
        proof: secret.prove(&pulled.nonce).to_vec(),
    });
    link.client.confirm_secret(confirm).await?;
    match pulled.overlap_ms.min(MAX_OVERLAP_MS) {
        0 => install(request(false, None)).await?,
        overlap_ms => install(request(true, Some(now_ms + (overlap_ms + GRACE_MS) as i64))).await?,
    }
    blocking(secret_store, |store| store.forget_claim(&Claim::Rotation)).await?;
    Ok(Some(pulled.fingerprint))
}

/// A confirm whose answer was lost left the old secrets without an end. Where the provider signs with the newest one, they
/// are needed only for what is on its way.
async fn retire_previous<F, I>(
    link: &mut Link,
    enrollment: &Enrollment,
    now_ms: i64,
    mut install: F,
) -> Result<(), AppError>
where
    F: FnMut(InstallSecretRequest) -> I,
    I: Future<Output = Result<(), AppError>>,
{
    let Some((newest, previous)) = enrollment.secrets.split_first() else { return Ok(()) };
    if previous.iter().all(|kept| kept.retires_at_ms.is_some()) {
        return Ok(());
    }
    let request = link.request(GetConnectionRequest {});
    let connection = link.client.get_connection(request).await?.into_inner().connection.unwrap_or_default();
    let signs = connection.secrets.iter().any(|known| known.id == newest.id && known.state == "active");
    if !signs {
        return Ok(()); // It was given up at the provider; an old one still signs.
    }
    install(InstallSecretRequest {
        secret_id: newest.id.clone(),
        keep_previous: true,
        previous_until: Some(timestamp(now_ms + GRACE_MS as i64)),
        ..InstallSecretRequest::default()
    })
    .await
}

/// Takes what staff requested, an hour later at most.
pub async fn pull_when_due(desk: Desk, stop: CancellationToken) {
    let (mut wait, mut failures) = (FIRST_PULL, 0);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => wait = PULL_INTERVAL,
        }
        let Some(keys) = desk.keys.get() else { continue };
        if keys.enrollment.installation_token.is_none() {
            continue;
        }
        let install = |request| {
            let desk = desk.clone();
            async move { desk.install(request).await.map_err(AppError::from) }
        };
        let pulling = pull(&keys.enrollment, &desk.secret_store, Ask::default(), desk.clock.now_ms(), install);
        tokio::select! {
            () = stop.cancelled() => return,
            pulled = pulling => {
                failures = if pulled.is_ok() { 0 } else { failures + 1 };
                wait = until_next(failures);
                match pulled {
                    Ok(Some(fingerprint)) => tracing::info!(%fingerprint, "a new secret was pulled and confirmed"),
                    Ok(None) => {}
                    Err(error) => tracing::warn!("no look for a new secret: {error}"),
                }
            }
        }
    }
}

/// The wait before the next look: after a failure short at first, as the provider may hold deliveries until the confirm.
fn until_next(failures: u32) -> Duration {
    match failures {
        0 => PULL_INTERVAL,
        _ => FIRST_PULL.saturating_mul(1 << (failures - 1).min(16)).min(PULL_INTERVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_growing_waits_up_to_the_usual_one() {
        let waits: Vec<u64> = (0..=9).map(|failures| until_next(failures).as_secs()).collect();
        assert_eq!(waits, [3_600, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
        assert_eq!(until_next(u32::MAX), PULL_INTERVAL);
    }
}
