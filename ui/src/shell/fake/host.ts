import type {
  CodeDetails,
  Enrolled,
  LinkState,
  ProviderHost,
  ReceiverState,
  SchoolHost,
  Server,
  ServerCheck,
  Session,
  ShellFailure,
  Stop,
  StreamEvent,
  Target,
  Ticket,
} from "../host";

// biome-ignore lint/suspicious/noExplicitAny: a handler knows its own rpc's request
export type Handler = (request: any) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: as above
export type StreamHandler = (request: any, emit: (event: StreamEvent) => void) => Stop | undefined;

/** What a fake answers; a test gives only what it is about. */
export interface Answers {
  /** By `Service/Method`. A handler may throw a {@link ShellFailure} or answer a promise. */
  calls?: Record<string, Handler>;
  streams?: Record<string, StreamHandler>;
  session?: Session | null;
  servers?: Server[];
  check?: ServerCheck;
  file?: Ticket | null;
  /** The length of a file that is saved; `null`: nobody named one. */
  saved?: number | null;
  code?: CodeDetails;
  enrolled?: Enrolled | (() => Enrolled);
  receiver?: ReceiverState;
  keychain?: "keychain" | "file";
  rotated?: string | null | (() => string | null);
  /** The enrollment was forgotten. */
  onReset?: () => void;
}

/** A refusal, as the shell makes them. */
export function refusal(code: ShellFailure["code"], message: string, more: Partial<ShellFailure> = {}): ShellFailure {
  return { code, message, violations: [], ...more };
}

const made = <T>(given: T | (() => T)): T => (typeof given === "function" ? (given as () => T)() : given);

/** The programs' interface without a program: for a plain browser and for component tests. */
export class FakeHost implements ProviderHost, SchoolHost {
  /** Every call that was made, oldest first; commands are under their bridge name. */
  readonly made: { method: string; request: unknown }[] = [];
  /** Commands that refuse instead of answering, by bridge name or `Service/Method`. */
  readonly refuse = new Map<string, ShellFailure>();
  private links = new Map<Target, LinkState>([
    ["provider", "connected"],
    ["receiver", "connected"],
  ]);
  private linkWatchers = new Set<[Target, (state: LinkState) => void]>();
  private receiverWatchers = new Set<(state: ReceiverState) => void>();
  private placeWatchers = new Set<(link: string) => void>();
  private dropWatchers = new Set<(dropped: { Ok: Ticket } | { Err: ShellFailure }) => void>();
  private startsWithSession = false;

  constructor(readonly answers: Answers = {}) {}

  private async answer<T>(name: string, request: unknown, make: () => T | Promise<T>): Promise<T> {
    this.made.push({ method: name, request });
    const refused = this.refuse.get(name);
    if (refused) throw refused;
    // As over the real bridge, nothing answers in the same turn.
    await Promise.resolve();
    return make();
  }

  call(method: string, request: object) {
    return this.answer(method, request, () => {
      const handler = this.answers.calls?.[method];
      if (!handler) throw refusal("unimplemented", `${method} is not part of this fake`);
      return handler(request);
    });
  }

  openStream(method: string, request: object, onEvent: (event: StreamEvent) => void): Stop {
    this.made.push({ method, request });
    let stopped = false;
    let stop: Stop | undefined;
    queueMicrotask(() => {
      if (stopped) return;
      const refused = this.refuse.get(method);
      if (refused) return onEvent({ kind: "error", error: refused });
      stop = this.answers.streams?.[method]?.(request, (event) => {
        if (!stopped) onEvent(event);
      });
    });
    return () => {
      stopped = true;
      stop?.();
    };
  }

  watchLink(target: Target, onChange: (state: LinkState) => void): Stop {
    const watcher: [Target, typeof onChange] = [target, onChange];
    this.linkWatchers.add(watcher);
    onChange(this.links.get(target) ?? "not_connected");
    return () => this.linkWatchers.delete(watcher);
  }

  /** Turns a link's state, as a lost connection does. */
  turnLink(target: Target, state: LinkState) {
    this.links.set(target, state);
    for (const [watched, tell] of this.linkWatchers) if (watched === target) tell(state);
  }

  watchPlaces(onPlace: (link: string) => void): Stop {
    this.placeWatchers.add(onPlace);
    return () => this.placeWatchers.delete(onPlace);
  }

  /** A deep link came in. */
  openPlace(link: string) {
    for (const tell of this.placeWatchers) tell(link);
  }

