//! What each window of the Provider Console may ask of the server.

use desktop_shell::{Rules, rules::WindowRule};

/// Nothing that is not listed here is ever sent.
pub const RULES: Rules = Rules(&[
    WindowRule {
        label: "main",
        methods: &[
            "StaffService/GetServerInfo",
            "StaffService/WhoAmI",
            "StaffService/CreateStaff",
            "StaffService/ListStaff",
            "StaffService/DisableStaff",
            "StaffService/UpdateStaff",
            "StaffService/RevokeSessions",
            "DistrictService/*",
            "SchoolService/CreateSchool",
            "SchoolService/ListSchools",
            "SchoolService/GetSchool",
            "SchoolService/UpdateSchool",
            "SchoolService/DeleteSchool",
            "SchoolService/ConnectSchool",
            "SchoolService/TestAddress",
            "SchoolService/IssueCode",
            "SchoolService/RevokeCode",
            // For an installation; a school's own receiver gets its new secret in the window for it.
            "SchoolService/RotateSecret",
            "SchoolService/PauseSchool",
            "SchoolService/ResumeSchool",
            "SchoolService/SendTestEvent",
            "StudentService/PutStudent",
            "StudentService/GetStudent",
            "StudentService/ListStudents",
            "StudentService/ListStudentVersions",
            "StudentService/EnrollStudent",
            "StudentService/WithdrawStudent",
            "StudentService/TransferStudent",
            "StudentService/DeleteStudent",
            "StudentService/EraseStudent",
            "StudentService/ExportRoster",
            "StudentService/GetRosterDigest",
            "ImportService/*",
            "LogService/*",
            "AuditService/*",
        ],
        sees_secrets: false,
    },
    WindowRule {
        label: "webhook-logs-",
        methods: &["LogService/*", "SchoolService/GetSchool", "SchoolService/SendTestEvent", "StaffService/WhoAmI"],
        sees_secrets: false,
    },
    WindowRule {
        label: "secret-once",
        methods: &["SchoolService/ShowSecretOnce", "SchoolService/RotateSecret", "SchoolService/GetSchool"],
        sees_secrets: true,
    },
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_method_is_in_the_schema() {
        for rule in RULES.0 {
            for listed in rule.methods {
                let (service, method) = listed.split_once('/').expect("Service/Method");
                let found = match method {
                    "*" => desktop_shell::codec::pool().services().any(|found| found.name() == service),
                    _ => desktop_shell::rules::find(service, method).is_some(),
                };
                assert!(found, "{listed}");
            }
        }
    }
}
