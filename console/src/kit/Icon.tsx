/** Line icons of 16 by 16, drawn in the colour of the text around them. */
const PATHS = {
  acknowledge: "M3 8.5l3.2 3.2L13 5",
  snooze: "M8 4.5V8l2.2 1.6M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12",
  handle:
    "M9.8 2.6a3.4 3.4 0 0 0-3.4 4.6L2.6 11a1.7 1.7 0 0 0 2.4 2.4l3.8-3.8a3.4 3.4 0 0 0 4.5-4.1l-2 2-2-.4-.4-2 2-2a3.4 3.4 0 0 0-1.1-.5",
  assign: "M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8M3 13.5c.4-2.4 2.5-3.7 5-3.7s4.6 1.3 5 3.7",
  edit: "M3 13l.6-3L10.5 3.1l2.4 2.4L6 12.4zM9.2 4.4l2.4 2.4",
  comment: "M2.5 3.5h11v7.5H7.5L4.5 13.5V11h-2z",
  resolve: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M5.4 8.2l1.9 1.9 3.4-3.9",
  reopen: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v2.8h2.8",
  downtime: "M6 5v6M10 5v6M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12",
  active: "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M10.3 10.3L13.5 13.5",
  close: "M4 4l8 8M12 4l-8 8",
  up: "M4.5 9.5L8 6l3.5 3.5",
  down: "M4.5 6.5L8 10l3.5-3.5",
  help: "M6.2 6.3a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.7-.9 1.3M8 11.4v.1M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12",
  sun: "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M3.6 12.4l1-1M11.4 4.6l1-1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5",
  system: "M2.5 3.5h11v7h-11zM6 13.5h4",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  download: "M8 2.5v7.5M5 7.3L8 10.2l3-2.9M3 13h10",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.9.9M9.2 6.8a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.9-.9",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  bell: "M4 11.5h8l-1-1.8V7a3 3 0 0 0-6 0v2.7zM6.8 13.5h2.4M8 2.5V4",
  unnotified: "M4 11.5h8l-1-1.8V7a3 3 0 0 0-6 0v2.7zM2.5 2.5l11 11",
  silence: "M3 6.2v3.6h2.4L9 12.8V3.2L5.4 6.2zM11.2 6.3l3 3.4M14.2 6.3l-3 3.4",
  heartbeat: "M1.5 8.5h3l1.5-4 3 8 2-5.5.8 1.5h2.7",
  rejected: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M3.8 3.8l8.4 8.4",
  exclude: "M3.5 8h9",
  command: "M3 4.5l3.5 3.5L3 11.5M8 12h5",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  plus: "M8 3.5v9M3.5 8h9",
  webhook: "M5 12.5L2.5 8 5 3.5M11 3.5L13.5 8 11 12.5M9 4l-2 8",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return <Drawing path={PATHS[name]} />;
}

/** An icon of this path. */
export function Drawing({ path }: { path: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}
