//! Undelivered messages in groups, and the histogram.

use rollcall_proto::provider::v1 as pb;

use crate::ctl::{
    client::Session,
    failure::{Outcome, exit},
    output::{Output, time},
};

/// A group as it is typed: STATE,REASON,CAUSE,CODE as `ctl log undelivered` shows it; the end may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(pub pb::MessageGroup);

impl std::str::FromStr for GroupName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (state, reason, cause, code) = (next(), next(), next(), next());
        let code = match code.as_str() {
            "" => 0,
            code => code.parse().map_err(|_| "CODE must be a number".to_owned())?,
        };
        if state.is_empty() || parts.next().is_some() {
            return Err("expected STATE,REASON,CAUSE,CODE, for example parked,exhausted,http,422".into());
        }
        Ok(Self(pb::MessageGroup { state, reason, cause, code }))
    }
}

fn name(group: &pb::MessageGroup) -> String {
    let code = if group.code == 0 { String::new() } else { group.code.to_string() };
    let text = [&group.state, &group.reason, &group.cause, &code].map(String::as_str).join(",");
    text.trim_end_matches(',').to_owned()
}

/// Every group, a page at a time.
pub async fn undelivered(mut request: pb::ListUndeliveredRequest, session: &Session, output: &Output) -> Outcome {
    loop {
        let page = session.log().list_undelivered(session.call(request.clone())).await?.into_inner();
        let headers = ["SCHOOL", "GROUP", "MESSAGES", "FIRST", "LAST", "SAMPLE", "WHY"];
        output.list(&headers, &page.groups, |found| {
            vec![
                found.school_name.clone(),
                name(&found.group.clone().unwrap_or_default()),
                format!("{}{}", found.messages, if found.more { "+" } else { "" }),
                time(found.first_at.as_ref()),
                time(found.last_at.as_ref()),
                found.sample_message.clone(),
                found.explanation.clone(),
            ]
        })?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(exit::OK);
        }
    }
}

/// Attempts by bucket; for people, the empty buckets are left out.
pub async fn histogram(request: pb::GetHistogramRequest, session: &Session, output: &Output) -> Outcome {
    let histogram = session.log().get_histogram(session.call(request)).await?.into_inner();
    if output.is_json() {
        output.value(&rollcall_proto::json::to_json(&histogram))?;
        return Ok(exit::OK);
    }
    let counts = |b: &pb::HistogramBucket| [b.delivered, b.retrying, b.parked, b.held, b.failed];
    let filled: Vec<pb::HistogramBucket> =
        histogram.buckets.into_iter().filter(|bucket| counts(bucket).iter().any(|count| *count > 0)).collect();
    output.list(&["FROM", "DELIVERED", "RETRYING", "PARKED", "HELD", "FAILED"], &filled, |bucket| {
        let counts = counts(bucket).map(|count| count.to_string());
        std::iter::once(time(bucket.from.as_ref())).chain(counts).collect()
    })?;
    if let Some(until) = &histogram.searched_until {
        eprintln!("only attempts since {} were counted", time(Some(until)));
    }
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_typed_as_it_is_shown() {
        for text in ["parked,exhausted,http,422", "parked,connection_down", "pending,,timeout", "held,gone"] {
            let GroupName(group) = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(name(&group), text);
        }
        for wrong in ["", ",exhausted", "parked,exhausted,http,x", "parked,a,b,1,c"] {
            assert!(wrong.parse::<GroupName>().is_err(), "{wrong}");
        }
    }
}
