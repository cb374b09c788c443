/** Icons of 16 px, drawn with strokes in the colour of the text. */

const PATHS = {
  pulse: "M1.5 8.5h3l2-5 3 9 2-4h3",
  hand: "M8 1.8l6.4 11.4H1.6zM8 6v3.4M8 11.3v.2",
  alert: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
  rows: "M2 3.5h12M2 8h12M2 12.5h12",
  order: "M4 1.8h5.2L12.5 5v9.2H4zM9 1.8V5h3.4M6.2 8h4M6.2 11h4",
  send: "M14 2L7 9M14 2L9.6 14 7 9 2 6.4z",
  upload: "M8 10.5V2.2M4.8 5.2L8 2l3.2 3.2M2 10.5v3.3h12v-3.3",
  check: "M3 2.5h10v11H3zM5.6 8.2l1.7 1.7 3.2-3.6",
  control: "M2 5h6M12 5h2M10 3v4M2 11h2M8 11h6M6 9v4",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.7 10.7L14 14",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  done: "M3 8.5l3.2 3.2L13 5",
  menu: "M2 4h12M2 8h12M2 12h12",
  out: "M6 2H2.5v12H6M10.5 11l3-3-3-3M13.5 8H6",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  download: "M8 2v8M4.8 7L8 10.2 11.2 7M2 10.5v3.3h12v-3.3",
  filter: "M2 3h12M4.5 8h7M7 13h2",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M4.5 2.8v10.4L13 8z",
  link: "M6.5 9.5l3-3M7.5 4.5l1.3-1.3a2.8 2.8 0 0 1 4 4L11.5 8.5M8.5 11.5l-1.3 1.3a2.8 2.8 0 0 1-4-4L4.5 7.5",
  jump: "M2 8h8.5M7 4.5L10.5 8 7 11.5M14 3v10",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
