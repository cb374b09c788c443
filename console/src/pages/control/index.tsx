import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function ControlPage() {
  return (
    <Page title="Control">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
