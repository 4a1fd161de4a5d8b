"""What the client and the loopback cost: ``python -m tests.bench.bare`` reads requests and writes as many bytes back.

It prints its address. The path of a request says how long the answer is to be (``/12345``), so that it stands for any
other.
"""

from __future__ import annotations

import socket


def main() -> None:
    """Serve connections one after another until killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                _answer_all(connection)


def _answer_all(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    room = memoryview(bytearray(1 << 23))
    while True:
        end, whole, wanted = 0, -1, 0
        while whole < 0 or end < whole:
            got = connection.recv_into(room[end:])
            if not got:
                return
            end += got
            if whole < 0:
                whole, wanted = _told(bytes(room[: min(end, 4096)]))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % wanted + bytes(wanted))


def _told(read: bytes) -> tuple[int, int]:
    """How long the request is, −1 until it is known, and how long the answer shall be."""
    head, found, _ = read.partition(b"\r\n\r\n")
    if not found:
        return -1, 0
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return len(head) + 4 + length, int(head.partition(b"POST /")[2].partition(b" ")[0])


if __name__ == "__main__":
    main()
