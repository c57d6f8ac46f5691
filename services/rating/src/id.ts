import { createHash } from 'node:crypto';

/**
 * UUIDv8 (RFC 9562) of the first 16 bytes of sha256 over `<message id>:<index>`: the id of what the item at `index` of a command
 * makes. A command that is handled twice makes the same things.
 */
export function derivedId(messageId: string, index: number): string {
  const bytes = createHash('sha256').update(`${messageId}:${index}`).digest().subarray(0, 16);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
