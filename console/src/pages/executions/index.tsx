import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function ExecutionsPage() {
  return (
    <Page title="Executions">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
