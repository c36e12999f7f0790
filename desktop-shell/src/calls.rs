//! The one call: a method's name and JSON in, JSON or an error out.

use serde_json::Value;

use crate::{
    ErrorCode, Links, Rules, ShellError, Target,
    codec::{from_json, to_json},
    secrets::{self, guard},
    streams::Streams,
    transfer::Files,
};

/// What an app's commands work with. Cheap to clone.
#[derive(Clone)]
pub struct Shell {
    /// Who may call what.
    pub rules: Rules,
    /// The connections.
    pub links: Links,
    /// Open streams.
    pub streams: Streams,
    /// Files that somebody chose.
    pub files: Files,
}

impl Shell {
    /// Without a connection yet.
    pub fn new(rules: Rules) -> Self {
        let links = Links::default();
        Self { rules, streams: Streams::new(links.clone()), links, files: Files::default() }
    }

    /// Makes a call for a window and answers its JSON.
    ///
    /// # Errors
    /// As the server answered, or one of ours where it was not asked.
    pub async fn call(&self, window: &str, method: &str, json: &Value) -> Result<Value, ShellError> {
        let method = self.rules.method(window, method)?;
        if method.is_client_streaming() || method.is_server_streaming() {
            return Err(ShellError::new(ErrorCode::NotAllowed, "this call is a stream"));
        }
        let sees_secrets = self.rules.sees_secrets(window);
        // Sessions are opened by `session`; a window has no use for their tokens.
        if secrets::always_withheld(&method.output()) {
            return Err(ShellError::new(ErrorCode::SecretWithheld, "this call is made by the program itself"));
        }
        let message = from_json(&method.input(), json)?;
        let target = Target::of(&method);
        let answer = self.links.get(target)?.unary(&method, message).await.map_err(ShellError::from);
        self.links.note(target, answer.as_ref().map(|_| ()));
        Ok(to_json(&guard(answer?, sees_secrets)?))
    }
}
