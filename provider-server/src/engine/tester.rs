//! Trying a connection while somebody waits: a `connection.test` event outside the sequence, or an address step by step.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rollcall_proto::{
    id::{EventId, SchoolId},
    webhook::event::{API_VERSION, Envelope, EventType, OrgRef, TestData},
};

use super::{client::Client, sign::sign};
use crate::{
    error::Refusal,
    model::{
        connection_test::{AddressStep, ConnectionTester, Pending, TestOutcome},
        delivery::Trigger,
        explanation::explain,
        outcome::Outcome,
    },
    store::{
        Committed, Store, StoreError,
        audit::{self, AuditAct},
        connections::{self, Names},
        record::{self, AttemptRow, RecordBatch, SchoolUpdate},
    },
};

const GREET_LIMIT: Duration = Duration::from_secs(5);

/// Tries connections with the machine's own client.
pub struct Tester {
    store: Store,
    client: Client,
}

impl Tester {
    /// A tester over this store and this client.
    pub fn new(store: Store, client: Client) -> Self {
        Self { store, client }
    }

    async fn send_test(&self, school: SchoolId, actor: String) -> Result<TestOutcome, StoreError> {
        let shared = self.store.shared();
        let mut reader = self.store.reader().await?;
        let stored = connections::load(&mut reader, shared, school).await?;
        let names = connections::names(&mut reader, school).await?;
        drop(reader);
        let (Some(stored), Some(names)) = (stored, names) else { return Err(Refusal::not_found("the school").into()) };
        let (connection, at_ms) = (stored.connection, self.store.now_ms());
        if connection.url.is_none() {
            return Err(Refusal::precondition("the school has no webhook address yet: connect it first").into());
        }
        if connection.live_secrets(at_ms).next().is_none() {
            return Err(Refusal::precondition("the school has no signing secret yet: enroll it first").into());
        }
        let event = EventId::new(at_ms, shared.entropy.bytes());
        let signed = sign(&connection, event, test_body(event, &names, at_ms), at_ms);
        let outcome = self.client.send(signed, shared.clock.as_ref()).await;
        let answer = TestOutcome {
            ok: outcome.is_success(),
            code: outcome.code,
            detail: in_words(&outcome),
            latency_ms: outcome.latency_us / 1_000,
        };
        let signed_by = connection.live_secrets(at_ms).map(|secret| secret.fingerprint.clone()).collect();
        let batch = RecordBatch {
            attempts: vec![AttemptRow {
                school,
                sequence: 0,
                event,
                event_type: EventType::ConnectionTest,
                student: None,
                sourced_id: "".into(),
                at_ms,
                trigger: Trigger::Test,
                try_number: 1,
                status: if outcome.is_success() { "delivered" } else { "failed" },
                next_ms: None,
                outcome,
                signed_by,
                message: None,
            }],
            schools: vec![SchoolUpdate::unchanged(school)],
        };
        let ok = answer.ok;
        self.store
            .act(move |tx| {
                Box::pin(async move {
                    record::record(tx, &batch).await?;
                    let act = AuditAct::in_district(names.district, &actor, "school.tested", school);
                    audit::append(tx, vec![act.with_detail(event)]).await?;
                    if ok {
                        // What waits for the next probe need not wait longer.
                        tx.after_commit(Committed::Reload(school));
                    }
                    Ok(())
                })
            })
            .await?;
        shared.attempts_recorded();
        Ok(answer)
    }

    async fn check_address(&self, text: String) -> Vec<AddressStep> {
        let dialer = self.client.dialer();
        let mut steps = Vec::with_capacity(5);
        let url = match dialer.policy().vet_url(&text) {
            Ok(url) => url,
            Err(refusal) => return failed(steps, "policy", refusal.to_string()),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return failed(steps, "policy", "the address names no host".into());
        };
        let plaintext = url.scheme() == "http";
        passed(&mut steps, "policy", "the address may be used");
        let sockets = match dialer.resolve(host, port, plaintext).await {
            Ok(sockets) => sockets,
            Err(error) => return failed(steps, "dns", in_words(&Outcome::failed(error.cause, error.detail))),
        };
        let addresses: Vec<String> = sockets.iter().map(|socket| socket.ip().to_string()).collect();
        passed(&mut steps, "dns", &addresses.join(", "));
        let tcp = match dialer.connect_tcp(&sockets).await {
            Ok(tcp) => tcp,
            Err(error) => return failed(steps, "connect", in_words(&Outcome::failed(error.cause, error.detail))),
        };
        passed(&mut steps, "connect", &format!("port {port} takes connections"));
        if plaintext {
            drop(tcp);
        } else {
            match dialer.check_tls(host, tcp).await {
                Ok(()) => passed(&mut steps, "tls", "the certificate is valid for this name"),
                Err(error) => return failed(steps, "tls", in_words(&Outcome::failed(error.cause, error.detail))),
            }
        }
        match self.client.greet(url.clone(), GREET_LIMIT).await {
            // Which code does not matter: a receiver takes nothing but signed messages.
            Ok(code) => passed(&mut steps, "answer", &format!("it answers HTTP ({code})")),
            Err(outcome) => return failed(steps, "answer", in_words(&outcome)),
        }
        steps
    }
}

impl ConnectionTester for Tester {
    fn send_test(&self, school: SchoolId, actor: String) -> Pending<'_, Result<TestOutcome, StoreError>> {
        Box::pin(self.send_test(school, actor))
    }

    fn check_address(&self, url: String) -> Pending<'_, Vec<AddressStep>> {
        Box::pin(self.check_address(url))
    }
}

fn passed(steps: &mut Vec<AddressStep>, step: &'static str, detail: &str) {
    steps.push(AddressStep { step, ok: true, detail: detail.to_owned() });
}

fn failed(mut steps: Vec<AddressStep>, step: &'static str, detail: String) -> Vec<AddressStep> {
    steps.push(AddressStep { step, ok: false, detail });
    steps
}

fn in_words(outcome: &Outcome) -> String {
    if outcome.is_success() {
        return format!("The school's system accepted the test message ({}).", outcome.code);
    }
    explain(outcome.cause, outcome.detail, outcome.code)
}

fn test_body(event: EventId, names: &Names, at_ms: i64) -> Bytes {
    let envelope = Envelope {
        id: event,
        event_type: EventType::ConnectionTest.as_str().into(),
        api_version: API_VERSION.into(),
        timestamp: Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        sequence: None,
        change_id: None,
        district: OrgRef { sourced_id: names.district_sourced_id.clone() },
        school: OrgRef { sourced_id: names.school_sourced_id.clone() },
        source: None,
        data: TestData { message: "A test of the connection: nothing changed.".into() },
    };
    serde_json::to_vec(&envelope).expect("an envelope has a JSON form").into()
}
