//! A provider in this process, and where the consoles were built.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, Result};
use desktop_e2e::{App, STEP, Stage, until};
use provider_server::{
    app::{self, Running},
    clock::{Entropy, SystemClock},
    config::{Config, KeySource},
};
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery 9";

/// A console's program, built beside this test.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("cargo's folder")?;
    Ok(folder.join(name))
}

/// A port that is free now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The real provider on free ports, allowed to reach this machine.
pub async fn provider(stage: &Stage) -> Result<Running> {
    provider_at(stage, "provider", ([127, 0, 0, 1], 0).into()).await
}

/// The same with its data in this folder, at this address.
pub async fn provider_at(stage: &Stage, folder: &str, listen: SocketAddr) -> Result<Running> {
    let data_dir = stage.folder().join(folder);
    let config = Config {
        listen,
        ops_listen: ([127, 0, 0, 1], 0).into(),
        public_address: None,
        database: data_dir.join("rollcall.db").into(),
        node_lease: provider_server::engine::run::LEASE,
        key_source: KeySource::File { path: data_dir.join("key"), may_generate: true },
        allow_networks: vec!["127.0.0.0/8".parse()?],
        name_server: None,
        keep: Default::default(),
        mail: None,
        ready_json: None,
        data_dir,
    };
    app::start(config, Arc::new(SystemClock), Entropy::from_system()).await.map_err(|e| anyhow::anyhow!("{e}"))
}

pub async fn stop(provider: Running) -> Result<()> {
    provider.stop().await.map_err(|e| anyhow::anyhow!("{e}"))
}

/// Connects the console and claims the first owner; answers the session.
pub async fn claim(console: &App, provider: &Running) -> Result<Value> {
    let address = provider.ready.grpc.to_string();
    let seen = console.must("check_server", json!({ "address": address })).await?;
    assert_eq!((&seen["pin"], &seen["unclaimed"]), (&json!(provider.ready.pin), &json!(true)));
    let code = std::fs::read_to_string(provider.ready.owner_code_file.as_ref().context("unclaimed")?)?;
    let credentials = json!({
        "server": { "address": address, "pin": seen["pin"] },
        "username": "ada", "password": PASSWORD, "ownerCode": code,
    });
    console.must("sign_in", json!({ "credentials": credentials })).await
}

/// A desk whose receiver runs inside, on a free port; answers where its webhook is.
pub async fn receiving(stage: &Stage) -> Result<(App, Value)> {
    let webhook = format!("127.0.0.1:{}", free_port()?);
    let desk = stage.open(&program("desktop-school")?, &["--listen", &webhook]).await?;
    desk.follow("receiver", "watch_receiver", json!({}), "changes").await?;
    let running = desk.until_told("receiver", |state| state["state"] == "inside").await?;
    Ok((desk, running["webhook"].clone()))
}

/// A desk, and a school with a code for it: (desk, school, code).
pub async fn registered(stage: &Stage, console: &App) -> Result<(App, Value, Value)> {
    let (desk, webhook) = receiving(stage).await?;
    let district = console.ask("DistrictService/CreateDistrict", json!({"name": "North", "sourcedId": "d-1"})).await?;
    let create = json!({"district": district["id"], "name": "Hill School", "sourcedId": "school-1"});
    let school = console.ask("SchoolService/CreateSchool", create).await?["id"].clone();
    console.ask("SchoolService/ConnectSchool", json!({"school": school, "url": webhook})).await?;
    let code = console.ask("SchoolService/IssueCode", json!({"school": school})).await?["code"].clone();
    Ok((desk, school, code))
}

/// Waits until the page shows a place.
pub async fn until_at(app: &App, place: &str) -> Result<()> {
    until(place, STEP, async || {
        let shown = app.script("return location.hash", vec![]).await?;
        Ok(shown.as_str().is_some_and(|shown| shown.starts_with(place)).then_some(()))
    })
    .await
}
