/** Why executions failed: one line for each reason. */

import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { decimalText, Moment, StateBadge, useZone } from "../../ui/values";
import { type Group, groupSearch, reasonText } from "./model";

interface GroupsProps {
  groups: readonly Group[];
  /** The rest of the search, which a group keeps. */
  kept: Record<string, string | undefined>;
  /** undefined: one may not requeue. */
  onRequeue?: (group: Group) => void;
}

export function Groups({ groups, kept, onRequeue }: GroupsProps) {
  const zone = useZone();
  const most = Math.max(1, ...groups.map((one) => one.count));
  return (
    <table className="table failures-groups">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Reason</th>
          <th scope="col" className="end">
            Executions
          </th>
          <th scope="col">First, {zone}</th>
          <th scope="col">Last, {zone}</th>
          {onRequeue && (
            <th scope="col">
              <span className="hidden">Action</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={`${group.state} ${group.code} ${group.message}`}>
            <td>
              <StateBadge state={group.state} />
            </td>
            <td className="failures-reason">
              <Link to="/failures" search={{ ...kept, ...groupSearch(group) }}>
                <code>{group.code}</code>
              </Link>
              <p>{reasonText(group.code, group.message)}</p>
            </td>
            <td className="end failures-count">
              <strong className="figure">{decimalText(group.count)}</strong>
              <span className="failures-bar" aria-hidden="true">
                <span style={{ width: `${(100 * group.count) / most}%` }} />
              </span>
            </td>
            <td>
              <span className="failures-label" aria-hidden="true">
                First
              </span>
              <Moment at={group.firstAt} short />
            </td>
            <td>
              <span className="failures-label" aria-hidden="true">
                Last
              </span>
              <Moment at={group.lastAt} short />
            </td>
            {onRequeue && (
              <td className="end">
                <Button
                  onClick={() => onRequeue(group)}
                  aria-label={`Requeue all ${decimalText(group.count)}: ${group.state}, ${group.code}`}
                >
                  Requeue all …
                </Button>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
