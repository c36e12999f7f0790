import { Page } from "@/components/Page";

export default function Students() {
  return <Page title="Students">{null}</Page>;
}
