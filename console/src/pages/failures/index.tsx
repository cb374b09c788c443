import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function FailuresPage() {
  return (
    <Page title="Failures">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
