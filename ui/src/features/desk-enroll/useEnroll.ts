import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { refresh } from "@/api/hooks";
import { useSchoolHost } from "@/shell/context";
import type { CodeDetails, Enrolled, ShellFailure } from "@/shell/host";

/** Where somebody is on the way from a code to a stored secret. */
export type Step =
  | { at: "code" }
  | { at: "confirm"; details: CodeDetails }
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

  // A link that comes in later starts anew.
  useEffect(() => {
    if (!prefilled) return;
    setText(prefilled);
    setStep({ at: "code" });
  }, [prefilled]);

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
    setBusy(true);
    try {
      setStep(await act());
    } catch (caught) {
      const error = caught as ShellFailure;
      setStep({ at: isKeychain(error) ? "keychain" : "refused", error });
    } finally {
      setBusy(false);
    }
  };

  return {
    text,
    setText,
    checked,
    step,
    busy,
    /** Tries the keychain, then shows what the code is for. */
    look: () =>
      attempt(async () => {
        await host.probeKeychain();
        return { at: "confirm", details: await host.inspectCode(code) };
      }),
    /** Redeems the code for the school that was shown. */
    redeem: (details: CodeDetails) =>
      attempt(async () => {
        const enrolled = await host.redeemCode(code, details.schoolSourcedId);
        void refresh(client, ["ReceiverService", "SchoolLinkService"]);
        return { at: "done", enrolled };
      }),
    back: () => setStep({ at: "code" }),
    anew: () => {
      setText("");
      setStep({ at: "code" });
    },
  };
}
