import { Page } from "@/components/Page";

export default function Analytics() {
  return <Page title="Analytics">{null}</Page>;
}
