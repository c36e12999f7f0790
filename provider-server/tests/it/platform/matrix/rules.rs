//! Who may call what, written down once more by hand: what the schema's option says is compared with it, and so is what
//! the server does.

use rollcall_proto::provider::v1::Role::{self, Auditor, Operator, Viewer};

/// Who may call an rpc.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, without a token.
    Public,
    /// A school's installation.
    School,
    /// Owners, and staff with one of these roles.
    Staff(&'static [Role]),
}

/// One rpc.
pub struct Rule {
    /// `Service/Method`.
    pub rpc: &'static str,
    pub who: Who,
    /// Whether the request names something of a district.
    pub is_scoped: bool,
    /// The request as JSON, good enough to be refused by nothing but the right to it. `$district`, `$school`, `$second`
    /// (another school), `$run` and `$message` are the caller's own, another district's or unknown.
    pub request: &'static str,
}

const PUBLIC: Who = Who::Public;
const SCHOOL: Who = Who::School;
const OWNER: Who = Who::Staff(&[]);
const CHANGE: Who = Who::Staff(&[Operator]);
const ROSTER: Who = Who::Staff(&[Viewer, Operator]);
const READ: Who = Who::Staff(&[Viewer, Auditor, Operator]);
const AUDIT: Who = Who::Staff(&[Auditor]);

const fn open(rpc: &'static str, who: Who, request: &'static str) -> Rule {
    Rule { rpc, who, is_scoped: false, request }
}

const fn scoped(rpc: &'static str, who: Who, request: &'static str) -> Rule {
    Rule { rpc, who, is_scoped: true, request }
}

