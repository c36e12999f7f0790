import { Page } from "@/components/Page";

export default function Rotate() {
  return <Page title="Rotate">{null}</Page>;
}
