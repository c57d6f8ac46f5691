import type { Socket } from 'node:net';

type Connection = { readonly openedAt: number; asked: number; isLeaving: boolean };

/** Which connections are open, since when, and on which of them something is asked now. */
export class Connections {
  readonly #open = new Map<Socket, Connection>();

  opened(socket: Socket): void {
    this.#open.set(socket, { openedAt: performance.now(), asked: 0, isLeaving: false });
    socket.once('close', () => this.#open.delete(socket));
  }

  began(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.asked++;
  }

  ended(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.asked--;
  }

  /** Its next answer shall be the last one. */
  isLeaving(socket: Socket): boolean {
    return this.#open.get(socket)?.isLeaving ?? false;
  }

  close(olderThanMs: number): void {
    const before = performance.now() - olderThanMs;
    for (const [socket, connection] of this.#open) {
      if (connection.openedAt > before) continue;
      connection.isLeaving = true;
      if (connection.asked === 0) socket.destroy();
    }
  }
}
