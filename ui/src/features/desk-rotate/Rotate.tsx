import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { useConnection, useReceiverStatus } from "@/api/desk";
import { FocusHere } from "@/components/FocusHere";
import { Page, Section } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import { Compare } from "./Compare";
import { Renew } from "./Renew";
import { Secrets } from "./Secrets";
import { useRotation } from "./useRotation";

/** The secret: what is in use on both sides, and the way to a new one. */
export default function Rotate() {
  const { t } = useTranslation("deskRotate");
  const { t: desk } = useTranslation("desk");
  const navigate = useNavigate();
  const status = useReceiverStatus();
  const connection = useConnection(status.data?.enrolled === true);
  const rotation = useRotation();
  const secrets = connection.data?.connection?.secrets ?? [];
  return (
    <Page title={t("title")}>
      <p className="m-0 -mt-2 max-w-3xl text-text-2">{t("intro")}</p>
      <Loaded
        query={status}
        isEmpty={(data) => !data.enrolled}
        empty={
          <Empty
            text={t("notEnrolled")}
            action={
              <Button type="primary" onClick={() => void navigate({ to: "/enroll" as "/" })}>
                {desk("enroll")}
              </Button>
            }
          />
        }
      >
        {(data) => (
          <>
            {rotation.data ? (
              <FocusHere>
                <Compare
                  fingerprint={rotation.data}
                  revoked={rotation.variables === "leaked"}
                  until={secrets.find(({ state }) => state === "retiring")?.expiresAt}
                  store={data.secretStore}
                  onDone={() => rotation.reset()}
                />
              </FocusHere>
            ) : (
              <Section title={t("why.title")}>
                <Renew
                  school={data.schoolName}
                  store={data.secretStore}
                  waits={secrets.some(({ state }) => state === "pending")}
                  rotation={rotation}
                />
              </Section>
            )}
            <Secrets
              fingerprints={data.fingerprints}
              secrets={secrets}
              offline={connection.isError && !connection.data}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}
