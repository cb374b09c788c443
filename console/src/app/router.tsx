/** Shows the page that the URL names. Its code is loaded when it is first opened, or pointed at. */

import {
  type AnchorHTMLAttributes,
  Component,
  type ComponentType,
  lazy,
  type MouseEvent,
  type ReactNode,
  Suspense,
  useEffect,
} from "react";
import { PAGES } from "../pages/registry";
import { Empty, Loading, Problem } from "../ui/states";
import { hrefOf, navigate, type SearchChanges, usePlace } from "./location";

const VIEWS: ReadonlyMap<string, ComponentType> = new Map(PAGES.map((page) => [page.path, lazy(page.load)]));

export function CurrentPage() {
  const { page } = usePlace();
  const View = VIEWS.get(page);
  useEffect(() => {
    if (page === "/") navigate("/now", {}, { replace: true });
  }, [page]);
  if (page === "/") return null;
  if (!View) return <Empty title="There is no such page">The navigation lists all pages.</Empty>;
  return (
    <Boundary key={page}>
      <Suspense fallback={<Loading />}>
        <View />
      </Suspense>
    </Boundary>
  );
}

/** An error of one page leaves the others usable. After an update of the service, a reload finds its new code. */
class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <Problem error={this.state.error} retry={() => location.reload()} />;
  }
}

interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> {
  to: string;
  search?: SearchChanges;
}

/** A link within the console. */
export function Link({ to, search, onClick, ...rest }: LinkProps) {
  const { page } = usePlace();
  const load = () => void PAGES.find((one) => one.path === to)?.load();
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const isOther = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (event.defaultPrevented || isOther) return;
    event.preventDefault();
    navigate(to, search);
  };
  return (
    <a
      aria-current={page === to && search === undefined ? "page" : undefined}
      {...rest}
      href={hrefOf(to, search)}
      onClick={follow}
      onPointerEnter={load}
      onFocus={load}
    />
  );
}
