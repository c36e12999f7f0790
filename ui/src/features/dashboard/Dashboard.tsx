import { Page } from "@/components/Page";

export default function Dashboard() {
  return <Page title="Dashboard">{null}</Page>;
}
