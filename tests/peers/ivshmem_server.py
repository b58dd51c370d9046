#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# ivshmem_server.py SOCKET: what an ivshmem-doorbell device of QEMU needs to ring itself: docs/specs/ivshmem-spec.txt of QEMU, for one client.
# Debian packages no ivshmem-server. Ends when the client does.
import array
import os
import socket
import struct
import sys

BYTES, VECTORS, ID = 1 << 20, 1, 0


def tell(client, value, fd=None):
    rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))]
    client.sendmsg([struct.pack('<q', value)], rights)


memory = os.memfd_create('ivshmem')
os.ftruncate(memory, BYTES)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
client, _ = listener.accept()
tell(client, 0)  # version of the protocol
tell(client, ID)
tell(client, -1, memory)
for _ in range(VECTORS):
    tell(client, ID, os.eventfd(0))
while client.recv(64):
    pass
