//! Who may do what: every rpc of the schema, by role and by scope.

use rollcall_proto::{access::ACCESS, provider::v1 as pb};
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::support::{Server, with_token};

/// Calls any rpc with an empty message; `token` is empty for none.
async fn call(server: &Server, path: &str, token: &str) -> Code {
    let mut client = Grpc::new(server.channel.clone());
    client.ready().await.expect("connected");
    let request = if token.is_empty() { Request::new(()) } else { with_token((), token) };
    let path: PathAndQuery = path.parse().expect("a path");
    match client.unary(request, path, ProstCodec::<(), ()>::default()).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

#[tokio::test]
async fn every_rpc_refuses_who_has_no_token_and_whose_role_is_not_named() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let installed = server.enroll(&server.code("s-1").await, 1).await;
    let holders = [
        (pb::Role::Viewer, server.account("vera", pb::Role::Viewer, "d-1").await),
        (pb::Role::Auditor, server.account("otto", pb::Role::Auditor, "d-1").await),
        (pb::Role::Operator, server.account("olga", pb::Role::Operator, "d-1").await),
        (pb::Role::School, installed.token),
    ];
    let mut refused = 0;
    for (path, allowed) in ACCESS.iter() {
        if allowed.contains(&pb::Role::Public) {
            continue;
        }
        assert_eq!(call(&server, path, "").await, Code::Unauthenticated, "{path} without a token");
        assert_eq!(call(&server, path, "rcs_00").await, Code::Unauthenticated, "{path} with an unknown token");
        for (role, token) in holders.iter().filter(|(role, _)| !allowed.contains(role)) {
            assert_eq!(call(&server, path, token).await, Code::PermissionDenied, "{path} as {}", role.as_str_name());
            refused += 1;
        }
        let only_school = allowed.iter().all(|role| *role == pb::Role::School);
        // The owner's own session goes on.
        let owner = if path.ends_with("/Logout") { server.login("ada").await } else { server.owner.clone() };
        let owner = call(&server, path, &owner).await;
        assert_eq!(owner == Code::PermissionDenied, only_school, "{path} as the owner: {owner:?}");
    }
    assert!(refused > 60, "the matrix has {refused} refusals");
    assert_eq!(
        call(&server, "/rollcall.provider.v1.SchoolService/Unheard", &server.owner).await,
        Code::PermissionDenied
    );
    server.stop().await;
}

#[tokio::test]
async fn another_districts_school_is_not_found_whatever_is_asked() {
    let server = Server::start().await;
    server.district("d-1").await;
    let foreign = server.school("d-1", "s-1").await.id;
    server.connect("s-1", false).await;
    server.district("d-2").await;
    server.school("d-2", "s-2").await;
    let token = server.account("olga", pb::Role::Operator, "d-2").await;
    let mut client = server.schools();
    for school in [foreign.clone(), "s-1".to_owned(), "School s-1".to_owned()] {
        let named = school.clone();
        let codes = [
            client
                .get_school(with_token(pb::GetSchoolRequest { school: named.clone(), district: String::new() }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .connect_school(with_token(
                    pb::ConnectSchoolRequest {
                        school: named.clone(),
                        url: "http://10.0.0.1/".into(),
                        ..Default::default()
                    },
                    &token,
                ))
                .await
                .err()
                .map(|s| s.code()),
            client
                .issue_code(with_token(pb::IssueCodeRequest { school: named.clone(), ttl_s: 0 }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .revoke_code(with_token(pb::RevokeCodeRequest { school: named.clone() }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .show_secret_once(with_token(pb::ShowSecretOnceRequest { school: named.clone() }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .rotate_secret(with_token(
                    pb::RotateSecretRequest { school: named.clone(), ..Default::default() },
                    &token,
                ))
                .await
                .err()
                .map(|s| s.code()),
            client
                .pause_school(with_token(pb::PauseSchoolRequest { school: named.clone(), duration_s: 0 }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .resume_school(with_token(pb::ResumeSchoolRequest { school: named.clone() }, &token))
                .await
                .err()
                .map(|s| s.code()),
            client
                .send_test_event(with_token(pb::SendTestEventRequest { school: named }, &token))
                .await
                .err()
                .map(|s| s.code()),
        ];
        assert!(codes.iter().all(|code| *code == Some(Code::NotFound)), "{school}: {codes:?}");
    }
    let request = pb::CreateSchoolRequest { district: "d-1".into(), name: "X".into(), sourced_id: "x".into() };
    assert_eq!(client.create_school(with_token(request, &token)).await.expect_err("foreign").code(), Code::NotFound);
    let request = pb::ListSchoolsRequest { district: "d-1".into(), ..Default::default() };
    assert_eq!(client.list_schools(with_token(request, &token)).await.expect_err("foreign").code(), Code::NotFound);
    let listed = client.list_schools(with_token(pb::ListSchoolsRequest::default(), &token)).await.expect("a list");
    let own: Vec<String> = listed.into_inner().schools.into_iter().map(|school| school.sourced_id).collect();
    assert_eq!(own, ["s-2"]);
    let districts = server.districts().list_districts(with_token(pb::ListDistrictsRequest {}, &token)).await;
    let districts = districts.expect("a list").into_inner().districts;
    assert_eq!(districts.len(), 1);
    assert_eq!(districts[0].sourced_id, "d-2");
    server.stop().await;
}

#[tokio::test]
async fn an_auditor_reads_and_verifies_only_the_own_districts_chain() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.school("d-1", "s-2").await;
    server.district("d-2").await;
    server.school("d-2", "s-3").await;
    let token = server.account("otto", pb::Role::Auditor, "d-1").await;
    let list = async |district: &str, page_token: String, token: &str| {
        let request = pb::ListAuditRequest { district: district.into(), page_size: 1, page_token };
        server.audit().list_audit(with_token(request, token)).await.map(tonic::Response::into_inner)
    };
    let newest = list("d-1", String::new(), &token).await.expect("a page");
    assert_eq!((newest.entries[0].number, newest.entries[0].detail.as_str()), (2, "s-2"));
    assert_eq!((newest.entries[0].actor.as_str(), newest.entries[0].act.as_str()), ("staff:ada", "school.created"));
    let oldest = list("d-1", newest.next_page_token, &token).await.expect("a page");
    assert_eq!((oldest.entries[0].number, oldest.next_page_token.as_str()), (1, ""));
    assert_eq!(list("d-2", String::new(), &token).await.expect_err("foreign").code(), Code::NotFound);
    assert_eq!(list("", String::new(), &token).await.expect_err("the owners'").code(), Code::PermissionDenied);
    assert!(!list("", String::new(), &server.owner).await.expect("the owner's").entries.is_empty());

    let verify = async |token: &str| {
        let verified = server.audit().verify_audit(with_token(pb::VerifyAuditRequest {}, token)).await;
        verified.expect("verified").into_inner()
    };
    let own = verify(&token).await;
    assert!(own.intact && own.entries == 2, "{own:?}");
    assert!(verify(&server.owner).await.entries > 5);
    let altered = server.running.store.act(|tx| {
        Box::pin(async move { tx.conn.execute("UPDATE audit SET detail = 's-9' WHERE detail = 's-2'", vec![]).await })
    });
    assert_eq!(altered.await.expect("altered"), 1);
    let broken = verify(&token).await;
    assert!(!broken.intact && broken.r#break.contains("row 2 was altered"), "{}", broken.r#break);
    server.stop().await;
}
