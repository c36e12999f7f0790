//! What a person does in a window: finds controls by role and name, presses, types, reads.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::{Key, TypingData, WebElement, error::WebDriverResult};

use crate::{App, STEP, process::until};

const FIND: &str = include_str!("find.js");
/// Where an element is; null while it, or what it is in, is being moved or changed by an animation.
const PLACE: &str = "for (let one = arguments[0]; one; one = one.parentElement)
    if (one.getAnimations().some((animation) => animation.playState === 'running')) return null;
const { x, y, width, height } = arguments[0].getBoundingClientRect();
return [x, y, width, height]";
/// Presses of the tab key in one page before a control counts as unreachable by keyboard.
const MAX_TABS: usize = 120;

impl App {
    /// The control of this role and name, once it is there. An exact name is taken before one that contains it, and a
    /// control of an open dialog before what lies behind.
    pub async fn find(&self, role: &str, name: &str) -> Result<WebElement> {
        let found = until(&format!("{role} “{name}”"), STEP, async || self.look_for(role, name).await).await;
        match found {
            Ok(found) => Ok(found),
            Err(error) => Err(error.context(format!("the page says: {}", self.text().await.unwrap_or_default()))),
        }
    }

    /// The control of this role and name, if it is there now.
    pub async fn look_for(&self, role: &str, name: &str) -> Result<Option<WebElement>> {
        let found = self.driver().execute(FIND, vec![json!(role), json!(name)]).await?;
        if found.json().is_null() {
            return Ok(None);
        }
        Ok(Some(found.element()?))
    }

    /// Presses it with the pointer, once it stands still: in a menu or a dialog that is opening, something else is at its
    /// place for a moment.
    pub async fn press(&self, role: &str, name: &str) -> Result<()> {
        let mut seen_at = Value::Null;
        until(&format!("{role} “{name}” can be pressed"), STEP, async || {
            let Some(control) = self.look_for(role, name).await? else { return Ok(None) };
            // It may be drawn anew between two steps.
            let press = async {
                control.scroll_into_view().await?;
                let place = self.driver().execute(PLACE, vec![control.to_json()?]).await?.json().clone();
                let before = std::mem::replace(&mut seen_at, place);
                if seen_at.is_null() || seen_at != before { Ok(None) } else { control.click().await.map(Some) }
            };
            let pressed: WebDriverResult<Option<()>> = press.await;
            Ok(pressed.unwrap_or_default())
        })
        .await
        .with_context(|| format!("no {role} “{name}”"))
    }

    /// Types into the field of this label, in place of what stands there.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        self.press("textbox", label).await?;
        until(&format!("the field “{label}” takes its text"), STEP, async || {
            let Some(field) = self.look_for("textbox", label).await? else { return Ok(None) };
            // It may be drawn anew between two steps.
            let typed = async {
                field.send_keys(Key::Control + "a").await?;
                field.send_keys(Key::Backspace + "").await?;
                field.send_keys(text).await
            };
            let typed: WebDriverResult<()> = typed.await;
            Ok(typed.ok())
        })
        .await
    }

    /// Chooses an option of the list of this label.
    pub async fn choose(&self, label: &str, option: &str) -> Result<()> {
        // The field itself may be too small to be pressed: what is drawn around it opens the list.
        const ROOT: &str = "return arguments[0].closest('.ant-select') || arguments[0]";
        until(&format!("the list “{label}” opens"), STEP, async || {
            let Some(list) = self.look_for("combobox", label).await? else { return Ok(None) };
            let open = async {
                let root = self.driver().execute(ROOT, vec![list.to_json()?]).await?.element()?;
                root.scroll_into_view().await?;
                root.click().await
            };
            let opened: WebDriverResult<()> = open.await;
            Ok(opened.ok())
        })
        .await?;
        self.press("option", option).await
    }

    /// Waits until this stands in the page.
    pub async fn until_said(&self, text: &str) -> Result<()> {
        let said =
            until(&format!("“{text}”"), STEP, async || Ok(self.text().await?.contains(text).then_some(()))).await;
        match said {
            Ok(()) => Ok(()),
            Err(error) => bail!("{error}; the page says: {}", self.text().await?),
        }
    }

    /// What can be read in the page.
    pub async fn text(&self) -> Result<String> {
        let text = self.script("return document.body.innerText", vec![]).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Goes to the control of this role and name by the tab key alone.
    pub async fn tab_to(&self, role: &str, name: &str) -> Result<()> {
        self.find(role, name).await?;
        for _ in 0..MAX_TABS {
            let there = format!(
                "const found = (() => {{ {FIND} }}).apply(null, arguments);
                 const at = document.activeElement;
                 return !!found && (at === found || found.contains(at));"
            );
            if self.script(&there, vec![json!(role), json!(name)]).await? == Value::Bool(true) {
                return Ok(());
            }
            self.key(Key::Tab + "").await?;
        }
        bail!("{role} “{name}” is not reached by {MAX_TABS} presses of the tab key")
    }

    /// Presses keys where the focus is.
    pub async fn key(&self, keys: impl Into<TypingData>) -> Result<()> {
        Ok(self.driver().action_chain().send_keys(keys).perform().await?)
    }
}
