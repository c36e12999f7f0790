use provider_server::model::access::Role;
use rollcall_proto::{
    id::DistrictId,
    provider::v1::{self as pb, audit_service_client::AuditServiceClient},
};
use tonic::Code;

use super::door::Log;
use crate::support::START_MS;

fn list(district: &str, page_size: u32, page_token: &str) -> pb::ListAuditRequest {
    pb::ListAuditRequest { district: district.into(), page_size, page_token: page_token.into() }
}

#[tokio::test]
async fn a_chain_is_read_in_pages_and_only_by_those_who_may() {
    let mut log = Log::new().await;
    for number in 0..25 {
        log.put(&[(&format!("S-{number}"), "Ada", &["a"])]).await;
    }
    let bearer = |role, districts| log.door.token(role, districts);
    let auditor = bearer(Role::Auditor, vec![log.district]).await;
    let mut client = AuditServiceClient::with_interceptor(log.door.service(), auditor);
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.list_audit(list("d-1", 7, &token)).await.expect("a page").into_inner();
        assert!(page.entries.len() <= 7 && page.entries.iter().all(|entry| entry.act == "student.put"));
        seen.extend(page.entries.iter().map(|entry| entry.number));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<u64>>());
    let denied = client.list_audit(list("", 0, "")).await.expect_err("the installation's chain");
    assert_eq!(denied.code(), Code::PermissionDenied);

    let owner = bearer(Role::Owner, vec![]).await;
    let mut owner = AuditServiceClient::with_interceptor(log.door.service(), owner);
    let own = owner.list_audit(list("", 0, "")).await.expect("a page").into_inner();
    assert!(own.entries.iter().any(|entry| entry.act == "staff.created"));

    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let outsider = bearer(Role::Auditor, vec![elsewhere]).await;
    let mut outsider = AuditServiceClient::with_interceptor(log.door.service(), outsider);
    assert_eq!(outsider.list_audit(list("d-1", 0, "")).await.expect_err("foreign").code(), Code::NotFound);
    let operator = bearer(Role::Operator, vec![log.district]).await;
    let mut operator = AuditServiceClient::with_interceptor(log.door.service(), operator);
    assert_eq!(operator.list_audit(list("d-1", 0, "")).await.expect_err("no auditor").code(), Code::PermissionDenied);

    let whole = client.verify_audit(pb::VerifyAuditRequest {}).await.expect("verified").into_inner();
    assert_eq!((whole.intact, whole.entries), (true, 25));
    let sql = "UPDATE audit SET detail = 'nothing' WHERE number = 9 AND act = 'student.put'";
    log.test.store.act(move |tx| Box::pin(async move { tx.conn.execute(sql, vec![]).await })).await.expect("altered");
    for client in [&mut client, &mut owner] {
        let broken = client.verify_audit(pb::VerifyAuditRequest {}).await.expect("verified").into_inner();
        assert!(!broken.intact && broken.r#break.contains("row 9 was altered"), "{}", broken.r#break);
    }
    let other = outsider.verify_audit(pb::VerifyAuditRequest {}).await.expect("verified").into_inner();
    assert_eq!((other.intact, other.entries), (true, 0), "another district's chain tells nothing");
}
