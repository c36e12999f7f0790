import { Page } from "@/components/Page";

export default function Schools() {
  return <Page title="Schools">{null}</Page>;
}
