import { Button, Form, Input } from "antd";
import { FileText } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Draft } from "./useRequest";

const MAX_BYTES = 1_048_576;

/** The body: as a pasted text, or as a file's exact bytes. */
export function BodyField({ draft, onChange }: { draft: Draft; onChange: (part: Partial<Draft>) => void }) {
  const { t } = useTranslation("deskSignature");
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<"field.fileFailed" | "field.fileLarge" | null>(null);
  const read = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > MAX_BYTES) return setProblem("field.fileLarge");
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      onChange({ file: { name: file.name, bytes } });
      setProblem(null);
    } catch {
      setProblem("field.fileFailed");
    }
  };
  return (
    <Form.Item
      label={t("field.body")}
      htmlFor="part-body"
      validateStatus={problem ? "error" : ""}
      help={problem ? t(problem) : undefined}
      extra={t("field.bodyHint")}
    >
      {draft.file ? (
        <div className="flex items-center gap-2 rounded-control border border-solid border-control px-3 py-1.5">
          <FileText size={16} aria-hidden />
          <span className="min-w-0 flex-1 truncate" id="part-body">
            {t("field.fileName", { name: draft.file.name, size: draft.file.bytes.length.toLocaleString("en") })}
          </span>
          <Button size="small" onClick={() => onChange({ file: null })}>
            {t("field.fileRemove")}
          </Button>
        </div>
      ) : (
        <Input.TextArea
          id="part-body"
          className="font-mono!"
          spellCheck={false}
          autoSize={{ minRows: 4, maxRows: 14 }}
          value={draft.body}
          onChange={(event) => onChange({ body: event.target.value })}
        />
      )}
      <input
        ref={input}
        type="file"
        className="hidden"
        aria-label={t("field.file")}
        tabIndex={-1}
        onChange={(event) => {
          void read(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      {!draft.file && (
        <Button size="small" className="mt-2" onClick={() => input.current?.click()}>
          {t("field.file")}
        </Button>
      )}
    </Form.Item>
  );
}
