//! `students history`, `events gaps`, `events alerts`.

use rollcall_proto::{
    json::to_json,
    school::v1::{FieldChange, ListAlertsRequest, ListGapsRequest, ListStudentHistoryRequest},
};

use super::{PAGE, ReceiverClient, print};
use crate::error::AppError;

/// What arrived for one student, newest first.
pub async fn student(client: &mut ReceiverClient, sourced_id: String, limit: u32, json: bool) -> Result<(), AppError> {
    let (mut left, mut page_token) = (limit, String::new());
    while left > 0 {
        let (sourced_id, page_size) = (sourced_id.clone(), left.min(PAGE));
        let request = ListStudentHistoryRequest { sourced_id, page_size, page_token };
        let page = client.list_student_history(request).await?.into_inner();
        for arrival in &page.arrivals {
            if json {
                print(&to_json(arrival).to_string())?;
                continue;
            }
            let event = arrival.event.clone().unwrap_or_default();
            let version = if arrival.version == 0 { "–".to_owned() } else { arrival.version.to_string() };
            print(&format!(
                "{}\t{}\tsequence {}\t{}\tversion {version}\t{}",
                event.number, event.event_type, event.sequence, event.result, event.message_id
            ))?;
            arrival.fields.iter().try_for_each(|field| print(&format!("\t{}", told(field))))?;
        }
        left = left.saturating_sub(page.arrivals.len() as u32);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(())
}

fn told(change: &FieldChange) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{}: {} → {}", change.field, value(&change.old_value), value(&change.new_value))
}

/// The missing sequence numbers.
pub async fn gaps(client: &mut ReceiverClient, json: bool) -> Result<(), AppError> {
    let gaps = client.list_gaps(ListGapsRequest {}).await?.into_inner();
    if json {
        return print(&to_json(&gaps).to_string());
    }
    print(&format!(
        "{} missing; complete up to {}, highest {}",
        gaps.missing, gaps.contiguous_sequence, gaps.highest_sequence
    ))?;
    gaps.gaps.iter().try_for_each(|gap| match gap.from == gap.to {
        true => print(&gap.from.to_string()),
        false => print(&format!("{} to {}", gap.from, gap.to)),
    })
}

/// Alarms, newest first.
pub async fn alerts(client: &mut ReceiverClient, limit: u32, json: bool) -> Result<(), AppError> {
    let (mut left, mut page_token) = (limit, String::new());
    while left > 0 {
        let request = ListAlertsRequest { page_size: left.min(PAGE), page_token };
        let page = client.list_alerts(request).await?.into_inner();
        for alert in &page.alerts {
            match json {
                true => print(&to_json(alert).to_string())?,
                false => print(&format!("{}\t{}\t{}", alert.number, alert.message_id, alert.words))?,
            }
        }
        left = left.saturating_sub(page.alerts.len() as u32);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(())
}
