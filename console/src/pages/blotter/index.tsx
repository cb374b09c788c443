import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function BlotterPage() {
  return (
    <Page title="Blotter">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
