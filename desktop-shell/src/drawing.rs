//! How windows are drawn where there is no graphics card: as in a virtual desktop, or over a remote one.

use std::{env, fs, os::unix::process::CommandExt as _, path::Path, process::Command};

/// Where the kernel shows the graphics cards of this machine.
const CARDS: &str = "/dev/dri";
/// Makes WebKit draw without OpenGL. It reads this once, and has no setting that can be changed for an open page.
const PLAIN: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Draws without OpenGL where the processor would play it: each frame would draw the whole window then, not only what
/// changed in it. The process begins anew with that in its environment, under the same number; whoever set it before
/// has chosen.
pub fn choose() {
    if draws(Path::new(CARDS)) || env::var_os(PLAIN).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let error = Command::new(program).args(env::args_os().skip(1)).env(PLAIN, "1").exec();
    // Slower, not wrong.
    tracing::debug!(%error, "windows are drawn as with a graphics card");
}

/// Whether a card there can draw: those that only show what is in memory have no render node.
fn draws(cards: &Path) -> bool {
    let Ok(entries) = fs::read_dir(cards) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_card_with_a_render_node_draws() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!draws(&folder.path().join("missing")));
        fs::write(folder.path().join("card0"), "").expect("written");
        assert!(!draws(folder.path()));
        fs::write(folder.path().join("renderD128"), "").expect("written");
        assert!(draws(folder.path()));
    }
}
