//! A program under WebDriver. Commands of the shell are made as its page makes them.

use std::{net::TcpListener, path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::{Capabilities, WebDriver, WindowHandle};
use tokio::{net::TcpStream, process::Command, time::timeout};

use crate::{
    STEP,
    process::{Group, until},
};

/// How often a program and its driver are started before that counts as a failure.
const STARTS: u32 = 3;

/// A running program with its windows.
pub struct App {
    driver: WebDriver,
    main: WindowHandle,
    group: Group,
}

impl App {
    /// WebKit's driver now and then never sees the program that it started, most of all on a busy machine: that is no
    /// property of the program, so the pair is started again, and said.
    pub(crate) async fn start(driver: impl Fn() -> Command, program: &Path, arguments: &[&str]) -> Result<Self> {
        if !program.exists() {
            bail!("{} is not built: cargo build -p desktop-provider -p desktop-school", program.display());
        }
        for attempt in 1..STARTS {
            match Self::start_once(driver(), program, arguments).await {
                Ok(app) => return Ok(app),
                Err(error) => eprintln!("start {attempt} of {}: {error:#}; again", program.display()),
            }
        }
        Self::start_once(driver(), program, arguments).await
    }

    async fn start_once(mut driver: Command, program: &Path, arguments: &[&str]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        driver.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
        let group = Group::start(driver.stdin(Stdio::null()))?;
        until("WebDriver listens", STEP, async || Ok(TcpStream::connect(("127.0.0.1", port)).await.ok())).await?;
        let mut wanted = Capabilities::new();
        wanted.set("webkitgtk:browserOptions", json!({ "binary": program, "args": arguments }))?;
        let session = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted);
        let driver = timeout(STEP, session).await.context("the program does not start")??;
        driver.set_script_timeout(STEP).await?;
        let main = driver.window().await?;
        Ok(Self { driver, main, group })
    }

    /// To look at and press what is in the current window.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Makes a command as the page of the current window does: `Ok` its answer, `Err` its refusal.
    pub async fn invoke(&self, command: &str, arguments: Value) -> Result<Result<Value, Value>> {
        const SCRIPT: &str = "const [command, given, done] = arguments;
            const told = (ok) => (value) => done({ ok, value: value === undefined ? null : value });
            window.__TAURI_INTERNALS__.invoke(command, given).then(told(true), told(false));";
        let answer = self.driver.execute_async(SCRIPT, vec![json!(command), arguments]).await?;
        let answer = answer.json();
        let value = answer["value"].clone();
        Ok(if answer["ok"] == true { Ok(value) } else { Err(value) })
    }

    /// As [`App::invoke`], where a refusal fails the test.
    pub async fn must(&self, command: &str, arguments: Value) -> Result<Value> {
        self.invoke(command, arguments).await?.map_err(|refusal| anyhow::anyhow!("{command} was refused: {refusal}"))
    }

    /// The one call with one answer.
    pub async fn call(&self, method: &str, request: Value) -> Result<Result<Value, Value>> {
        self.invoke("call", json!({ "method": method, "request": request })).await
    }

    /// As [`App::call`], where a refusal fails the test.
    pub async fn ask(&self, method: &str, request: Value) -> Result<Value> {
        self.call(method, request).await?.map_err(|refusal| anyhow::anyhow!("{method} was refused: {refusal}"))
    }

    /// Makes a command whose argument `channel` is a channel, and collects what it tells under `name` in the page.
    pub async fn follow(&self, name: &str, command: &str, mut arguments: Value, channel: &str) -> Result<Value> {
        const SCRIPT: &str = "const [name, done] = arguments;
            window[name] = [];
            done(window.__TAURI_INTERNALS__.transformCallback(({ message }) => window[name].push(message)));";
        let id = self.driver.execute_async(SCRIPT, vec![json!(name)]).await?;
        arguments[channel] = json!(format!("__CHANNEL__:{}", id.json()));
        self.must(command, arguments).await
    }

    /// What a followed channel told so far.
    pub async fn told(&self, name: &str) -> Result<Vec<Value>> {
        let told = self.driver.execute("return window[arguments[0]]", vec![json!(name)]).await?;
        Ok(told.json().as_array().cloned().unwrap_or_default())
    }

    /// Waits until a followed channel told something that fits, and answers it.
    pub async fn until_told(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        until(name, STEP, async || Ok(self.told(name).await?.into_iter().find(|told| fits(told)))).await
    }

    /// Goes to the window that is not the main one and waits for it if it is still being opened.
    pub async fn other_window(&self) -> Result<WindowHandle> {
        let found = until("another window", STEP, async || {
            Ok(self.driver.windows().await?.into_iter().find(|window| *window != self.main))
        });
        let found = found.await?;
        self.driver.switch_to_window(found.clone()).await?;
        Ok(found)
    }

    /// Goes back to the main window.
    pub async fn main_window(&self) -> Result<()> {
        Ok(self.driver.switch_to_window(self.main.clone()).await?)
    }

    /// How many windows are open.
    pub async fn windows(&self) -> Result<usize> {
        Ok(self.driver.windows().await?.len())
    }

    /// Whether a text stands anywhere where a page keeps something: its document and its storage.
    pub async fn page_holds(&self, text: &str) -> Result<bool> {
        const SCRIPT: &str = "return document.documentElement.outerHTML + JSON.stringify(localStorage) +
            JSON.stringify(sessionStorage) + document.cookie + location.href";
        let page = self.driver.execute(SCRIPT, vec![]).await?;
        Ok(page.json().as_str().unwrap_or_default().contains(text))
    }

    /// The current window's page, as a PNG file.
    pub async fn picture(&self, file: &Path) -> Result<()> {
        Ok(self.driver.screenshot(file).await?)
    }

    /// Waits until the current page shows its screen: a heading, and nothing that is still being loaded.
    pub async fn until_shown(&self) -> Result<()> {
        const SCRIPT: &str =
            "return document.readyState === 'complete' && !!document.querySelector('h1, [role=heading]')
            && !document.querySelector('[aria-busy=true], .ant-skeleton')";
        let shown = until("the screen is shown", STEP, async || {
            let shown = self.driver.execute(SCRIPT, vec![]).await?;
            Ok((shown.json() == true).then_some(()))
        });
        match shown.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(format!("the page says: {}", self.text().await?))),
        }
    }

    /// Keeps what the program answers to the current page from now on, for [`App::answers_hold`].
    pub async fn record_answers(&self) -> Result<()> {
        const SCRIPT: &str = "const real = window.fetch;
            window.__answers = [];
            window.fetch = async (...asked) => {
                const answer = await real(...asked);
                answer.clone().text().then((text) => window.__answers.push(text), () => {});
                return answer;
            };";
        self.script(SCRIPT, vec![]).await.map(drop)
    }

    /// Whether an answer of the program held this text, and how many answers there were.
    pub async fn answers_hold(&self, text: &str) -> Result<(bool, u64)> {
        const SCRIPT: &str = "return [window.__answers.some((answer) => answer.includes(arguments[0])),
            window.__answers.length]";
        let found = self.script(SCRIPT, vec![json!(text)]).await?;
        Ok((found[0] == true, found[1].as_u64().unwrap_or_default()))
    }

    /// Runs a script in the current page and answers what it returns.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute(script, arguments).await?.json().clone())
    }

    /// The process group of the program and of all that it started.
    pub fn group(&self) -> Option<i32> {
        self.group.id()
    }

    /// Ends the program at once.
    pub async fn kill(self) -> Result<()> {
        let Self { driver, group, .. } = self;
        // The session cannot be ended in order any more once its driver is gone.
        let _ = driver.leak();
        group.end().await
    }
}
