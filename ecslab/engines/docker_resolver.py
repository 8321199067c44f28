"""DNS for tasks: the VPC's resolver, answered by the region.

A task asks 169.254.169.253, the resolver of every VPC; its pause container
passes that on to a port of the VPC network's gateway, where the region answers
names of Cloud Map. Any other name is looked up by this machine.
"""
from __future__ import annotations

import ipaddress
import socket
import socketserver
import threading
from typing import Callable, Sequence

from .docker_daemon import publishes_ports

ADDRESS = "169.254.169.253"
OTHER_NAMES_TTL = 60
Records = Callable[[str, str], "Sequence[tuple[str, int, int]] | None"]  # (name, type) -> (address, port, ttl); None: not ours


class Resolver:
    """One server for each VPC network, in threads of their own."""

    def __init__(self, records: Records):
        self._records = records
        self._servers: list[socketserver.ThreadingUDPServer] = []

    def open(self, cidr: str) -> str:
        """Serve a VPC; returns `host:port` as its tasks reach it. OSError when that address can not be had."""
        desktop = publishes_ports()
        host = "127.0.0.1" if desktop else str(ipaddress.ip_network(cidr)[1])
        server = _Server((host, 0), _Handler)
        server.daemon_threads = True
        server.records = self._records
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="ecslab-resolver", daemon=True).start()
        self._servers.append(server)
        return f"{'host.docker.internal' if desktop else host}:{server.server_address[1]}"

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(socketserver.ThreadingUDPServer):
    records: Records


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, reply_to = self.request
        answer = answered(data, self.server.records)
        if answer:
            reply_to.sendto(answer, self.client_address)


def answered(data: bytes, records: Records) -> bytes | None:
    """The answer to one DNS message; None for what is none."""
    from dnslib import QTYPE, RCODE, RR, SRV, A, DNSError, DNSRecord

    try:
        question = DNSRecord.parse(data)
    except DNSError:
        return None
    name, kind = str(question.q.qname), QTYPE.get(question.q.qtype)
    reply = question.reply()
    found = records(name, kind)
    if found is None:
        found = _elsewhere(name) if kind == "A" else []
        if kind == "A" and not found:
            reply.header.rcode = RCODE.NXDOMAIN
    elif not found and not any(records(name, other) for other in ("A", "SRV")):
        reply.header.rcode = RCODE.NXDOMAIN
    for address, port, ttl in found:
        if kind == "SRV":
            target = f"{address.replace('.', '-')}.{name}"
            reply.add_answer(RR(name, QTYPE.SRV, ttl=ttl, rdata=SRV(1, 1, port, target)))
            reply.add_ar(RR(target, QTYPE.A, ttl=ttl, rdata=A(address)))
        else:
            reply.add_answer(RR(name, QTYPE.A, ttl=ttl, rdata=A(address)))
    return reply.pack()


def _elsewhere(name: str) -> list[tuple[str, int, int]]:
    try:
        found = socket.getaddrinfo(name.rstrip("."), None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return [(entry[4][0], 0, OTHER_NAMES_TTL) for entry in found]
