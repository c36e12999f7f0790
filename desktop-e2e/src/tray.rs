//! The tray of a session: it shows the icons of programs, and their menus.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use zbus::{Connection, OwnedVariant, Variant, connection::Builder, message::Header};

use crate::{STEP, process::until};

/// StatusNotifierItem, "StatusNotifierWatcher".
const NAME: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
/// No menu of ours has more entries.
const ENTRIES: i32 = 32;

/// A program's connection on the bus, and where its icon is there.
type Icon = (String, String);
type Icons = Arc<Mutex<Vec<Icon>>>;

/// The tray of one bus. Ends with its value.
pub struct Tray {
    icons: Icons,
    connection: Connection,
}

impl Tray {
    pub(crate) async fn serve(bus: &str) -> Result<Self> {
        let icons = Icons::default();
        let connection = Builder::address(bus).name(NAME).serve_at(PATH, Watcher { icons: icons.clone() });
        Ok(Self { icons, connection: connection.build().await.context("the bus takes no tray")? })
    }

    /// The entries of the menu of the one icon, once it is there.
    pub async fn menu(&self) -> Result<Vec<String>> {
        let (icon, menu) = self.icon().await?;
        Ok(self.entries(&icon, &menu).await?.into_iter().map(|(_, label)| label).collect())
    }

    /// Chooses an entry of the menu, as the person does.
    pub async fn choose(&self, label: &str) -> Result<()> {
        let (icon, menu) = self.icon().await?;
        let entries = self.entries(&icon, &menu).await?;
        let (id, _) = entries.iter().find(|(_, found)| found == label).with_context(|| format!("{entries:?}"))?;
        let event = (*id, "clicked", Variant::from(0_i32), 0_u32);
        self.connection.call_method(Some(&*icon.0), &*menu, Some(MENU), "Event", &event).await?;
        Ok(())
    }

    /// The icon, and where its menu is.
    async fn icon(&self) -> Result<(Icon, String)> {
        let icon = until("an icon in the tray", STEP, async || {
            Ok(self.icons.lock().unwrap_or_else(PoisonError::into_inner).last().cloned())
        })
        .await?;
        let ask = (ITEM, "Menu");
        let properties = Some("org.freedesktop.DBus.Properties");
        let told = self.connection.call_method(Some(&*icon.0), &*icon.1, properties, "Get", &ask).await?;
        let menu: zbus::OwnedObjectPath = told.body().deserialize::<OwnedVariant>()?.try_into()?;
        Ok((icon, menu.to_string()))
    }

    async fn entries(&self, icon: &Icon, menu: &str) -> Result<Vec<(i32, String)>> {
        let ask = ((1..ENTRIES).collect::<Vec<i32>>(), vec!["label"]);
        let told = self.connection.call_method(Some(&*icon.0), menu, Some(MENU), "GetGroupProperties", &ask).await?;
        let told: Vec<(i32, HashMap<String, OwnedVariant>)> = told.body().deserialize()?;
        let labelled = told
            .into_iter()
            .filter_map(|(id, mut properties)| Some((id, String::try_from(properties.remove("label")?).ok()?)));
        // A line between entries has no words.
        Ok(labelled.filter(|(_, label)| !label.is_empty()).collect())
    }
}

struct Watcher {
    icons: Icons,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, item: String, #[zbus(header)] header: Header<'_>) {
        let Some(sender) = header.sender() else { return };
        self.icons.lock().unwrap_or_else(PoisonError::into_inner).push((sender.to_string(), item));
    }

    fn register_status_notifier_host(&self, _host: String) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        let icons = self.icons.lock().unwrap_or_else(PoisonError::into_inner);
        icons.iter().map(|(program, path)| format!("{program}{path}")).collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}
