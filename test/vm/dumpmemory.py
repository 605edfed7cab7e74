# dumpmemory.py DUMP BYTES: the first bytes of the physical memory in a dump, as libkdumpfile reads it,
# to stdout; zeros where the dump has no page. Its own reader, so that ours is not asked about itself.
import ctypes
import os
import sys

MACHPHYSADDR = 1
NODATA = 3
BLOCK = 4096

library = ctypes.CDLL("libkdumpfile.so.10")
library.kdump_new.restype = ctypes.c_void_p
library.kdump_get_err.restype = ctypes.c_char_p
dump = ctypes.c_void_p(library.kdump_new())
descriptor = ctypes.c_int(os.open(sys.argv[1], os.O_RDONLY))


def check(status):
    if status != 0:
        sys.exit(library.kdump_get_err(dump).decode())


check(library.kdump_open_fdset(dump, 1, ctypes.byref(descriptor)))
buffer = ctypes.create_string_buffer(BLOCK)
for address in range(0, int(sys.argv[2]), BLOCK):
    length = ctypes.c_size_t(BLOCK)
    status = library.kdump_read(
        dump, MACHPHYSADDR, ctypes.c_uint64(address), buffer, ctypes.byref(length)
    )
    if status == NODATA:
        ctypes.memset(buffer, 0, BLOCK)
    else:
        check(status)
    sys.stdout.buffer.write(buffer.raw)
