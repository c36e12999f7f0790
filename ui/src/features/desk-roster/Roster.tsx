import { Page } from "@/components/Page";

export default function Roster() {
  return <Page title="Roster">{null}</Page>;
}
