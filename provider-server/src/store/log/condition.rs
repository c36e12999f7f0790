//! A filter as SQL over `attempts a`.

use super::{Conn, Row, StoreError, Value};
use crate::model::log_filter::{AttemptStatus, CodeTest, LogFilter, Span, StudentKey, Test};
use rollcall_proto::webhook::event::EventType;

/// Attempts that were no first, automatic success; word for word the condition of their partial index.
pub const TROUBLE: &str = "(a.status <> 'delivered' OR a.try_number > 1 OR a.trigger_kind <> 'automatic')";

/// A statement under construction, its text and its values.
#[derive(Default)]
pub struct Statement {
    text: String,
    values: Vec<Value>,
}

impl Statement {
    /// Begins with this text.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Adds text.
    pub fn sql(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Adds a list of values in brackets; at least one.
    pub fn list<T: Into<Value>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self = self.sql(if index == 0 { "(" } else { "," }).bind(value);
        }
        self.sql(")")
    }

    /// Adds ` AND …` for each word of the filter.
    pub fn filter(mut self, filter: &LogFilter, now_ms: i64) -> Self {
        if filter.is_about_trouble() {
            self = self.sql(" AND ").sql(TROUBLE);
        }
        for term in &filter.terms {
            self = self.sql(if term.excluded { " AND NOT (" } else { " AND (" }).test(&term.test, now_ms).sql(")");
        }
        self
    }

    /// Adds a bound on the making of messages `e`.
    pub fn created_since(self, since_ms: Option<i64>) -> Self {
        match since_ms {
            Some(ms) => self.sql(" AND e.created_ms >= ").bind(ms),
            None => self,
        }
    }

    /// Runs it as a query.
    pub async fn query(self, conn: &mut Conn) -> Result<Vec<Row>, StoreError> {
        conn.query(&self.text, self.values).await
    }

    // No test is ever NULL, so that its negation is its opposite.
    fn test(self, test: &Test, now_ms: i64) -> Self {
        match test {
            Test::Status(values) if values.contains(&AttemptStatus::Failed) => {
                // Failed is everything but delivered.
                let all = values.contains(&AttemptStatus::Delivered);
                self.sql(if all { "1 = 1" } else { "a.status <> 'delivered'" })
            }
            Test::Status(values) => self.sql("a.status IN ").list(values.iter().map(|status| status.as_str())),
            Test::Code(values) => self.any(values, |sql, value| match value {
                CodeTest::Codes(span) => sql.span("a.code", *span),
                CodeTest::Cause(cause) => sql.sql("a.cause = ").bind(cause.as_str()),
            }),
            Test::Cause(values) => self.sql("a.cause IN ").list(values.iter().map(|cause| cause.as_str())),
            Test::Event(patterns) => {
                let fits = |event_type: &EventType| patterns.iter().any(|pattern| pattern.matches(*event_type));
                let types = EventType::ALL.into_iter().filter(fits);
                self.sql("a.event_type IN ").list(types.map(|event_type| event_type.as_str()))
            }
            Test::Student(values) => self.any(values, |sql, value| match value {
                StudentKey::SourcedId(id) => sql.sql("a.sourced_id = ").bind(id),
                StudentKey::Id(id) => sql.sql("a.student_id IS NOT NULL AND a.student_id = ").bind(*id),
            }),
            Test::Message(ids) => self.sql("a.event_id IN ").list(ids.iter().copied()),
            Test::Trigger(values) => self.sql("a.trigger_kind IN ").list(values.iter().map(|trigger| trigger.as_str())),
            Test::Try(spans) => self.any(spans, |sql, span| sql.span("a.try_number", *span)),
            Test::Latency(spans) => self.any(spans, |sql, span| sql.span("a.latency_us", *span)),
            Test::Since(when) => self.sql("a.at_ms >= ").bind(when.unix_ms(now_ms)),
            Test::Until(when) => self.sql("a.at_ms < ").bind(when.unix_ms(now_ms)),
        }
    }

    fn any<T>(mut self, values: &[T], one: impl Fn(Self, &T) -> Self) -> Self {
        for (index, value) in values.iter().enumerate() {
            self = one(self.sql(if index == 0 { "(" } else { ") OR (" }), value);
        }
        self.sql(")")
    }

    fn span(self, column: &str, span: Span) -> Self {
        match span {
            Span { from, to } if from == to => self.sql(column).sql(" = ").bind(from),
            Span { from, to: Span::MAX } => self.sql(column).sql(" >= ").bind(from),
            Span { from, to } => self.sql(column).sql(" BETWEEN ").bind(from).sql(" AND ").bind(to),
        }
    }
}
