import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { refresh } from "@/api/hooks";
import { useSchoolHost } from "@/shell/context";
import type { CodeDetails, Enrolled, ShellFailure } from "@/shell/host";

/** Where somebody is on the way from a code to a stored secret. */
export type Step =
  | { at: "code" }
  /** With the code that the details are of: that one is redeemed, whatever the field holds by then. */
  | { at: "confirm"; code: string; details: CodeDetails }
  | { at: "done"; enrolled: Enrolled }
  | { at: "keychain"; error: ShellFailure }
  | { at: "refused"; error: ShellFailure };

/** What the offline check says about the text: the provider's address, or what is wrong with it. */
export type Checked = { server: string } | { error: ShellFailure } | null;

/** The code inside what was pasted: a link, or the code itself. */
export function codeIn(text: string): string {
  return /[?&]code=([^&\s]+)/.exec(text)?.[1] ?? text.trim();
}

const isKeychain = (error: ShellFailure) => error.code.startsWith("keychain_");

/** The way through an enrollment. The keychain is tried before the code is looked up, and again with every try. */
export function useEnroll(prefilled: string) {
  const host = useSchoolHost();
  const client = useQueryClient();
  const [text, setText] = useState(prefilled);
  const [checked, setChecked] = useState<Checked>(null);
  const [step, setStep] = useState<Step>({ at: "code" });
  const [busy, setBusy] = useState(false);
  const code = codeIn(text);

  /** Grows with everything that makes an older look worth nothing. */
  const turn = useRef(0);
  /** A code is being redeemed, which cannot be taken back: what comes of it is always shown. */
  const redeeming = useRef(false);

  /** Another text: whatever was looked up was of the one before. */
  const enter = useCallback((next: string) => {
    setText(next);
    if (redeeming.current) return;
    turn.current += 1;
    setBusy(false);
    setStep({ at: "code" });
  }, []);

  // A link that comes in later starts anew.
  useEffect(() => {
    if (prefilled) enter(prefilled);
  }, [prefilled, enter]);

  useEffect(() => {
    setChecked(null);
    if (!code) return;
    let current = true;
    const told = (result: Checked) => current && setChecked(result);
    host.checkCode(code).then(
      (server) => told({ server }),
      (error: ShellFailure) => told({ error }),
    );
    return () => {
      current = false;
    };
  }, [host, code]);

  const attempt = async (act: () => Promise<Step>) => {
    turn.current += 1;
    const mine = turn.current;
    const end = (next: Step) => {
      if (turn.current !== mine) return;
      setBusy(false);
      setStep(next);
    };
    setBusy(true);
    try {
      end(await act());
    } catch (caught) {
      const error = caught as ShellFailure;
      end({ at: isKeychain(error) ? "keychain" : "refused", error });
    }
  };

  return {
    text,
    setText: enter,
    checked,
    step,
    busy,
    /** Tries the keychain, then shows what the code is for. */
    look: () =>
      attempt(async () => {
        await host.probeKeychain();
        return { at: "confirm", code, details: await host.inspectCode(code) };
      }),
    /** Redeems the code that was looked up, for the school that was shown. */
    redeem: ({ code: shown, details }: Extract<Step, { at: "confirm" }>) =>
      attempt(async () => {
        redeeming.current = true;
        try {
          const enrolled = await host.redeemCode(shown, details.schoolSourcedId);
          void refresh(client, ["ReceiverService", "SchoolLinkService"]);
          return { at: "done", enrolled };
        } finally {
          redeeming.current = false;
        }
      }),
    back: () => setStep({ at: "code" }),
    anew: () => enter(""),
  };
}
