// As much of the protobuf encoding as tells the numbers in a flat message: which fields there are,
// and the last value of each. It believes nothing: what is cut or of an unknown kind ends it.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Values by field number; of a field that is no varint there is a 0. */
export function fieldsOf(message: Uint8Array): Map<number, number> {
  const fields = new Map<number, number>();
  for (let at = 0; at < message.length; ) {
    const tag = varintAt(message, at);
    if (tag === undefined) break;
    const kind = tag.value % 8;
    const field = Math.floor(tag.value / 8);
    at = tag.end;
    if (kind === VARINT || kind === BYTES) {
      const number = varintAt(message, at);
      if (number === undefined) break;
      fields.set(field, kind === VARINT ? number.value : 0);
      at = number.end + (kind === BYTES ? number.value : 0);
    } else {
      if (kind !== FIXED64 && kind !== FIXED32) break;
      fields.set(field, 0);
      at += kind === FIXED64 ? 8 : 4;
    }
  }
  return fields;
}

/** Above 2^53 it is not exact, which no count or flag here can be. */
function varintAt(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10 && start + i < bytes.length; i++) {
    const byte = bytes[start + i];
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { value, end: start + i + 1 };
  }
  return undefined;
}
