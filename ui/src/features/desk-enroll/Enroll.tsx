import { Page } from "@/components/Page";

export default function Enroll() {
  return <Page title="Enroll">{null}</Page>;
}
