import { Page } from "@/components/Page";

export default function Imports() {
  return <Page title="Imports">{null}</Page>;
}
