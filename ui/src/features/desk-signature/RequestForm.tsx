import { Alert, Button, Form, Input, Select } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { formatTime } from "@/components/time";
import { usePreferences } from "@/theme/preferences";
import { BodyField } from "./BodyField";
import { type Asked, type FromEvent, useRequest } from "./useRequest";

const mono = "font-mono!";

/** The request's parts. Nothing of it leaves this machine. */
export function RequestForm({
  from: linked,
  busy,
  onCheck,
  onChange,
}: {
  from: FromEvent | null;
  busy: boolean;
  onCheck: (asked: Asked) => void;
  /** Told what would be asked now, to see whether a shown result is still of it. */
  onChange: (asked: string) => void;
}) {
  const { t } = useTranslation("deskSignature");
  const [chosen, setChosen] = useState<FromEvent | null>(null);
  const from = chosen ?? linked;
  const request = useRequest(from);
  const { draft, change, asked, wrong } = request;
  const [pasted, setPasted] = useState("");
  const [unsplit, setUnsplit] = useState(false);
  const text = JSON.stringify(asked);
  useEffect(() => onChange(text), [text]);
  const split = (value: string) => setUnsplit(value.trim() !== "" && !request.split(value));
  return (
    <Form layout="vertical" className="[&_.ant-form-item]:mb-3!" onFinish={() => request.right && onCheck(asked)}>
      <FailedEvents onChoose={setChosen} />
      {from && <Alert type="info" showIcon className="mb-4!" title={t("source.event")} />}
      <Form.Item
        label={t("source.paste")}
        htmlFor="pasted"
        extra={t("source.pasteHint")}
        validateStatus={unsplit ? "warning" : ""}
        help={unsplit ? t("source.noHeaders") : undefined}
      >
        <Input.TextArea
          id="pasted"
          className={mono}
          spellCheck={false}
          autoSize={{ minRows: 3, maxRows: 8 }}
          value={pasted}
          onChange={(event) => setPasted(event.target.value)}
          onBlur={() => split(pasted)}
        />
      </Form.Item>
      <Button size="small" className="mb-3" onClick={() => split(pasted)}>
        {t("source.split")}
      </Button>
      {(["id", "timestamp", "signature"] as const).map((part) => (
        <Form.Item key={part} label={t(`field.${part}`)} htmlFor={`part-${part}`}>
          <Input
            id={`part-${part}`}
            className={mono}
            spellCheck={false}
            value={draft[part]}
            onChange={(event) => change({ [part]: event.target.value })}
          />
        </Form.Item>
      ))}
      <BodyField draft={draft} onChange={change} />
      <div className="grid grid-cols-1 gap-x-4 md:grid-cols-2">
        <Form.Item
          label={t("field.receivedAt")}
          htmlFor="part-received"
          validateStatus={wrong.receivedAt ? "error" : ""}
          help={wrong.receivedAt ? t("field.receivedWrong") : t("field.receivedHint")}
        >
          <Input
            id="part-received"
            value={draft.receivedAt}
            onChange={(event) => change({ receivedAt: event.target.value })}
          />
        </Form.Item>
        <Form.Item
          label={t("field.bytes")}
          htmlFor="part-bytes"
          validateStatus={wrong.bytes ? "error" : ""}
          help={wrong.bytes ? t("field.bytesWrong") : t("field.optional")}
        >
          <Input
            id="part-bytes"
            inputMode="numeric"
            value={draft.bytes}
            onChange={(event) => change({ bytes: event.target.value })}
          />
        </Form.Item>
      </div>
      <Form.Item label={t("field.sha256")} htmlFor="part-sha256" help={t("field.optional")}>
        <Input
          id="part-sha256"
          className={mono}
          spellCheck={false}
          value={draft.sha256}
          onChange={(event) => change({ sha256: event.target.value })}
        />
      </Form.Item>
      <Button type="primary" htmlType="submit" loading={busy} className="mt-2">
        {t("check")}
      </Button>
    </Form>
  );
}

/** The last arrivals that did not verify, to begin from. */
function FailedEvents({ onChoose }: { onChoose: (from: FromEvent | null) => void }) {
  const { t } = useTranslation("deskSignature");
  const { t: e } = useTranslation("deskEvents");
  const { zone } = usePreferences();
  const events = useCall("ReceiverService/ListEvents", {
    pageSize: 20,
    verdicts: ["bad_signature", "too_old", "rejected"],
  });
  const rows = events.data?.events.filter((event) => event.messageId) ?? [];
  if (rows.length === 0) return null;
  return (
    <Form.Item label={t("source.recent")} htmlFor="recent">
      <Select
        id="recent"
        allowClear
        placeholder={t("source.recentHint")}
        onChange={(number: string | undefined) => {
          const row = rows.find((event) => event.number === number);
          onChoose(row ? { id: row.messageId, at: row.at ?? "" } : null);
        }}
        options={rows.map((row) => ({
          value: row.number,
          label: `${formatTime(row.at ?? "", zone)} · ${e(`verdict.${row.verdict}` as "verdict.verified")} · ${row.messageId}`,
        }))}
      />
    </Form.Item>
  );
}
