import { Page } from "@/components/Page";

export default function SchoolDetail() {
  return <Page title="SchoolDetail">{null}</Page>;
}
