//! `check-signature`.

use std::io::{Read, stdin};

use rollcall_proto::{json::to_json, school::v1::CheckSignatureRequest};

use super::{ReceiverClient, print};
use crate::{
    cli::CheckSignature,
    error::{AppError, Kind},
};

const MAX_BYTES: u64 = 1024 * 1024 - 8 * 1024;

/// Why a pasted request's signature does not verify.
pub async fn signature(client: &mut ReceiverClient, pasted: CheckSignature, json: bool) -> Result<(), AppError> {
    let body = read_body(&pasted)?;
    let received_at = pasted.received_at.as_deref().map(str::parse::<jiff::Timestamp>).transpose();
    let received_at = received_at.map_err(|error| AppError::new(Kind::Usage, format!("--received-at: {error}")))?;
    let request = CheckSignatureRequest {
        webhook_id: pasted.id,
        webhook_timestamp: pasted.timestamp,
        webhook_signature: pasted.signature,
        body,
        received_at: received_at.map(|at| prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }),
        expected_sha256: pasted.expected_sha256,
        expected_bytes: 0,
    };
    let found = client.check_signature(request).await?.into_inner();
    if json {
        print(&to_json(&found).to_string())?;
    } else {
        for check in &found.checks {
            print(&format!("{}  {:<10} {}", if check.ok { "ok " } else { "NOT" }, check.step, check.evidence))?;
        }
        print(&format!("cause: {}\n{}", found.likely_cause, found.advice))?;
    }
    if found.verified { Ok(()) } else { Err(AppError::new(Kind::CheckFailed, "the signature does not verify")) }
}

/// A file that cannot be read was named wrongly; what is in it may be bad data.
fn read_body(pasted: &CheckSignature) -> Result<Vec<u8>, AppError> {
    let mut body = Vec::new();
    let read = if pasted.body.as_os_str() == "-" {
        stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut body)
    } else {
        std::fs::File::open(&pasted.body).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut body))
    };
    read.map_err(|error| AppError::new(Kind::Usage, format!("--body {}: {error}", pasted.body.display())))?;
    if body.len() as u64 > MAX_BYTES {
        return Err(AppError::new(Kind::BadData, "body: it is larger than a receiver reads"));
    }
    Ok(body)
}
