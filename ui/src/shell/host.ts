/**
 * What the program around the page offers: the bridge of `desktop-shell/README.md`, as types. `tauri.ts` is the real
 * one and the only file that knows Tauri; `fake/` runs the whole UI in a plain browser.
 */

/** A refusal of the shell or of the server behind it. */
export interface ShellFailure {
  code: ShellCode;
  /** For people. */
  message: string;
  /** Fields at fault, by wire name, for example `grades[1]`. */
  violations: { field: string; message: string }[];
  /** Only for `server_key_changed`. */
  keys?: { expected: string; shown: string };
  /** A finer cause, for example `code_expired` or `keychain_differs`. */
  reason?: string;
}

export type ShellCode =
  | "cancelled"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "unauthenticated"
  | "server_key_changed"
  | "bad_address"
  | "not_allowed"
  | "secret_withheld"
  | "not_connected"
  | "file"
  | "keychain_locked"
  | "keychain_absent"
  | "keychain_failed"
  | "code"
  | "setup";

export type StreamEvent =
  | { kind: "open" }
  | { kind: "message"; message: unknown }
  | { kind: "reconnecting"; error: ShellFailure }
  | { kind: "end" }
  | { kind: "error"; error: ShellFailure };

export type LinkState = "not_connected" | "connected" | "reconnecting" | "server_key_changed";
export type Target = "provider" | "receiver";

/** Ends what was opened. */
export type Stop = () => void;

/** What both consoles' programs offer. */
export interface Host {
  /** One rpc with one answer, `Service/Method`, in proto JSON. Throws a {@link ShellFailure}. */
  call(method: string, request: object): Promise<unknown>;
  /** A server stream; a tail resumes at its cursor by itself. */
  openStream(method: string, request: object, onEvent: (event: StreamEvent) => void): Stop;
  watchLink(target: Target, onChange: (state: LinkState) => void): Stop;
  /** Deep links, as they came. They open a place and never act. */
  watchPlaces(onPlace: (link: string) => void): Stop;
  /** Lets somebody name a file and writes a stream there. `null`: they did not. */
  saveFile(method: string, request: object, suggestedName: string): Promise<number | null>;
}

export interface Server {
  /** `host:port` */
  address: string;
  /** SHA-256 of the server's public key, hex. */
  pin: string;
}

export interface ServerCheck {
  pin: string;
  version: string;
  compatible: boolean;
  /** The first owner has still to be claimed. */
  unclaimed: boolean;
  latencyMs: number;
  /** This key was seen at this address before. */
  keyKnown: boolean;
}

export interface Credentials {
  server: Server;
  username: string;
  password: string;
  ownerCode?: string;
}

export interface StaffMember {
  id: string;
  username: string;
  role: string;
  districtIds: string[];
}

export interface Session {
  server: Server;
  staff: StaffMember;
  /** RFC 3339; `null` where the server did not say. */
  expiresAt: string | null;
  kept: { kept: "keychain" } | { kept: "no"; error: ShellFailure };
}

/** A file that somebody chose or dropped; its path never reaches the page. */
export interface Ticket {
  ticket: string;
  name: string;
  sizeBytes: number;
}

export interface ProviderHost extends Host {
  knownServers(): Promise<Server[]>;
  checkServer(address: string): Promise<ServerCheck>;
  signIn(credentials: Credentials): Promise<Session>;
  signOut(): Promise<void>;
  session(): Promise<Session | null>;
  resumeSession(): Promise<Session | null>;
  chooseFile(title: string, extensions: string[]): Promise<Ticket | null>;
  watchDrops(onDrop: (dropped: { Ok: Ticket } | { Err: ShellFailure }) => void): Stop;
  /** Uploads a chosen file; answers the import run in proto JSON. */
  startImport(
    upload: { ticket: string; district: string; profile?: string; holdForReview?: boolean },
    onProgress: (bytes: number) => void,
  ): Promise<unknown>;
  /** A window of its own per school. */
  openLogWindow(school: string, title: string): Promise<void>;
  openSecretWindow(school: string, rotate: boolean): Promise<void>;
  closeWindow(): Promise<void>;
}

export type ReceiverState =
  | { state: "starting" }
  | { state: "inside" | "beside"; webhook: string; dataDir: string }
  | { state: "failed"; error: ShellFailure };

export interface CodeDetails {
  server: string;
  schoolName: string;
  schoolSourcedId: string;
  districtName: string;
  issuedBy: string;
  expiresAt: string | null;
  state: string;
  secretStore: "keychain" | "file";
}

export interface Enrolled {
  schoolName: string;
  schoolSourcedId: string;
  fingerprint: string;
  alreadyYours: boolean;
  secretStore: "keychain" | "file";
}

export interface SchoolHost extends Host {
  watchReceiver(onChange: (state: ReceiverState) => void): Stop;
  restartReceiver(): Promise<void>;
  /** Offline; answers the provider's address. */
  checkCode(code: string): Promise<string>;
  probeKeychain(): Promise<"keychain" | "file">;
  inspectCode(code: string): Promise<CodeDetails>;
  redeemCode(code: string, schoolSourcedId: string): Promise<Enrolled>;
  /** The new fingerprint; `null`: no secret waits. */
  rotateSecret(request: boolean, revokeNow: boolean): Promise<string | null>;
  resetEnrollment(): Promise<void>;
  saveDiagnostics(): Promise<number | null>;
  autostart(): Promise<boolean>;
  setAutostart(on: boolean): Promise<void>;
}
