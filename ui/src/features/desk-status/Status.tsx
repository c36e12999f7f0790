import { Page } from "@/components/Page";

export default function Status() {
  return <Page title="Status">{null}</Page>;
}
