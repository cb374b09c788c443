/** A chart over time. Beside it stands the same as a table, for those who do not see it. */

import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "../api/session";
import { isUtc, momentText } from "./values";

export interface ChartSeries {
  label: string;
  /** A custom property of tokens.css: `--state-accepted`. */
  color: string;
  values: readonly (number | null)[];
  /** Filled down to the axis. */
  isArea?: boolean;
}

interface TimeChartProps {
  label: string;
  /** Moments of the points, in milliseconds. */
  at: readonly number[];
  series: readonly ChartSeries[];
  unit?: string;
  height?: number;
}

export function TimeChart({ label, at, series, unit = "", height = 180 }: TimeChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const utc = useStore(isUtc);
  const [pointed, setPointed] = useState<number | null>(null);
  const shape = JSON.stringify([series.map((one) => [one.label, one.color, one.isArea]), height, unit, utc]);
  const data = [
    at.map((ms) => ms / 1000),
    ...series.map((one) => one.values),
  ] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for the series
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(
        optionsOf(element, series, unit, height, utc, setPointed),
        latest.current,
        element,
      );
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      dark.removeEventListener("change", draw);
      resized.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [shape]);
  useEffect(() => chart.current?.setData(latest.current));
  return (
    <figure className="chart">
      <figcaption>
        {label}
        <span className="chart-legend">
          {pointed !== null && at[pointed] !== undefined && (
            <span className="figure">{timeText(at[pointed] ?? 0, utc)}</span>
          )}
          {series.map((one) => (
            <span key={one.label} className="chart-key">
              <span className="chart-swatch" style={{ background: `var(${one.color})` }} aria-hidden="true" />
              {one.label}
              {pointed !== null && (
                <strong className="figure">{one.values[pointed]?.toLocaleString("en") ?? "–"}</strong>
              )}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={place} aria-hidden="true" />
      <div className="hidden">
        <table>
          <caption>{label}</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {series.map((one) => (
                <th key={one.label} scope="col">
                  {one.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {at.map((ms, index) => (
              <tr key={ms}>
                <th scope="row">{new Date(ms).toISOString()}</th>
                {series.map((one) => (
                  <td key={one.label}>{one.values[index] ?? "–"}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

function optionsOf(
  element: HTMLElement,
  series: readonly ChartSeries[],
  unit: string,
  height: number,
  utc: boolean,
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color("--chart-ink"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color("--chart-line"), width: 1 },
    ticks: { show: false },
    size: 24,
    gap: 6,
  };
  return {
    width: element.clientWidth || 300,
    height,
    legend: { show: false },
    // On the right, half of a label of the time axis.
    padding: [8, 28, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), utc ? "Etc/UTC" : browserZone()),
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick) => timeText(tick * 1000, utc).replace(/:00$/, "")) },
      { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString("en")}${unit}`) },
    ],
    series: [
      {},
      ...series.map((one) => ({
        label: one.label,
        stroke: color(one.color),
        width: 1.5,
        points: {
          show: false,
          filter: (plot: uPlot, index: number) => loneOf(plot.data[index] ?? []),
          size: 4,
          stroke: color(one.color),
          fill: color(one.color),
        },
        fill: one.isArea ? `${color(one.color)}22` : undefined,
      })),
    ],
  };
}

/** The places of values without a neighbour: a line alone would not show them. */
function loneOf(values: uPlot.AlignedData[number]): number[] {
  const lone: number[] = [];
  for (let at = 0; at < values.length; at++) {
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) lone.push(at);
  }
  return lone;
}

const timeText = (ms: number, utc: boolean) => momentText(new Date(ms).toISOString(), utc).time.slice(0, 8);

const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
