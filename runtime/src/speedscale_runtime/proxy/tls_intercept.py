"""TLS interception: with the server first, and only where the client would have come through to it as well.

Called by `sniffed` when a client's first bytes are a ClientHello; this module and what it needs are loaded at that
moment. Outbound, the server's chain is verified as the application would: an application must not see a good
certificate of ours where its own check would have failed. Whatever does not work is spliced: the connection then
passes untouched and is counted by cause, and remembered (`tls_memory`) so that the next one does not pay for the
attempt.
"""

from __future__ import annotations

import asyncio
import ssl

import structlog

from speedscale_runtime.protocols.clienthello import ClientHello
from speedscale_runtime.recording import ledger as slots
from speedscale_runtime.recording.causes import Opaque
from speedscale_schemas.errors import PeerError

from .contexts import was_asked
from .dialled import DialledFlow
from .tls_end import TlsEnd
from .tls_memory import REMEMBER_REJECTED_S, REMEMBER_S, Interceptor

log = structlog.get_logger()


async def intercept(flow: DialledFlow, hello: ClientHello) -> None:
    """Decide about one connection and carry it out; never raises."""
    try:
        await _intercept(flow, hello)
    except Exception as error:
        flow.hub.on_fault(error)
        if not flow.ended:
            await _reconnect_and_splice(flow, Opaque.INTERNAL)


async def _intercept(flow: DialledFlow, hello: ClientHello) -> None:
    interceptor = flow.hub.interceptor(flow.side)
    contexts = interceptor.contexts
    key = flow.tls_key
    cause = interceptor.why_not(key, hello)
    if cause is not None:
        flow.splice(cause)
        return
    assert flow.server is not None
    plain = flow.server
    name = hello.sni or flow.target[0]
    server = TlsEnd(flow, contexts.towards_server(hello), server_side=False, name=name)
    flow.server = server
    server.take_over(plain)
    cause = await _shake_with_server(flow, server)
    if flow.ended:
        return
    if cause is None and was_asked(server.tls) and not contexts.may_be_asked(flow.target):
        cause = Opaque.CLIENT_CERTIFICATE
    if cause is None:
        try:
            context = contexts.towards_client(name)
        except PeerError:
            cause = Opaque.BAD_CLIENT_HELLO
    if cause is not None:
        interceptor.leave_alone(key, cause, REMEMBER_S)
        await _reconnect_and_splice(flow, cause)
        return
    await _shake_with_client(flow, server, context, interceptor)


async def _shake_with_server(flow: DialledFlow, server: TlsEnd) -> Opaque | None:
    """Return None when the server was verified, else why not. The flow does not hear of its failure."""
    flow.shaking = True
    try:
        async with asyncio.timeout(flow.hub.settings.connect_timeout_s):
            await server.handshake
    except ssl.SSLCertVerificationError:
        return Opaque.UPSTREAM_UNVERIFIED
    except (OSError, ValueError, TimeoutError) as error:
        wants = "CERTIFICATE_REQUIRED" in str(error) or was_asked(server.tls)
        return Opaque.CLIENT_CERTIFICATE if wants else Opaque.UPSTREAM_TLS_FAILED
    finally:
        flow.shaking = False
    return None


async def _reconnect_and_splice(flow: DialledFlow, cause: Opaque) -> None:
    """Leave the server connection that was used up by our handshake; pass the client on by a fresh one."""
    flow.leave_server()
    try:
        server = await flow.connect()
    except (OSError, TimeoutError):
        if not flow.ended:
            flow.client.abort(reset=True)
        return
    if flow.ended:
        server.close()
        return
    flow.server = server
    flow.splice(cause)


async def _shake_with_client(
    flow: DialledFlow, server: TlsEnd, context: ssl.SSLContext, interceptor: Interceptor
) -> None:
    facts = flow.facts
    facts.tls = True
    client = TlsEnd(flow, context, server_side=True, name=None)
    plain, flow.client = flow.client, client
    flow.observe()
    client.other, server.other = server, client
    client.tap = server.tap = flow.hub.note
    flow.release_server_first()
    client.take_over(plain, flow.take_early())
    if not client.handshake.done():
        flow.resume(client)
    try:
        await client.handshake
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        flow.hub.cells[slots.SLOTS["certificate_rejected"]] += 1
        key = flow.tls_key
        log.warning("client_rejects_certificate", sni=key[2], host=key[0], side=flow.side.value, reason=reason)
        if flow.hub.settings.tls_on_reject == "splice":
            said_why = isinstance(error, ssl.SSLError)  # an alert; a bare close may have another reason
            interceptor.leave_alone(key, Opaque.CLIENT_REJECTS, REMEMBER_REJECTED_S if said_why else REMEMBER_S)
        client.abort()
        server.close()
        return
    flow.resume(client)
