import { Page } from "../../ui/page";
import { Empty } from "../../ui/states";

export default function OrdersPage() {
  return (
    <Page title="Orders">
      <Empty title="This page is not in this version yet" />
    </Page>
  );
}
