//! The text form in which an enrollment is stored. Private to this folder, so that nothing else can serialize a secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_proto::webhook::signature::SigningSecret;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Enrollment, Identity, KeptSecret, StoreError};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    secrets: Vec<StoredSecret>,
    digest_key: Option<String>,
    installation_token: Option<String>,
    #[serde(flatten)]
    identity: Identity,
}

#[derive(Serialize, Deserialize)]
struct StoredSecret {
    id: String,
    secret: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retires_at_ms: Option<i64>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.secrets.iter_mut().for_each(|kept| kept.secret.zeroize());
        self.digest_key.zeroize();
        self.installation_token.zeroize();
    }
}

pub(super) fn encode(enrollment: &Enrollment) -> Zeroizing<Vec<u8>> {
    let secrets = enrollment.secrets.iter().map(|kept| StoredSecret {
        id: kept.id.clone(),
        secret: kept.secret.reveal().to_string(),
        retires_at_ms: kept.retires_at_ms,
    });
    let stored = Stored {
        format: FORMAT,
        secrets: secrets.collect(),
        digest_key: enrollment.digest_key.as_ref().map(|key| STANDARD.encode(key.as_slice())),
        installation_token: enrollment.installation_token.as_ref().map(|token| token.to_string()),
        identity: enrollment.identity.clone(),
    };
    Zeroizing::new(serde_json::to_vec(&stored).expect("plain data"))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Enrollment, StoreError> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged("not our form"))?;
    if stored.format != FORMAT {
        return Err(StoreError::Damaged("written by a newer version"));
    }
    let secrets = stored.secrets.iter().map(|kept| {
        let secret = SigningSecret::parse(&kept.secret).map_err(|_| StoreError::Damaged("a secret"))?;
        Ok(KeptSecret { id: kept.id.clone(), secret, retires_at_ms: kept.retires_at_ms })
    });
    let secrets: Vec<KeptSecret> = secrets.collect::<Result<_, StoreError>>()?;
    if secrets.is_empty() {
        return Err(StoreError::Damaged("no secret in it"));
    }
    let digest_key = stored.digest_key.as_deref().map(key).transpose()?;
    let installation_token = stored.installation_token.clone().map(Zeroizing::new);
    Ok(Enrollment { secrets, digest_key, installation_token, identity: stored.identity.clone() })
}

fn key(text: &str) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| StoreError::Damaged("the digest key"))?);
    let key = bytes.as_slice().try_into().map_err(|_| StoreError::Damaged("the digest key"))?;
    Ok(Zeroizing::new(key))
}
