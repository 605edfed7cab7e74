// Save images as libvirt writes them (src/qemu/qemu_saveimage.h), made up around a stream.

export interface SaveShape {
  readonly magic?: string;
  readonly version?: number;
  readonly format?: number;
  readonly isBigEndian?: boolean;
  readonly xml?: string;
}

/** Padding behind the XML, which libvirt leaves so that it can grow. */
const PADDING_BYTES = 64 << 10;

/** What stands in front of the stream. */
export function saveHead(shape: SaveShape = {}): Buffer {
  const { magic = "LibvirtQemudSave", version = 2, format = 0, isBigEndian = false } = shape;
  const xml = Buffer.from(
    `${shape.xml ?? "<domain type='kvm'>\n  <name>guest</name>\n</domain>"}\0`,
  );
  const head = Buffer.alloc(92);
  head.write(magic, 0, "latin1");
  const words = [version, xml.length + PADDING_BYTES, 1, format, 0];
  for (const [index, word] of words.entries()) {
    if (isBigEndian) head.writeUInt32BE(word, 16 + 4 * index);
    else head.writeUInt32LE(word, 16 + 4 * index);
  }
  return Buffer.concat([head, xml, Buffer.alloc(PADDING_BYTES)]);
}

export function saveImage(stream: Uint8Array, shape: SaveShape = {}): Buffer {
  return Buffer.concat([saveHead(shape), stream]);
}
