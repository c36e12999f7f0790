//! axe on every screen of the real windows, light and dark, with colours and layout.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use desktop_e2e::{App, Keyring, STEP, Stage, until};
use serde_json::json;

use crate::{
    flows::{SCHOOL, end, enrolled},
    staff::{add_student, open_school},
    support::until_at,
};

const CONSOLE: [&str; 10] = [
    "/",
    "/schools",
    "/register-school",
    "/students",
    "/imports",
    "/undelivered",
    "/analytics",
    "/staff",
    "/audit",
    "/schools/SCHOOL",
];
const TABS: [&str; 5] = ["Overview", "Deliveries", "Secrets", "Activity", "Settings"];
const DESK: [&str; 7] = ["/", "/enroll", "/roster", "/events", "/signature", "/rotate", "/settings"];

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_the_light() -> Result<()> {
    tour("Adwaita", "light").await
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_the_dark() -> Result<()> {
    tour("Adwaita:dark", "dark").await
}

async fn tour(gtk: &str, mode: &str) -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?.with("GTK_THEME", gtk);
    let (provider, console, desk, _) = enrolled(&stage).await?;
    add_student(&console, "S-1", "Zoë", "Nguyễn", SCHOOL).await?;
    desk.press("link", "Roster").await?;
    desk.until_said("Zoë").await?;
    for app in [&console, &desk] {
        let shown = app.script("return matchMedia('(prefers-color-scheme: dark)').matches", vec![]).await?;
        ensure!(shown == (mode == "dark"), "the page does not follow the system into {mode}");
    }

    let schools = console.ask("SchoolService/ListSchools", json!({})).await?;
    let id = schools["schools"][0]["id"].as_str().context("a school")?.to_owned();
    let mut found = Vec::new();
    for place in CONSOLE {
        found.extend(faults_at(&console, &place.replace("SCHOOL", &id)).await?);
    }
    for tab in TABS {
        open_school(&console, SCHOOL, tab).await?;
        console.until_shown().await?;
        found.extend(faults(&console, &format!("school, {tab}")).await?);
    }
    open_school(&console, SCHOOL, "Deliveries").await?;
    console.press("button", "Open webhook log").await?;
    console.other_window().await?;
    console.until_said("student.created").await?;
    found.extend(faults(&console, "webhook log").await?);
    for place in DESK {
        found.extend(faults_at(&desk, place).await?);
    }
    ensure!(found.is_empty(), "{mode}:\n{}", found.join("\n"));
    end(desk, console, provider).await
}

async fn faults_at(app: &App, place: &str) -> Result<Vec<String>> {
    app.script("location.hash = arguments[0]", vec![json!(place)]).await?;
    until_at(app, &format!("#{place}")).await?;
    app.until_shown().await?;
    faults(app, place).await
}

/// What axe finds in the current page.
pub async fn faults(app: &App, screen: &str) -> Result<Vec<String>> {
    const RUN: &str = "const done = arguments[arguments.length - 1];
        axe.run(document).then(({ violations, passes }) => done({ passes: passes.length, faults:
            violations.flatMap(({ id, nodes }) => nodes.map((node) =>
                `${id}: ${node.html.slice(0, 160)} (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''})`)) }));";
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&axe).with_context(|| format!("{}: run npm ci in ui", axe.display()))?;
    app.script(&axe, vec![]).await?;
    // What fades has the colours of the moment. What turns for ever may go on.
    const STILL: &str = "return document.getAnimations().every((animation) =>
        animation.playState !== 'running' || animation.effect.getComputedTiming().endTime === Infinity)";
    until("nothing fades", STEP, async || Ok((app.script(STILL, vec![]).await? == true).then_some(()))).await?;
    let told = app.driver().execute_async(RUN, vec![]).await?;
    let told = told.json();
    ensure!(told["passes"].as_u64() > Some(5), "axe looked at nothing in {screen}");
    let found = told["faults"].as_array().context("axe answers a list")?;
    Ok(found.iter().map(|fault| format!("{screen}: {}", fault.as_str().unwrap_or_default())).collect())
}
