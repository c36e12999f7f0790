import { Page } from "@/components/Page";

export default function ImportRun() {
  return <Page title="ImportRun">{null}</Page>;
}
