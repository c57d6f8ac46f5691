import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LaneTemplate, MigrateSpec } from '@headgate/rollout';
import { type PulledImage, pullImage } from '@headgate/rollout/local';
import { freePort, type RunningServer, startNats, startPostgres, startRegistry } from '@headgate/rollout/servers';
import { bootstrap, openConnection } from '@headgate/rollout/setup';
import { connect, type NatsConnection } from 'nats';
import { pushImage } from '../../registry/client.ts';

export type App = {
  readonly app: string;
  readonly services: LaneTemplate['services'];
  /** What a release does to the data before its candidate starts; `undefined`: nothing. */
  readonly migrate: MigrateSpec | undefined;
};

/** Real servers for one image test, on free ports of loopback; both lanes are bootstrapped. */
export interface Ground extends AsyncDisposable {
  /** With lanes of its own, whatever a cluster had before. */
  readonly app: App & { readonly existing: undefined };
  /** For logs; it goes with the ground. */
  readonly folder: string;
  readonly natsUrl: string;
  /** Of the test itself; another one after each `regainNats`. */
  readonly nats: NatsConnection;
  loseNats(): Promise<void>;
  /** A new server on the old port. What was in memory is gone, so both lanes are bootstrapped again. */
  regainNats(signal: AbortSignal): Promise<void>;
  /** Starts Postgres when it is first asked for. */
  databaseUrl(): Promise<string>;
  /** Unpacks the image exactly as a lane would: pushed to a registry, and pulled from it by digest. */
  unpack(layout: string, signal: AbortSignal): Promise<PulledImage>;
}

export type GroundFolders = {
  /** Keeps unpacked images, by digest. */
  readonly imageFolder: string;
  /** Of the servers' data and of logs; removed with the ground. */
  readonly workFolder: string;
};

/** @throws {HeadgateError} `SERVER_MISSING`, `SERVER_START` */
export async function openGround(
  app: App,
  { imageFolder, workFolder: folder }: GroundFolders,
  signal: AbortSignal,
): Promise<Ground> {
  const ground = new RealGround(app, { imageFolder, folder, port: await freePort() });
  try {
    await ground.regainNats(signal);
  } catch (error) {
    await ground[Symbol.asyncDispose]();
    throw error;
  }
  return ground;
}

class RealGround implements Ground {
  readonly app: App & { readonly existing: undefined };
  readonly folder: string;
  readonly natsUrl: string;
  readonly #imageFolder: string;
  readonly #port: number;
  #server: RunningServer | undefined;
  #nats: NatsConnection | undefined;
  #starts = 0;
  #postgres: Promise<RunningServer> | undefined;

  constructor(app: App, { imageFolder, folder, port }: { imageFolder: string; folder: string; port: number }) {
    this.app = { ...app, existing: undefined };
    this.folder = folder;
    this.natsUrl = `nats://127.0.0.1:${port}`;
    this.#imageFolder = imageFolder;
    this.#port = port;
  }

  get nats(): NatsConnection {
    if (this.#nats === undefined) throw new Error('Cannot use NATS as it is gone');
    return this.#nats;
  }

  async loseNats(): Promise<void> {
    await this.#nats?.close();
    await this.#server?.[Symbol.asyncDispose]();
    this.#nats = undefined;
    this.#server = undefined;
  }

  async regainNats(signal: AbortSignal): Promise<void> {
    this.#server = await startNats({ port: this.#port, folder: join(this.folder, `nats-${++this.#starts}`) });
    if (Object.values(this.app.services).some(({ pulls }) => pulls.length > 0)) {
      await using connection = openConnection(this.app.app, this.natsUrl);
      await bootstrap(connection, this.app, signal);
    }
    this.#nats = await connect({ servers: this.natsUrl, name: 'image test' });
  }

  async databaseUrl(): Promise<string> {
    // A stall of a disk that others share would be taken for the version's.
    this.#postgres ??= startPostgres({ folder: join(this.folder, 'postgres'), durable: false });
    return (await this.#postgres).url;
  }

  async unpack(layout: string, signal: AbortSignal): Promise<PulledImage> {
    await using registry = await startRegistry({ folder: join(this.folder, 'registry') });
    const repository = `${new URL(registry.url).host}/image-test`;
    const { digest } = await pushImage(layout, { repository, mountFrom: undefined }, signal);
    return await pullImage(`${repository}@${digest}`, this.#imageFolder, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loseNats();
    const postgres = await this.#postgres?.catch(() => undefined); // Its failure was told to whoever asked for it.
    await postgres?.[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
