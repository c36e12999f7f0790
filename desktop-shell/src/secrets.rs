//! Answers that carry a secret reach no window but the one that is made to show it.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use zeroize::Zeroize;

use crate::{ErrorCode, ShellError};

/// Fields of answers that carry a secret, by message. A test finds every field that must be here.
const SECRET_FIELDS: [(&str, &[&str]); 5] = [
    ("rollcall.provider.v1.SessionGrant", &["token"]),
    ("rollcall.provider.v1.ShowSecretOnceResponse", &["secret"]),
    ("rollcall.provider.v1.RotateSecretResponse", &["secret"]),
    ("rollcall.provider.v1.RedeemResponse", &["secret", "digest_key", "installation_token", "nonce"]),
    ("rollcall.provider.v1.PullSecretResponse", &["secret", "nonce"]),
];

/// Passes an answer on, unless it carries a secret and the window may not see one.
///
/// # Errors
/// [`ErrorCode::SecretWithheld`]; the secret was overwritten.
pub fn guard(mut answer: DynamicMessage, sees_secrets: bool) -> Result<DynamicMessage, ShellError> {
    let mut carried = false;
    for name in secret_fields(&answer.descriptor()) {
        if !sees_secrets && answer.has_field_by_name(name) {
            carried = true;
            match answer.get_field_by_name_mut(name) {
                Some(Value::String(text)) => text.zeroize(),
                Some(other) => *other = Value::Bytes(Default::default()),
                None => {}
            }
        }
    }
    if carried {
        let words = "the answer carries a secret, which only the window for it may show: nothing was passed on";
        return Err(ShellError::new(ErrorCode::SecretWithheld, words));
    }
    Ok(answer)
}

/// Whether answers of this type carry nothing but credentials, which no window at all may see.
pub fn always_withheld(answer: &MessageDescriptor) -> bool {
    const NEVER: [&str; 3] = ["SessionGrant", "RedeemResponse", "PullSecretResponse"];
    NEVER.contains(&answer.name())
}

fn secret_fields(message: &MessageDescriptor) -> &'static [&'static str] {
    let found = SECRET_FIELDS.iter().find(|(name, _)| *name == message.full_name());
    found.map_or(&[], |(_, fields)| fields)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use prost_reflect::Kind;
    use serde_json::json;

    use super::*;
    use crate::codec::{from_json, pool};

    fn message(name: &str) -> MessageDescriptor {
        pool().get_message_by_name(&format!("rollcall.provider.v1.{name}")).expect("in the schema")
    }

    #[test]
    fn a_secret_reaches_only_its_window() {
        let answer = from_json(&message("RotateSecretResponse"), &json!({"secret": "whsec_x"})).expect("valid");
        assert_eq!(guard(answer.clone(), false).expect_err("withheld").code, ErrorCode::SecretWithheld);
        assert_eq!(guard(answer.clone(), true), Ok(answer));
        let without = from_json(&message("RotateSecretResponse"), &json!({"info": {"id": "sec_1"}})).expect("valid");
        assert_eq!(guard(without.clone(), false), Ok(without));
    }

    /// A field of an answer that is named like a secret is listed above; so a new one cannot be forgotten.
    #[test]
    fn every_secret_of_every_answer_is_listed() {
        const NAMES: [&str; 6] = ["secret", "token", "password", "nonce", "digest_key", "key"];
        // Positions in lists and public fingerprints.
        const HARMLESS: [&str; 3] = ["next_page_token", "page_token", "verified_key"];
        fn walk(top: &str, message: &MessageDescriptor, depth: usize, seen: &mut HashSet<String>) {
            assert!(depth < 20);
            if !seen.insert(message.full_name().to_owned()) {
                return;
            }
            for field in message.fields().filter(|_| !message.is_map_entry()) {
                match field.kind() {
                    Kind::Message(inner) => walk(top, &inner, depth + 1, seen),
                    Kind::String | Kind::Bytes => {
                        let name = field.name();
                        let secret = NAMES.iter().any(|n| name == *n || name.ends_with(&format!("_{n}")));
                        if secret && !HARMLESS.contains(&name) {
                            assert_eq!(
                                top,
                                message.full_name(),
                                "{name} is inside an answer, where `guard` does not look"
                            );
                            assert!(secret_fields(message).contains(&name), "{}.{name}", message.full_name());
                        }
                    }
                    _ => {}
                }
            }
        }
        for service in pool().services() {
            for method in service.methods() {
                walk(method.output().full_name(), &method.output(), 0, &mut HashSet::new());
            }
        }
    }
}
