import type { Session, ShellFailure } from "@/shell/host";

export default function SignIn(_: { ended: boolean; problem: ShellFailure | null; onSignedIn: (s: Session) => void }) {
  return null;
}
