import { Page } from "@/components/Page";

export default function WebhookLog() {
  return <Page title="WebhookLog">{null}</Page>;
}
