import { Icon, type IconName } from "./Icon";

/** A button that shows an icon alone: its label is for screen readers, its title for the pointer. */
export function IconButton(properties: {
  icon: IconName;
  label: string;
  title?: string;
  testId?: string;
  /** Further classes. */
  look?: string;
  isPressed?: boolean;
  onClick: () => void;
}) {
  const { icon, label, title, testId, look, isPressed, onClick } = properties;
  return (
    <button
      type="button"
      class={look ? `icon-button ${look}` : "icon-button"}
      aria-label={label}
      aria-pressed={isPressed}
      title={title}
      data-testid={testId}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