  saveFile = (method: string, request: object, suggestedName: string) =>
    this.answer("save_file", { method, request, suggestedName }, () => {
      const { saved = 1_024 } = this.answers;
      return saved;
    });

  knownServers = () => this.answer("known_servers", {}, () => this.answers.servers ?? []);
  checkServer = (address: string) =>
    this.answer("check_server", { address }, () => {
      if (this.answers.check) return this.answers.check;
      throw refusal("unavailable", `${address} does not answer`, { reason: "unreachable" });
    });
  signIn: ProviderHost["signIn"] = (credentials) =>
    this.answer("sign_in", credentials, () => {
      const { session } = this.answers;
      if (!session) throw refusal("unauthenticated", "the name or the password is wrong");
      this.startsWithSession = true;
      return session;
    });
  signOut = () =>
    this.answer("sign_out", {}, () => {
      this.startsWithSession = false;
    });
  session = () => this.answer("session", {}, () => this.answers.session ?? null);
  resumeSession = () =>
    this.answer("resume_session", {}, () => (this.startsWithSession ? (this.answers.session ?? null) : null));

  /** As after a restart with a session in the keychain. */
  signedIn() {
    this.startsWithSession = true;
    return this;
  }

  chooseFile = (title: string, extensions: string[]) =>
    this.answer("choose_file", { title, extensions }, () => this.answers.file ?? null);
  watchDrops(onDrop: (dropped: { Ok: Ticket } | { Err: ShellFailure }) => void): Stop {
    this.dropWatchers.add(onDrop);
    return () => this.dropWatchers.delete(onDrop);
  }
  /** Somebody drops a file on the window. */
  drop(dropped: { Ok: Ticket } | { Err: ShellFailure }) {
    for (const tell of this.dropWatchers) tell(dropped);
  }
  startImport: ProviderHost["startImport"] = (upload, onProgress) =>
    this.answer("start_import", upload, () => {
      onProgress(this.answers.file?.sizeBytes ?? 0);
      return this.answers.calls?.["ImportService/StartImport"]?.(upload);
    });
  openLogWindow = (school: string, title: string) => this.answer("open_log_window", { school, title }, () => {});
  openSecretWindow = (school: string, rotate: boolean) =>
    this.answer("open_secret_window", { school, rotate }, () => {});
  closeWindow = () => this.answer("close_window", {}, () => {});

  watchReceiver(onChange: (state: ReceiverState) => void): Stop {
    this.receiverWatchers.add(onChange);
    onChange(this.answers.receiver ?? { state: "starting" });
    return () => this.receiverWatchers.delete(onChange);
  }
  turnReceiver(state: ReceiverState) {
    this.answers.receiver = state;
    for (const tell of this.receiverWatchers) tell(state);
  }
  restartReceiver = () => this.answer("restart_receiver", {}, () => {});
  checkCode = (code: string) =>
    this.answer("check_code", { code }, () => {
      const typo = (words: string) => refusal("code", words, { reason: "code_typo" });
      if (!code.toUpperCase().startsWith("RC1-")) {
        throw typo("this is not an enrollment code: it starts with `RC1-`");
      }
      if (code.length < 12) throw typo("the code is cut short: copy all of it");
      return this.answers.code?.server ?? "rollcall.example:7443";
    });
  probeKeychain = () => this.answer("probe_keychain", {}, () => this.answers.keychain ?? "keychain");
  inspectCode = (code: string) =>
    this.answer("inspect_code", { code }, () => {
      if (!this.answers.code) throw refusal("code", "this code is not known", { reason: "code_unknown" });
      return this.answers.code;
    });
  redeemCode = (code: string, schoolSourcedId: string) =>
    this.answer("redeem_code", { code, schoolSourcedId }, () => {
      if (!this.answers.enrolled) throw refusal("code", "this code was used already", { reason: "code_used" });
      return made(this.answers.enrolled);
    });
  rotateSecret = (request: boolean, revokeNow: boolean) =>
    this.answer("rotate_secret", { request, revokeNow }, () => made(this.answers.rotated ?? null));
  resetEnrollment = () => this.answer("reset_enrollment", {}, () => this.answers.onReset?.());
  saveDiagnostics = () => this.answer("save_diagnostics", {}, () => 2_048);
  private startsWithSystem = false;
  autostart = () => this.answer("autostart", {}, () => this.startsWithSystem);
  setAutostart = (on: boolean) =>
    this.answer("set_autostart", { on }, () => {
      this.startsWithSystem = on;
    });
}
