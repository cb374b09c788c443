import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function SubmissionsPage() {
  return (
    <Page title="Submissions">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
