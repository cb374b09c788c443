/** What a check found: refused rows, totals of what would be sent, the first orders. */

import { Fragment, type ReactNode } from "react";
import type { components } from "../../api/schema";
import { Figure, Moment } from "../../ui/values";
import type { Checked, Reject } from "./model";

type Sum = components["schemas"]["BlotterSum"];

export function Tiles({ checked }: { checked: Checked }) {
  const { totals } = checked;
  return (
    <dl className="tiles blotter-tiles">
      <Tile label="Orders to send" value={totals.toSend} />
      <Tile label="Quantity" value={totals.total.quantity} />
      <Tile label="Value" value={totals.total.value} />
      <Tile label={`Refused ${checked.unit}s`} value={checked.refused} isBad={checked.refused > 0} />
      {totals.resumed > 0 && <Tile label="Of these known, resumed" value={totals.resumed} />}
      {totals.sentBefore > 0 && <Tile label="Sent before, left alone" value={totals.sentBefore} />}
      {totals.refusedBefore > 0 && <Tile label="Failed before, sent again" value={totals.refusedBefore} />}
    </dl>
  );
}

function Tile({ label, value, isBad = false }: { label: string; value: Sum["value"]; isBad?: boolean }) {
  return (
    <div className="tile">
      <dt>{label}</dt>
      <dd className={isBad ? "text-danger" : undefined}>
        <Figure value={value} />
      </dd>
    </div>
  );
}

/** A table that scrolls in itself, by keyboard too. */
export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section className="blotter-scrolled" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

/** A name that may be broken after each underscore. */
function breakable(name: string): ReactNode {
  return name.split(/(?<=_)/).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text
    <Fragment key={index}>
      {part}
      <wbr />
    </Fragment>
  ));
}

export function Rejects({ rejects, unit }: { rejects: readonly Reject[]; unit: string }) {
  return (
    <Scrolled label={`Refused ${unit}s`}>
      <table className="table blotter-rejects">
        <thead>
          <tr>
            <th scope="col" className="end">
              {unit === "line" ? "Line" : "Row"}
            </th>
            <th scope="col" className="end blotter-wide">
              Order id
            </th>
            <th scope="col">Column</th>
            <th scope="col">Value</th>
            <th scope="col">Rule</th>
          </tr>
        </thead>
        <tbody>
          {rejects.map((one, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a row may break a rule twice, and the list is of one answer
            <tr key={index}>
              <td className="end figure">{one.line}</td>
              <td className="end figure blotter-wide">{one.orderId ?? <span className="muted">–</span>}</td>
              <td>{breakable(one.column)}</td>
              <td>{one.value ? <code>{one.value}</code> : <span className="muted">nothing</span>}</td>
              <td>{one.rule}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

export function Totals({ checked }: { checked: Checked }) {
  const { bySide, byDestination, byPortfolio } = checked.totals;
  return (
    <div className="blotter-totals">
      <Sums label="Side" sums={bySide} />
      <Sums label="Destination" sums={byDestination} />
      <Sums label="Portfolio" sums={byPortfolio} />
    </div>
  );
}

function Sums({ label, sums }: { label: string; sums: Readonly<Record<string, Sum>> }) {
  return (
    <Scrolled label={`Totals by ${label.toLowerCase()}`}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{label}</th>
            <th scope="col" className="end">
              Orders
            </th>
            <th scope="col" className="end">
              Quantity
            </th>
            <th scope="col" className="end">
              Value
            </th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(sums).map(([name, sum]) => (
            <tr key={name}>
              <td className="blotter-name">{name}</td>
              <td className="end">
                <Figure value={sum.orders} />
              </td>
              <td className="end">
                <Figure value={sum.quantity} />
              </td>
              <td className="end">
                <Figure value={sum.value} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

export function Preview({ orders, unit }: { orders: Checked["preview"]; unit: string }) {
  const hasTimes = orders.some((one) => one.tradeTimestamp !== null);
  const hasBlotters = orders.some((one) => one.blotter !== null);
  return (
    <Scrolled label="The first orders">
      <table className="table blotter-preview">
        <thead>
          <tr>
            <th scope="col" className="end">
              {unit === "line" ? "Line" : "Row"}
            </th>
            <th scope="col" className="end">
              Order id
            </th>
            <th scope="col">Side</th>
            <th scope="col">Security</th>
            <th scope="col" className="end">
              Quantity
            </th>
            <th scope="col" className="end">
              Limit
            </th>
            <th scope="col">Destination</th>
            <th scope="col">Portfolio</th>
            {hasBlotters && <th scope="col">Blotter</th>}
            {hasTimes && <th scope="col">Trade time</th>}
          </tr>
        </thead>
        <tbody>
          {orders.map((one) => (
            <tr key={one.line}>
              <td className="end figure">{one.line}</td>
              <td className="end figure">{one.orderId}</td>
              <td>{one.orderType}</td>
              <td>{one.securityId}</td>
              <td className="end">
                <Figure value={one.quantity} />
              </td>
              <td className="end">
                <Figure value={one.limitPrice} />
              </td>
              <td>{one.destination}</td>
              <td>{one.portfolioId}</td>
              {hasBlotters && <td>{one.blotter ?? "–"}</td>}
              {hasTimes && (
                <td>
                  <Moment at={one.tradeTimestamp} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}
