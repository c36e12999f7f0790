import { Page } from "@/components/Page";

export default function Undelivered() {
  return <Page title="Undelivered">{null}</Page>;
}
