import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function NeedsYouPage() {
  return (
    <Page title="Needs you">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
