//! Every rpc of the schema, as every role, on one's own district, on another one and on what does not exist: the real
//! server answers as a table says that is written by hand (P13). An rpc without a rule fails the test.

mod raw;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::MethodDescriptor;
use rollcall_proto::{
    access::ACCESS,
    id::{DistrictId, EventId, RunId, SchoolId},
    json::POOL,
    provider::v1::{
        self as pb, Role, import_service_client::ImportServiceClient, log_service_client::LogServiceClient,
        start_import_request::Part, student_service_client::StudentServiceClient,
    },
};
use tonic::Code;

use self::{
    raw::{Answer, call},
    rules::{RULES, Rule, Who},
};
use super::support::{Server, with_token};
use crate::support::START_MS;

const PACKAGE: &str = "rollcall.provider.v1";
/// The stream that ends only with its caller.
const ENDLESS: &str = "TailAttempts";
const STAFF: [Role; 4] = [Role::Owner, Role::Operator, Role::Viewer, Role::Auditor];

/// What a request may name.
struct Place {
    district: String,
    school: String,
    second: String,
    run: String,
    message: String,
}

impl Place {
    /// A district with two schools, a student, a message and an import, all real.
    async fn real(server: &Server, number: u8) -> (Self, String) {
        let name = format!("d-{number}");
        let district = server.district(&name).await.id;
        let (first, second) = (format!("s-{number}"), format!("t-{number}"));
        let school = server.school(&name, &first).await.id;
        let second = server.school(&name, &second).await.id;
        server.connect(&school, false).await;
        let installed = server.enroll(&server.code(&school).await, number).await;

        let enrollment =
            pb::SchoolEnrollment { school_sourced_id: first, role_type: "primary".into(), ..Default::default() };
        let student = pb::Student {
            sourced_id: "p-1".into(),
            status: pb::StudentStatus::Active.into(),
            given_name: "Ada".into(),
            family_name: "Nguyen".into(),
            school_enrollments: vec![enrollment],
            ..Default::default()
        };
        let put = pb::PutStudentRequest { district: name, student: Some(student), ..Default::default() };
        let put = StudentServiceClient::new(server.channel.clone()).put_student(server.owned(put)).await;
        assert_eq!(put.expect("a student").into_inner().events, 1);
        let list = pb::ListMessagesRequest { school: school.clone(), ..Default::default() };
        let listed = LogServiceClient::new(server.channel.clone()).list_messages(server.owned(list)).await;
        let message = listed.expect("a list").into_inner().messages[0].id.clone();
        let run = import(server, &district).await;
        (Self { district, school, second, run, message }, installed.token)
    }

    /// Ids that nothing has.
    fn unknown() -> Self {
        Self {
            district: DistrictId::new(START_MS, [9; 10]).to_string(),
            school: SchoolId::new(START_MS, [9; 10]).to_string(),
            second: SchoolId::new(START_MS, [8; 10]).to_string(),
            run: RunId::new(START_MS, [9; 10]).to_string(),
            message: EventId::new(START_MS, [9; 10]).to_string(),
        }
    }

    fn fill(&self, request: &str) -> String {
        let names = [
            ("$district", &self.district),
            ("$school", &self.school),
            ("$second", &self.second),
            ("$run", &self.run),
            ("$message", &self.message),
        ];
        names.into_iter().fold(request.to_owned(), |request, (name, value)| request.replace(name, value))
    }
}

/// An import that has failed: what was sent is no zip.
async fn import(server: &Server, district: &str) -> String {
    let start = pb::ImportStart {
        district: district.into(),
        file_name: "roster.zip".into(),
        size_bytes: 4,
        ..Default::default()
    };
    let parts = [Part::Start(start), Part::Data(b"none".as_slice().into())]
        .map(|part| pb::StartImportRequest { part: Some(part) });
    let mut client = ImportServiceClient::new(server.channel.clone());
    let run = client.start_import(server.owned(tokio_stream::iter(parts))).await.expect("started").into_inner().id;
    let mut watched = client
        .watch_import(server.owned(pb::GetImportRequest { run: run.clone() }))
        .await
        .expect("watched")
        .into_inner();
    while watched.message().await.expect("a state").is_some() {}
    run
}

/// What the server does, by who asks.
struct Matrix {
    server: Server,
    tokens: BTreeMap<&'static str, (Role, String)>,
    /// The callers' own district, another one, and none.
    places: [Place; 3],
    cells: usize,
    wrong: Vec<String>,
}

impl Matrix {
    async fn new() -> Self {
        let server = Server::start().await;
        let (own, installation) = Place::real(&server, 1).await;
        let (other, _) = Place::real(&server, 2).await;
        let mut tokens =
            BTreeMap::from([("owner", (Role::Owner, server.owner.clone())), ("school", (Role::School, installation))]);
        for (name, role) in [("operator", Role::Operator), ("viewer", Role::Viewer), ("auditor", Role::Auditor)] {
            tokens.insert(name, (role, server.account(name, role, "d-1").await));
        }
        Self { server, tokens, places: [own, other, Place::unknown()], cells: 0, wrong: Vec::new() }
    }

