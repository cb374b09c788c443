import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function AuditPage() {
  return (
    <Page title="Audit">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
