/** What marks a request: a header with a value, or one cookie (header `Cookie`, value `name=value`). */
export type Marker = { readonly header: string; readonly value: string };

/** A pin with the header `Cookie` names one cookie, `name=value`, wherever it stands among the others. */
export function isCookie({ header }: Pick<Marker, 'header'>): boolean {
  return header.toLowerCase() === 'cookie';
}

/** The header of Headgate's own requests: nobody else pins by it. */
export const probeHeader = 'Headgate-Probe';

/** The form of what `readMarker` reads, for messages. */
export const markerRule = 'must be a header such as X-Variant=b, or a cookie such as "cookie variant=b"';

const header = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})=([\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?)$/;
const cookie = /^cookie +([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,200})$/i;

/** `X-Variant=b` or `cookie variant=b`; `undefined` for anything else. */
export function readMarker(text: string): Marker | undefined {
  const [, one] = cookie.exec(text) ?? [];
  if (one !== undefined) return { header: 'Cookie', value: one };
  const [, name, value] = header.exec(text) ?? [];
  // A cookie's header holds all cookies of a browser; and Headgate's own header would take its requests away.
  if (name === undefined || value === undefined || isCookie({ header: name })) return undefined;
  return name.toLowerCase() === probeHeader.toLowerCase() ? undefined : { header: name, value };
}

/** Each is a condition that the router asks of every request. */
export const pinsMax = 16;

/** As it is typed. */
export function markerText(marker: Marker): string {
  return isCookie(marker) ? `cookie ${marker.value}` : `${marker.header}=${marker.value}`;
}

/** Names of headers have no case, values have. */
export function sameMarker(a: Marker, b: Marker): boolean {
  return a.header.toLowerCase() === b.header.toLowerCase() && a.value === b.value;
}
