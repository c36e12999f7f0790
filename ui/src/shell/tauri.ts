// The only file that knows Tauri.
import { Channel, invoke } from "@tauri-apps/api/core";
import type { Host, ProviderHost, SchoolHost, ShellFailure, Stop, StreamEvent } from "./host";

/** A refusal by the window's capability file arrives as plain text. */
function failure(error: unknown): ShellFailure {
  if (typeof error === "object" && error !== null && "code" in error) return error as ShellFailure;
  return { code: "not_allowed", message: String(error), violations: [] };
}

async function ask<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (error) {
    throw failure(error);
  }
}

/** Follows a channel until it is stopped; what comes after that is not told. */
function follow<T>(command: string, name: string, args: Record<string, unknown>, on: (value: T) => void): Stop {
  let stopped = false;
  const channel = new Channel<T>((value) => {
    if (!stopped) on(value);
  });
  // A window that may not watch has nothing to show for it; its own calls tell why.
  ask(command, { ...args, [name]: channel }).catch(() => {});
  return () => {
    stopped = true;
  };
}

const shared: Host = {
  call: (method, request) => ask("call", { method, request }),
  openStream(method, request, onEvent) {
    let stopped = false;
    const events = new Channel<StreamEvent>((event) => {
      if (!stopped) onEvent(event);
    });
    const opened = ask<number>("open_stream", { method, request, events });
    opened.catch((error: ShellFailure) => {
      if (!stopped) onEvent({ kind: "error", error });
    });
    return () => {
      stopped = true;
      opened.then((stream) => ask("close_stream", { stream })).catch(() => {});
    };
  },
  watchLink: (target, onChange) => follow("watch_link", "changes", { target }, onChange),
  watchPlaces: (onPlace) => follow("watch_places", "changes", {}, onPlace),
  saveFile: (method, request, suggestedName) => ask("save_file", { method, request, suggestedName }),
};

export const providerHost: ProviderHost = {
  ...shared,
  knownServers: () => ask("known_servers"),
  checkServer: (address) => ask("check_server", { address }),
  signIn: (credentials) => ask("sign_in", { credentials }),
  signOut: () => ask("sign_out"),
  session: () => ask("session"),
  resumeSession: () => ask("resume_session"),
  chooseFile: (title, extensions) => ask("choose_file", { title, extensions }),
  watchDrops: (onDrop) => follow("watch_drops", "dropped", {}, onDrop),
  startImport(upload, onProgress) {
    const progress = new Channel<number>(onProgress);
    return ask("start_import", { upload, progress });
  },
  openLogWindow: (school, title) => ask("open_log_window", { school, title }),
  openSecretWindow: (school, rotate) => ask("open_secret_window", { school, rotate }),
  closeWindow: () => ask("close_window"),
};

export const schoolHost: SchoolHost = {
  ...shared,
  watchReceiver: (onChange) => follow("watch_receiver", "changes", {}, onChange),
  restartReceiver: () => ask("restart_receiver"),
  checkCode: (code) => ask("check_code", { code }),
  probeKeychain: () => ask("probe_keychain"),
  inspectCode: (code) => ask("inspect_code", { code }),
  redeemCode: (code, schoolSourcedId) => ask("redeem_code", { code, schoolSourcedId }),
  rotateSecret: (request, revokeNow) => ask("rotate_secret", { request, revokeNow }),
  resetEnrollment: () => ask("reset_enrollment"),
  saveDiagnostics: () => ask("save_diagnostics"),
  autostart: () => ask("autostart"),
  setAutostart: (on) => ask("set_autostart", { on }),
};
