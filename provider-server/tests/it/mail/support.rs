//! Schools with something to tell, and a postman that goes when told.

use std::time::Duration;

use provider_server::{
    mail::{
        MailStatus, Postman, Transport,
        settings::{MailSettings, Tls},
    },
    metrics::Metrics,
    model::delivery::NewDelivery,
    store::{
        Committed,
        changes::ChangeQueue,
        record::{AttemptRow, MessageUpdate},
    },
};
use rollcall_proto::id::{DistrictId, SchoolId};

use super::server::Smtp;
use crate::{
    log::door::{failure, record},
    support::{TestStore, origin, put},
};

/// What no mail may hold: of each student a name and the keys.
pub const CANARY: &str = "Canarygiven";
pub const CANARY_ID: &str = "S-canary";
pub const WINDOW: Duration = Duration::from_secs(60);

/// How mail is sent to a server.
pub fn settings(smtp: &Smtp, tls: Tls) -> MailSettings {
    MailSettings {
        server: ("localhost".into(), smtp.address.port()),
        tls,
        from: "Rollcall <rollcall@district.example>".parse().expect("an address"),
        to: vec![
            "it@district.example".parse().expect("an address"),
            "ada@district.example".parse().expect("an address"),
        ],
        credentials_file: None,
        credentials: None,
        ca_file: None,
        window: WINDOW,
    }
}

/// A postman of this store, and how it does.
pub fn postman(test: &TestStore, settings: MailSettings) -> (Postman, MailStatus, Metrics) {
    let metrics = Metrics::default();
    let status = MailStatus::register(&metrics);
    let transport = Transport::new(settings).unwrap_or_else(|failure| panic!("{failure}"));
    let postman = Postman::new(test.store.clone(), transport, status.clone(), "rollcall.example:7443".into());
    (postman, status, metrics)
}

/// A district with two active schools in time that moves only when told.
pub struct Town {
    pub test: TestStore,
    pub district: DistrictId,
    pub schools: Vec<SchoolId>,
    changes: ChangeQueue,
}

impl Town {
    pub async fn new() -> Self {
        let test = TestStore::new().await;
        let (district, schools) = test.district(&["north", "south"]).await;
        for school in &schools {
            test.activate(*school).await;
        }
        let changes = ChangeQueue::start(test.store.clone());
        Self { test, district, schools, changes }
    }

    /// Makes a message for a school.
    pub async fn message(&mut self, school: &str, student: &str) -> NewDelivery {
        let request = put(self.district, &format!("{CANARY_ID}-{student}"), CANARY, &[school]);
        self.changes.submit(origin(), vec![request]).await.expect("stored").remove(0).expect("accepted");
        let committed = self.test.handed_over().into_iter();
        let mut made = committed.filter_map(|committed| match committed {
            Committed::Deliveries(made) => made.into_iter().next(),
            _ => None,
        });
        made.next().expect("a message")
    }

    /// Parks a new message of a school alone.
    pub async fn park(&mut self, school: &str, student: &str) {
        let made = self.message(school, student).await;
        let message = MessageUpdate { state: "parked", reason: "exhausted", automatic_tries: 5, due_ms: 0 };
        let row = AttemptRow { message: Some(message), status: "parked", next_ms: None, ..failure(&made) };
        record(&self.test.store, vec![row]).await;
    }

    /// Changes rows as the engine or an import does.
    pub async fn set(&self, sql: &'static str) {
        self.test.store.act(move |tx| Box::pin(tx.conn.execute(sql, vec![]))).await.expect("set");
    }

    pub fn advance(&self, time: Duration) {
        self.test.clock.advance(time.as_millis() as i64);
    }
}
