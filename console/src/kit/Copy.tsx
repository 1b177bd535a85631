import { useState } from "preact/hooks";
import type { IconName } from "./Icon";
import { IconButton } from "./IconButton";

/** Copies a text, and shows that it has. */
export function CopyButton(properties: { text: string; label: string; icon: IconName; look?: string }) {
  const { text, label, icon, look = "" } = properties;
  const [copied, setCopied] = useState(false);
  return (
    <IconButton
      icon={copied ? "acknowledge" : icon}
      label={label}
      title={copied ? "Copied" : label}
      look={look}
      onClick={() => {
        // Without a secure connection the browser lends no clipboard; the text can be copied by hand from where it is shown.
        void navigator.clipboard?.writeText(text).then(() => setCopied(true));
      }}
    />
  );
}

/** A line to be copied to a terminal, with a button that does so. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  return (
    <div class="copy-line">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard. */}
      <pre tabIndex={0} data-testid="copy-text">
        {text}
      </pre>
      <CopyButton text={text} label={label} icon="copy" />
    </div>
  );
}

/** The types whose senders post the generic body. */
const GENERIC_TYPES = ["any", "api"];

export function isGeneric(type: string): boolean {
  return GENERIC_TYPES.includes(type);
}

/** A curl line that sends through an integration of this type; the key is not known here. */
export function curlLine(type: string): string {
  const example = {
    alert_name: "Disk almost full",
    alert_severity: "critical",
    source: "test",
    object: "web-1",
    notification_output: "/var is 97 % full",
  };
  const body = isGeneric(type) ? `'${JSON.stringify(example)}'` : "@body.json";
  return `curl -X POST '${location.origin}/monitoring-system/${isGeneric(type) ? "api" : type}' \\
  -H "X-Integration-Key: $REVEILLE_KEY" -H 'Content-Type: application/json' \\
  -d ${body}`;
}