    async fn answer(&mut self, rule: &Rule, method: &MethodDescriptor, place: usize, token: &str) -> Answer {
        self.cells += 1;
        let request = self.places[place].fill(rule.request);
        call(&self.server.channel, method, &request, token, method.name() == ENDLESS).await
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    async fn check(&mut self, rule: &Rule, method: &MethodDescriptor) {
        for token in ["", "rcs_00"] {
            let answer = self.answer(rule, method, 0, token).await;
            let is_open = !is_unknown_caller(&answer) && answer.0 != Code::PermissionDenied;
            self.expect(is_open == (rule.who == Who::Public), || format!("{} by {token:?}: {answer:?}", rule.rpc));
        }
        for (name, (role, token)) in self.tokens.clone() {
            // A session that ends is not the one that goes on.
            let ends = method.name() == "Logout" && role != Role::School;
            let token = if ends { self.server.login(if name == "owner" { "ada" } else { name }).await } else { token };
            let told = |place: &str, answer: &Answer| format!("{} by {name} on {place}: {answer:?}", rule.rpc);
            let own = self.answer(rule, method, 0, &token).await;
            if !may(rule.who, role) {
                self.expect(is_denied(&own), || told("its own", &own));
                for (place, named) in
                    [(1, "another's"), (2, "nothing")].into_iter().take(2 * usize::from(rule.is_scoped))
                {
                    let answer = self.answer(rule, method, place, &token).await;
                    self.expect(answer == own, || told(named, &answer));
                }
                continue;
            }
            self.expect(!is_denied(&own) && !is_unknown_caller(&own), || told("its own", &own));
            if !rule.is_scoped {
                continue;
            }
            let other = self.answer(rule, method, 1, &token).await;
            let unknown = self.answer(rule, method, 2, &token).await;
            self.expect(unknown.0 == Code::NotFound, || told("nothing", &unknown));
            self.expect(own != unknown, || told("its own as on nothing", &own));
            let sees_all = role == Role::Owner;
            self.expect((other != unknown) == sees_all, || told("another's", &other));
            self.expect(!is_denied(&other), || told("another's", &other));
        }
    }
}

/// The role is refused, or nobody may.
fn is_denied(answer: &Answer) -> bool {
    answer.0 == Code::PermissionDenied
}

/// There was no valid token; a wrong password is told in other words.
fn is_unknown_caller(answer: &Answer) -> bool {
    answer.0 == Code::Unauthenticated && answer.1.starts_with("sign in: the token")
}

fn may(who: Who, role: Role) -> bool {
    match who {
        Who::Public => true,
        Who::School => role == Role::School,
        Who::Staff(roles) => role == Role::Owner || roles.contains(&role),
    }
}

/// The schema's rpcs by `Service/Method`.
fn methods() -> BTreeMap<String, MethodDescriptor> {
    let services = POOL.services().filter(|service| service.package_name() == PACKAGE);
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| (format!("{}/{}", method.parent_service().name(), method.name()), method)).collect()
}

#[test]
fn every_rpc_has_a_rule_and_the_schema_says_the_same() {
    let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.rpc).collect();
    let methods = methods();
    let known: BTreeSet<&str> = methods.keys().map(String::as_str).collect();
    let unruled: Vec<_> = known.difference(&ruled).collect();
    assert!(unruled.is_empty(), "say in rules.rs who may call {unruled:?}");
    let gone: Vec<_> = ruled.difference(&known).collect();
    assert!(gone.is_empty(), "these are no rpcs any more: {gone:?}");
    for rule in RULES {
        let allowed = &ACCESS[&format!("/{PACKAGE}.{}", rule.rpc)];
        assert_eq!(allowed.contains(&Role::Public), rule.who == Who::Public, "{}", rule.rpc);
        if rule.who != Who::Public {
            assert_eq!(allowed.contains(&Role::School), may(rule.who, Role::School), "{}", rule.rpc);
            for role in STAFF {
                // An owner may whatever any other role of staff may.
                let by_schema = allowed.contains(&role)
                    || (role == Role::Owner && allowed.iter().any(|allowed| STAFF.contains(allowed)));
                assert_eq!(by_schema, may(rule.who, role), "{} by {}", rule.rpc, role.as_str_name());
            }
        }
    }
}

#[tokio::test]
async fn the_server_answers_every_role_and_scope_as_the_rules_say() {
    let mut matrix = Matrix::new().await;
    let methods = methods();
    for rule in RULES {
        matrix.check(rule, &methods[rule.rpc]).await;
    }
    let (cells, wrong) = (matrix.cells, std::mem::take(&mut matrix.wrong));
    println!("{} rpcs, {cells} calls", methods.len());
    assert!(wrong.is_empty(), "{} of {cells} answers are not as ruled:\n{}", wrong.len(), wrong.join("\n"));
    // Nobody's session ended on the way.
    for (name, (role, token)) in matrix.tokens.iter().filter(|(_, (role, _))| *role != Role::School) {
        let who = matrix.server.staff().who_am_i(with_token(pb::WhoAmIRequest {}, token)).await;
        assert_eq!(who.expect(name).into_inner().role(), *role, "{name}");
    }
    matrix.server.stop().await;
}
