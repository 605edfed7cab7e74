// The numbers of QEMU's migration stream, and how its parts lie one behind another. Everything is
// big-endian. It holds no code: sections.ts follows the parts, ramrecords.ts the pages.
//
//   "QEVM" be32 3
//   07  be32 length, machine name; subsections 05 u8 length, name, be32 version, fields
//   01  be32 id, u8 length, name, be32 instance, be32 version, content   a section starts
//   02  be32 id, content                                                 a part of it
//   03  be32 id, content                                                 its end
//   04  as 01                                                            a device, in one piece
//   7e  be32 id                                                          footer of the four above
//   08  be16 number, be16 length, content                                a command
//   00                                                                   no more sections
//   06  be32 length, JSON                                                description of the devices

/** "QEVM". */
export const STREAM_MAGIC = 0x5145_564d;
export const STREAM_VERSION = 3;
/** What a further channel of the multifd capability begins with. */
export const MULTIFD_MAGIC = 0x1122_3344;

export const Part = {
  EOF: 0,
  START: 1,
  PART: 2,
  END: 3,
  FULL: 4,
  SUBSECTION: 5,
  DESCRIPTION: 6,
  CONFIGURATION: 7,
  COMMAND: 8,
  FOOTER: 0x7e,
} as const;

export const Command = {
  OPEN_RETURN_PATH: 1,
  POSTCOPY_ADVISE: 3,
  PACKAGED: 7,
  ENABLE_COLO: 8,
  SWITCHOVER_START: 11,
} as const;

/** The version of the section "ram" that all QEMUs since 2009 write. */
export const RAM_VERSION = 4;

// A record of RAM: be64 page offset in its block | flags, then
//   ZERO    [name] 00            PAGE    [name] 4096 bytes
//   XBZRLE  [name] 01 be16 length, bytes        EOS    nothing: the part ends
//   MEM_SIZE (the offset is the sum of all blocks): each block u8 length, name, be64 bytes
// where name, u8 length and text, is left out when CONTINUE says that the block is the last one.
export const Ram = {
  ZERO: 0x02,
  MEM_SIZE: 0x04,
  PAGE: 0x08,
  EOS: 0x10,
  CONTINUE: 0x20,
  XBZRLE: 0x40,
  HOOK: 0x80,
  COMPRESS_PAGE: 0x100,
  MULTIFD_FLUSH: 0x200,
} as const;
/** What says of an XBZRLE record that its content is encoded so. */
export const XBZRLE_ENCODING = 1;
/** Bits of the be64 that are flags. */
export const RAM_FLAGS = 0xfff;
export const RAM_HEADER_BYTES = 8;
/** Names of blocks and sections have a length of one byte. */
export const MAX_BLOCK_NAME_BYTES = 255;
