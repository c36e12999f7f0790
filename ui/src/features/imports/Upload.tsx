import { Alert, Button, Checkbox, Form, Modal, Progress, Radio, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { formatBytes } from "@/components/bytes";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import type { District } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure, Ticket } from "@/shell/host";

/** A chosen zip on its way: to which district, how strictly, and whether the plan is looked at first. */
export function Upload({
  file,
  districts,
  district,
  onStarted,
  onClose,
}: {
  file: Ticket;
  districts: District[];
  district?: string;
  onStarted: (run: ImportRun) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation("imports");
  const { t: common } = useTranslation();
  const host = useProviderHost();
  const [to, setTo] = useState(district);
  const [profile, setProfile] = useState<"lenient" | "strict">("lenient");
  const [review, setReview] = useState(true);
  const [sent, setSent] = useState<number | null>(null);
  const [error, setError] = useState<ShellFailure | null>(null);
  const uploading = sent !== null;
  const start = async () => {
    if (!to) return;
    setError(null);
    setSent(0);
    try {
      const upload = { ticket: file.ticket, district: to, profile, holdForReview: review };
      onStarted((await host.startImport(upload, setSent)) as ImportRun);
    } catch (failure) {
      setError(failure as ShellFailure);
      setSent(null);
    }
  };
  const percent = Math.min(100, Math.floor(((sent ?? 0) / Math.max(1, file.sizeBytes)) * 100));
  return (
    <Modal
      open
      title={t("upload.title")}
      closable={!uploading}
      mask={{ closable: false }}
      keyboard={!uploading}
      onCancel={onClose}
      footer={[
        <Button key="cancel" disabled={uploading} onClick={onClose}>
          {common("act.cancel")}
        </Button>,
        <Button key="start" type="primary" disabled={!to} loading={uploading} onClick={start}>
          {review ? t("upload.check") : t("upload.import")}
        </Button>,
      ]}
    >
      <p className="mt-0 break-all">
        <strong>{file.name}</strong> <span className="text-text-3">{formatBytes(file.sizeBytes)}</span>
      </p>
      {error && (
        <Alert
          className="mb-3"
          type="error"
          showIcon
          role="alert"
          title={error.message}
          description={error.violations.map(({ field, message }) => `${field}: ${message}`).join(" · ") || undefined}
        />
      )}
      {uploading ? (
        <div role="status">
          <Progress percent={percent} aria-label={t("upload.progress")} />
          <p className="m-0 text-text-3">
            {t("upload.sent", { sent: formatBytes(sent), size: formatBytes(file.sizeBytes) })}
          </p>
        </div>
      ) : (
        <Form layout="vertical">
          <Form.Item label={t("upload.district")} htmlFor="upload-district">
            <Select
              id="upload-district"
              value={to}
              onChange={setTo}
              options={districts.map(({ id, name }) => ({ value: id, label: name }))}
            />
          </Form.Item>
          <Form.Item label={t("upload.profile")}>
            <Radio.Group
              aria-label={t("upload.profile")}
              vertical
              value={profile}
              onChange={(event) => setProfile(event.target.value)}
              options={[
                { value: "lenient", label: t("upload.lenient") },
                { value: "strict", label: t("upload.strict") },
              ]}
            />
          </Form.Item>
          <Checkbox checked={review} onChange={(event) => setReview(event.target.checked)}>
            {t("upload.review")}
          </Checkbox>
        </Form>
      )}
    </Modal>
  );
}
