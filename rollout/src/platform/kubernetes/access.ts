import type { Agent } from 'node:http';

/** Where the API server is, and what proves who we are. */
export type Access = {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  /** The way through a proxy; `undefined`: straight. */
  readonly through: Agent | undefined;
};

export type Tls = {
  readonly ca: string | Buffer | undefined;
  readonly cert: string | Buffer | undefined;
  readonly key: string | Buffer | undefined;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean;
};

export type Target = {
  /** A kubeconfig file. `undefined`: those of HEADGATE_KUBECONFIG or KUBECONFIG, ~/.kube/config, then the pod's own service account. */
  readonly kubeconfig?: string;
  /** A context of it; `undefined`: its current one. */
  readonly context?: string;
};

/** Asks anew each time: tokens run out and files are renewed in place. @throws {HeadgateError} `CLUSTER_UNREACHABLE` */
export type ReadAccess = () => Promise<Access>;
