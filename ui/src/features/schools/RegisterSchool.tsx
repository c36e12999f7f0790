import { Page } from "@/components/Page";

export default function RegisterSchool() {
  return <Page title="RegisterSchool">{null}</Page>;
}
