import type { TimelineItem } from "./side-panel";
import { durationText, Moment } from "./values";

/** What happened to one thing, oldest first, with the time between. */
export function Timeline({ items, label }: { items: readonly TimelineItem[]; label: string }) {
  return (
    <ol className="timeline" aria-label={label}>
      {items.map((item, index) => {
        const before = items[index - 1]?.at;
        const gap = before && item.at ? Date.parse(item.at) - Date.parse(before) : null;
        return (
          <li key={item.id} className={`timeline-item tone-${item.tone}`}>
            <div className="timeline-title">{item.title}</div>
            <div className="timeline-at muted">
              <Moment at={item.at} />
              {gap !== null && gap > 0 && <span> · {durationText(gap)} later</span>}
            </div>
            {item.body && <div className="timeline-body">{item.body}</div>}
          </li>
        );
      })}
    </ol>
  );
}
