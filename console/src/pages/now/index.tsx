import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function NowPage() {
  return (
    <Page title="Now">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
