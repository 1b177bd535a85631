/** How high the rows are: one line where there is room, two on a phone, where fingers are what points. */
import { computed, signal } from "@preact/signals";

/** As in the style sheet. */
const ONE_LINE_PX = 34;
const TWO_LINES_PX = 60;
const PHONE = "(max-width: 600px)";

const query = matchMedia(PHONE);
export const isPhone = signal(query.matches);
query.addEventListener("change", () => {
  isPhone.value = query.matches;
});

export const rowHeight = computed(() => (isPhone.value ? TWO_LINES_PX : ONE_LINE_PX));
