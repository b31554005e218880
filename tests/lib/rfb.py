#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rfb.py HOST PORT [PASSWORD]: how far a VNC client gets.

Prints the security types the server offers ("types 2"); with a password also "ok" or "refused" for
VNC authentication.  Source: RFC 6143, 7.1 and 7.2.2.
"""
import socket
import subprocess
import sys


def encrypt(password, challenge):
    """DES, whose key VNC takes with the bits of each byte the other way round; as 3DES of three equal keys."""
    key = bytes(int(f"{b:08b}"[::-1], 2) for b in password.encode()[:8].ljust(8, b"\0"))
    return subprocess.run(["openssl", "enc", "-des-ede3", "-nopad", "-K", (key * 3).hex()],
                          input=challenge, stdout=subprocess.PIPE, check=True).stdout


def main(host, port, password=None):
    with socket.create_connection((host, int(port)), timeout=30) as s:
        def read(n):
            data = b""
            while len(data) < n:
                part = s.recv(n - len(data))
                if not part:
                    sys.exit("the server closed the connection")
                data += part
            return data

        assert read(12).startswith(b"RFB 003.")
        s.sendall(b"RFB 003.008\n")
        types = read(read(1)[0])
        print("types", *types)
        if password is None:
            return
        s.sendall(b"\2")
        s.sendall(encrypt(password, read(16)))
        print("ok" if read(4) == b"\0\0\0\0" else "refused")


main(*sys.argv[1:])
