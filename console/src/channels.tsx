/** The channels as the server declares them. */
import { readChannels } from "./api";
import { Drawing, Icon } from "./kit/Icon";
import { resource } from "./kit/resource";
import type { Channel } from "./protocol";

export const channels = resource(async () => {
  const listed = (await readChannels()).channels;
  return new Map(listed.map((spec) => [spec.name, spec]));
});

/** The icon that a channel declares; a bell while that is not known. */
export function ChannelIcon({ channel }: { channel: Channel }) {
  const path = channels.value.value?.get(channel)?.icon;
  return path === undefined ? <Icon name="bell" /> : <Drawing path={path} />;
}
