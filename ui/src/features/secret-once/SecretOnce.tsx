import { Page } from "@/components/Page";

export default function SecretOnce() {
  return <Page title="SecretOnce">{null}</Page>;
}
