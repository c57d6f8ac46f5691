/** An HTTPRoute of the Gateway API, as far as anybody here reads it. */
import type { WrittenMetadata } from './writer.ts';

export type HttpRoute = {
  readonly metadata: WrittenMetadata;
  readonly spec: {
    readonly parentRefs?: readonly unknown[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly Rule[];
  };
  readonly status?: { readonly parents?: readonly ParentStatus[] };
};

export type Rule = {
  readonly name?: string;
  readonly matches?: readonly Match[];
  readonly filters?: readonly unknown[];
  readonly backendRefs?: readonly BackendRef[];
};

type Match = {
  readonly path?: { readonly type?: string; readonly value?: string };
  readonly headers?: readonly { readonly type?: string; readonly name: string; readonly value: string }[];
};

export type BackendRef = {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  readonly weight?: number;
  readonly filters?: readonly unknown[];
};

export type ParentStatus = {
  readonly parentRef?: unknown;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
    readonly observedGeneration?: number;
  }[];
};
