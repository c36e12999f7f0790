import { Page } from "@/components/Page";

export default function Signature() {
  return <Page title="Signature">{null}</Page>;
}
