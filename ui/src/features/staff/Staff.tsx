import { Page } from "@/components/Page";

export default function Staff() {
  return <Page title="Staff">{null}</Page>;
}
