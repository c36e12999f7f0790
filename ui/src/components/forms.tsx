import { App, Button, type FormInstance, Input, Modal, Typography } from "antd";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ShellFailure } from "@/shell/host";

/** `schoolEnrollments[1].beginDate` for `school_enrollments[1].begin_date`, as a form's path. */
function path(field: string): (string | number)[] {
  const camel = field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/**
 * Puts a refusal's violations at their fields, takes the focus there, and answers whether all had one. `prefix` is
 * cut off, such as `student`.
 */
export function showViolations(form: FormInstance, error: ShellFailure, prefix = ""): boolean {
  const known = new Set(Object.keys(form.getFieldsValue(true) as object));
  const placed = error.violations
    .map(({ field, message }) => ({
      name: path(prefix && field.startsWith(`${prefix}.`) ? field.slice(prefix.length + 1) : field),
      errors: [message],
    }))
    .filter(({ name }) => known.has(String(name[0])) || form.getFieldInstance(name));
  form.setFields(placed);
  const first = placed[0];
  if (first) form.scrollToField(first.name, { focus: true });
  return placed.length > 0 && placed.length === error.violations.length;
}

/**
 * Gives the focus of a dialog that opened to its safest control, unless somebody types in it already: a dialog that is
 * slow to open would else take the rest of the text, and a blank would press the control.
 */
export function useDialogFocus() {
  const first = useRef<HTMLButtonElement>(null);
  const afterOpenChange = (shown: boolean) => {
    const typing = document.activeElement?.matches("[role=dialog] :is(input, textarea)");
    if (shown && !typing) first.current?.focus();
  };
  return { first, afterOpenChange };
}

/** For an act that cannot be undone: the name must be typed, Cancel has the focus, the danger button is a verb. */
export function TypedConfirm({
  open,
  title,
  text,
  name,
  verb,
  busy = false,
  ready = true,
  children,
  onConfirm,
  onCancel,
}: {
  open: boolean;
  title: string;
  text: string;
  /** What else the act needs, such as a reason, is there. */
  ready?: boolean;
  children?: ReactNode;
  /** What must be typed. */
  name: string;
  verb: string;
  busy?: boolean;
  onConfirm: () => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const { first: cancel, afterOpenChange } = useDialogFocus();
  useEffect(() => setTyped(""), [open]);
  const hint = t("confirm.typeName", { name });
  return (
    <Modal
      open={open}
      title={title}
      onCancel={onCancel}
      afterOpenChange={afterOpenChange}
      footer={[
        <Button key="cancel" ref={cancel} onClick={onCancel}>
          {t("act.cancel")}
        </Button>,
        <Button key="verb" danger type="primary" disabled={typed !== name || !ready} loading={busy} onClick={onConfirm}>
          {verb}
        </Button>,
      ]}
    >
      <Typography.Paragraph>{text}</Typography.Paragraph>
      {children}
      <Input aria-label={hint} placeholder={hint} value={typed} onChange={(event) => setTyped(event.target.value)} />
    </Modal>
  );
}

/** A toast with Undo for 10 seconds, for acts that can be taken back. */
export function useUndoToast() {
  const { notification } = App.useApp();
  const { t } = useTranslation();
  return (text: string, undo: () => void) => {
    const key = crypto.randomUUID();
    notification.open({
      key,
      title: text,
      duration: 10,
      placement: "bottomRight",
      actions: (
        <Button
          size="small"
          onClick={() => {
            notification.destroy(key);
            undo();
          }}
        >
          {t("act.undo")}
        </Button>
      ),
    });
  };
}

/** Tells the outcome of an act in a toast; failures stay until they are closed. */
export function useTell() {
  const { notification } = App.useApp();
  return {
    done: (text: string) => notification.success({ title: text, duration: 4, placement: "bottomRight" }),
    failed: (error: ShellFailure) =>
      notification.error({
        title: error.message,
        description: error.violations.map((v) => `${v.field}: ${v.message}`).join(" · ") || undefined,
        duration: 0,
        placement: "bottomRight",
        role: "alert",
      }),
  };
}
