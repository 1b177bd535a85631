/**
 * Keeps one websocket to the server: says hello, watches that frames keep coming, and reconnects by itself. What the
 * frames mean is not its business.
 */
import type { ClientMessage } from "./protocol";

/** Silence longer than this means that the line is broken; the server says something every 5 s. */
export const SILENCE_MS = 12_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 20_000;

export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  closed(): void;
}

/** What the connection needs of the world around it. */
export interface Surroundings {
  connect(events: SocketEvents): Socket;
  now(): number;
  random(): number;
  /** Calls back later; answers how to prevent it. */
  after(milliseconds: number, call: () => void): () => void;
}

export type ConnectionStatus =
  | { kind: "connecting" }
  | { kind: "live" }
  /** Nothing came for too long, or the line broke; `retryAt` is when it is tried again. */
  | { kind: "waiting"; retryAt: number; attempts: number }
  | { kind: "stopped" };

export interface ConnectionEvents {
  /** The hello to begin with. */
  hello(): ClientMessage;
  received(text: string): void;
  changed(status: ConnectionStatus): void;
  /** A connection ended before its first frame; the server may want a token. */
  failed(): void;
}

/** How long to wait before the next attempt: doubling from half a second to 20 s, half of it by chance. */
export function retryDelay(attempts: number, random: number): number {
  const whole = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 16));
  return whole / 2 + (whole / 2) * random;
}

export class Connection {
  private socket: Socket | null = null;
  /** Events of earlier sockets are not listened to. */
  private generation = 0;
  private isOpen = false;
  private heard = false;
  private attempts = 0;
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly surroundings: Surroundings,
    private readonly events: ConnectionEvents,
  ) {}

  /** Connect now, also when an attempt is planned. */
  start(): void {
    this.drop();
    this.heard = false;
    const generation = this.generation;
    const ifCurrent = (call: () => void) => {
      if (generation === this.generation) call();
    };
    this.events.changed({ kind: "connecting" });
    // Also bounds how long the connecting itself may take.
    this.watch();
    this.socket = this.surroundings.connect({
      opened: () =>
        ifCurrent(() => {
          this.isOpen = true;
          this.say(this.events.hello());
        }),
      received: (text) => ifCurrent(() => this.receive(text)),
      closed: () => ifCurrent(() => this.lost()),
    });
  }

  stop(): void {
    this.drop();
    this.events.changed({ kind: "stopped" });
  }

  /** Say something. Answers false when there is no line; a hello is said anyway when the next one opens. */
  say(message: ClientMessage): boolean {
    if (!this.isOpen) return false;
    this.socket?.send(JSON.stringify(message));
    return true;
  }

  private receive(text: string): void {
    if (!this.heard) {
      this.heard = true;
      this.attempts = 0;
      this.events.changed({ kind: "live" });
    }
    this.watch();
    this.events.received(text);
  }

  private watch(): void {
    this.cancelTimer();
    this.cancelTimer = this.surroundings.after(SILENCE_MS, () => this.lost());
  }

  private lost(): void {
    const heard = this.heard;
    this.drop();
    const delay = retryDelay(this.attempts++, this.surroundings.random());
    this.cancelTimer = this.surroundings.after(delay, () => this.start());
    this.events.changed({ kind: "waiting", retryAt: this.surroundings.now() + delay, attempts: this.attempts });
    if (!heard) this.events.failed();
  }

  private drop(): void {
    this.generation++;
    this.isOpen = false;
    this.cancelTimer();
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
