//! What the window of School Desk may ask of the receiver and of the provider.

use desktop_shell::{Rules, rules::WindowRule};

/// Nothing that is not listed here is ever sent. Calls that carry a secret are made by this program itself.
pub const RULES: Rules = Rules(&[WindowRule {
    label: "main",
    methods: &[
        "ReceiverService/GetStatus",
        "ReceiverService/ListStudents",
        "ReceiverService/ExportRoster",
        "ReceiverService/GetRosterDigest",
        "ReceiverService/ListEvents",
        "ReceiverService/TailEvents",
        "ReceiverService/CheckSignature",
        "ReceiverService/ListStudentHistory",
        "ReceiverService/ListGaps",
        "ReceiverService/ListAlerts",
        "SchoolLinkService/GetConnection",
        "SchoolLinkService/ListOwnAttempts",
        "SchoolLinkService/ReplaySince",
        "SchoolLinkService/RequestTestEvent",
    ],
    sees_secrets: false,
}]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_method_is_in_the_schema() {
        for listed in RULES.0.iter().flat_map(|rule| rule.methods) {
            let (service, method) = listed.split_once('/').expect("Service/Method");
            assert!(desktop_shell::rules::find(service, method).is_some(), "{listed}");
        }
    }
}
