//! Which window may make which calls. What is not listed is refused before anything is sent.

use prost_reflect::MethodDescriptor;

use crate::{ErrorCode, ShellError, codec::pool};

/// Windows of a kind: one label, or all labels that start with a text that ends in `-`.
#[derive(Clone, Copy)]
pub struct WindowRule {
    /// `main`, `webhook-logs-`, …
    pub label: &'static str,
    /// `Service/Method`, or `Service/*`.
    pub methods: &'static [&'static str],
    /// Whether an answer may carry a secret into it.
    pub sees_secrets: bool,
}

/// The rules of an app.
#[derive(Clone, Copy)]
pub struct Rules(pub &'static [WindowRule]);

impl Rules {
    /// The method of this name, if the window may call it.
    ///
    /// # Errors
    /// [`ErrorCode::NotAllowed`], alike for methods that do not exist.
    pub fn method(&self, window: &str, name: &str) -> Result<MethodDescriptor, ShellError> {
        let refused = || ShellError::new(ErrorCode::NotAllowed, "this window may not make this call");
        let rule = self.of(window).ok_or_else(refused)?;
        let (service, method) = name.split_once('/').ok_or_else(refused)?;
        let listed = rule
            .methods
            .iter()
            .any(|listed| *listed == name || listed.strip_suffix("/*").is_some_and(|all| all == service));
        if !listed {
            return Err(refused());
        }
        find(service, method).ok_or_else(refused)
    }

    /// Whether an answer may carry a secret into this window.
    pub fn sees_secrets(&self, window: &str) -> bool {
        self.of(window).is_some_and(|rule| rule.sees_secrets)
    }

    fn of(&self, window: &str) -> Option<&WindowRule> {
        self.0.iter().find(|rule| match rule.label.strip_suffix('-') {
            Some(_) => window.len() > rule.label.len() && window.starts_with(rule.label),
            None => window == rule.label,
        })
    }
}

/// A method by its service's short name; those are unique in the schema.
pub fn find(service: &str, method: &str) -> Option<MethodDescriptor> {
    let service = pool().services().find(|found| found.name() == service)?;
    service.methods().find(|found| found.name() == method)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const RULES: Rules = Rules(&[
        WindowRule { label: "main", methods: &["StudentService/*", "SchoolService/GetSchool"], sees_secrets: false },
        WindowRule { label: "webhook-logs-", methods: &["LogService/ListAttempts"], sees_secrets: false },
    ]);

    #[test]
    fn a_window_makes_the_listed_calls_and_no_other() {
        let allowed = |window, method| RULES.method(window, method).is_ok();
        assert!(allowed("main", "StudentService/PutStudent") && allowed("main", "SchoolService/GetSchool"));
        assert!(allowed("webhook-logs-sch_1", "LogService/ListAttempts"));
        for (window, method) in [
            ("main", "SchoolService/PauseSchool"),
            ("main", "StudentService/Nothing"),
            ("main", "StudentService"),
            ("main", "StudentService/*"),
            ("main", "LogService/ListAttempts"),
            ("main2", "StudentService/PutStudent"),
            ("webhook-logs-", "LogService/ListAttempts"),
            ("webhook-logs-x", "LogService/ReplayAll"),
            ("other", "StudentService/PutStudent"),
            ("", ""),
        ] {
            assert!(!allowed(window, method), "{window} {method}");
        }
    }

    #[test]
    fn services_have_unique_short_names() {
        let ours: Vec<_> = pool().services().map(|service| service.name().to_owned()).collect();
        assert_eq!(ours.iter().collect::<HashSet<_>>().len(), ours.len());
    }
}