/// Every rpc, some with several requests.
pub const RULES: &[Rule] = &[
    open("DistrictService/CreateDistrict", OWNER, r#"{"name": "District x", "sourcedId": "d-x"}"#),
    open("DistrictService/ListDistricts", READ, "{}"),
    scoped("SchoolService/CreateSchool", CHANGE, r#"{"district": "$district", "name": "X", "sourcedId": "x"}"#),
    scoped("SchoolService/ListSchools", READ, r#"{"district": "$district"}"#),
    open("SchoolService/ListSchools", READ, "{}"),
    scoped("SchoolService/GetSchool", READ, r#"{"school": "$school"}"#),
    scoped("SchoolService/UpdateSchool", CHANGE, r#"{"school": "$school", "name": "Another name"}"#),
    scoped("SchoolService/DeleteSchool", CHANGE, r#"{"school": "$school", "confirmName": "not its name"}"#),
    scoped("SchoolService/ConnectSchool", CHANGE, r#"{"school": "$school", "url": "http://127.0.0.1:9/webhook"}"#),
    open("SchoolService/TestAddress", CHANGE, r#"{"url": "http://127.0.0.1:9/webhook"}"#),
    scoped("SchoolService/IssueCode", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/RevokeCode", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/ShowSecretOnce", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/RotateSecret", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/PauseSchool", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/ResumeSchool", CHANGE, r#"{"school": "$school"}"#),
    scoped("SchoolService/SendTestEvent", CHANGE, r#"{"school": "$school"}"#),
    open("EnrollmentService/Inspect", PUBLIC, "{}"),
    open("EnrollmentService/Redeem", PUBLIC, "{}"),
    open("EnrollmentService/Confirm", PUBLIC, "{}"),
    open("SchoolLinkService/GetConnection", SCHOOL, "{}"),
    open("SchoolLinkService/RequestRotation", SCHOOL, "{}"),
    open("SchoolLinkService/PullSecret", SCHOOL, "{}"),
    open("SchoolLinkService/ConfirmSecret", SCHOOL, "{}"),
    open("SchoolLinkService/ListOwnAttempts", SCHOOL, "{}"),
    open("SchoolLinkService/ReplaySince", SCHOOL, r#"{"afterSequence": "1", "dryRun": true}"#),
    open("SchoolLinkService/RequestTestEvent", SCHOOL, "{}"),
    scoped(
        "StudentService/PutStudent",
        CHANGE,
        r#"{"district": "$district", "dryRun": true,
            "student": {"sourcedId": "p-1", "givenName": "Ada", "familyName": "Nguyen"}}"#,
    ),
    scoped("StudentService/GetStudent", ROSTER, r#"{"district": "$district", "sourcedId": "p-1"}"#),
    scoped("StudentService/ListStudents", ROSTER, r#"{"district": "$district"}"#),
    scoped("StudentService/ListStudents", ROSTER, r#"{"district": "$district", "school": "$school"}"#),
    scoped("StudentService/ListStudentVersions", ROSTER, r#"{"district": "$district", "sourcedId": "p-1"}"#),
    scoped(
        "StudentService/EnrollStudent",
        CHANGE,
        r#"{"district": "$district", "sourcedId": "p-1", "school": "$second", "roleType": "secondary", "dryRun": true}"#,
    ),
    scoped(
        "StudentService/WithdrawStudent",
        CHANGE,
        r#"{"district": "$district", "sourcedId": "p-1", "school": "$school", "dryRun": true}"#,
    ),
    scoped(
        "StudentService/TransferStudent",
        CHANGE,
        r#"{"district": "$district", "sourcedId": "p-1", "fromSchool": "$school", "toSchool": "$second",
            "dryRun": true}"#,
    ),
    scoped("StudentService/DeleteStudent", CHANGE, r#"{"district": "$district", "sourcedId": "p-1", "dryRun": true}"#),
    // Of nobody, so that the others find theirs.
    scoped(
        "StudentService/EraseStudent",
        CHANGE,
        r#"{"district": "$district", "sourcedId": "p-9", "confirmSourcedId": "p-9", "reason": "asked for"}"#,
    ),
    scoped("StudentService/Apply", CHANGE, r#"{"district": "$district", "tag": "1", "delete": {"sourcedId": "p-9"}}"#),
    scoped("StudentService/ExportRoster", ROSTER, r#"{"school": "$school", "reason": "asked for"}"#),
    scoped("StudentService/GetRosterDigest", READ, r#"{"school": "$school"}"#),
    scoped(
        "ImportService/StartImport",
        CHANGE,
        r#"{"start": {"district": "$district", "fileName": "roster.zip", "sizeBytes": "4"}}"#,
    ),
    scoped("ImportService/GetImport", ROSTER, r#"{"run": "$run"}"#),
    scoped("ImportService/ListImports", ROSTER, r#"{"district": "$district"}"#),
    scoped("ImportService/WatchImport", ROSTER, r#"{"run": "$run"}"#),
    scoped("ImportService/ListProblems", ROSTER, r#"{"run": "$run"}"#),
    scoped("ImportService/ExportProblems", ROSTER, r#"{"run": "$run"}"#),
    scoped("ImportService/ListPlannedChanges", ROSTER, r#"{"run": "$run"}"#),
    scoped("ImportService/ApproveImport", CHANGE, r#"{"run": "$run"}"#),
    scoped("ImportService/DiscardImport", CHANGE, r#"{"run": "$run"}"#),
    scoped("ImportService/CancelImport", CHANGE, r#"{"run": "$run"}"#),
    scoped("ImportService/UndoImport", CHANGE, r#"{"run": "$run"}"#),
    scoped("LogService/ListAttempts", READ, r#"{"school": "$school"}"#),
    scoped("LogService/TailAttempts", READ, r#"{"school": "$school"}"#),
    scoped("LogService/GetMessage", READ, r#"{"message": "$message"}"#),
    scoped("LogService/ListMessages", READ, r#"{"school": "$school"}"#),
    scoped("LogService/ResendMessage", CHANGE, r#"{"message": "$message"}"#),
    scoped("LogService/Replay", CHANGE, r#"{"school": "$school", "dryRun": true}"#),
    scoped("LogService/CancelReplay", CHANGE, r#"{"school": "$school"}"#),
    scoped("LogService/ExportAttempts", READ, r#"{"school": "$school", "format": "csv"}"#),
    scoped("LogService/ListUndelivered", READ, r#"{"school": "$school"}"#),
    scoped("LogService/ListUndelivered", READ, r#"{"district": "$district"}"#),
    open("LogService/ListUndelivered", READ, "{}"),
    scoped(
        "LogService/DiscardMessages",
        CHANGE,
        r#"{"school": "$school", "messages": ["$message"], "reason": "asked for"}"#,
    ),
    scoped("LogService/UndoDiscard", CHANGE, r#"{"school": "$school", "undo": "none"}"#),
    scoped("LogService/GetHistogram", READ, r#"{"school": "$school"}"#),
    scoped("LogService/GetOverview", READ, r#"{"district": "$district"}"#),
    open("LogService/GetOverview", READ, "{}"),
    scoped("LogService/GetStats", READ, r#"{"school": "$school"}"#),
    scoped("AuditService/ListAudit", AUDIT, r#"{"district": "$district"}"#),
    open("AuditService/VerifyAudit", AUDIT, "{}"),
    open("StaffService/GetServerInfo", PUBLIC, "{}"),
    open("StaffService/ClaimOwner", PUBLIC, "{}"),
    open("StaffService/Login", PUBLIC, "{}"),
    open("StaffService/Logout", READ, "{}"),
    open("StaffService/WhoAmI", READ, "{}"),
    open("StaffService/CreateStaff", OWNER, "{}"),
    open("StaffService/ListStaff", OWNER, "{}"),
    open("StaffService/UpdateStaff", OWNER, "{}"),
    open("StaffService/RevokeSessions", OWNER, "{}"),
    open("StaffService/DisableStaff", OWNER, "{}"),
];
