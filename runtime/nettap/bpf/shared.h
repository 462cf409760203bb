/* What the BPF programs and the loader both know: counters, records of the events ring, values of the allow map.
 *
 * Not on the wire; that is ../include/nettap_wire.h.
 */
#ifndef NETTAP_SHARED_H
#define NETTAP_SHARED_H

#include "../include/nettap_wire.h"

/* Where socket calls are seen; the index of probe_calls and probe_returns. */
enum nettap_hook {
	NETTAP_HOOK_SEND, /* write, send, sendto, sendmsg, sendmmsg, writev; tcp_sendmsg */
	NETTAP_HOOK_RECEIVE,
	NETTAP_HOOK_MOVE, /* sendfile, splice */
	NETTAP_HOOK_IO_URING,
	NETTAP_HOOK_TLS_WRITE,
	NETTAP_HOOK_TLS_READ,
	NETTAP_HOOKS,
};

enum nettap_ring { NETTAP_RING_CHUNKS, NETTAP_RING_EVENTS, NETTAP_RINGS };

#define NETTAP_GAP_REASONS 11

/* Positions in the map `counters`, one value per CPU; all only grow. */
enum nettap_counter {
	NETTAP_COUNT_CALLS = 0,					   /* + enum nettap_hook */
	NETTAP_COUNT_RETURNS = NETTAP_COUNT_CALLS + NETTAP_HOOKS,  /* + enum nettap_hook */
	NETTAP_COUNT_BYTES = NETTAP_COUNT_RETURNS + NETTAP_HOOKS,  /* + enum nettap_direction: given to a ring */
	NETTAP_COUNT_CHUNKS = NETTAP_COUNT_BYTES + 2,
	NETTAP_COUNT_DNS,
	NETTAP_COUNT_RING_DROPS,				   /* + enum nettap_ring */
	NETTAP_COUNT_GAPS = NETTAP_COUNT_RING_DROPS + NETTAP_RINGS, /* + enum nettap_gap */
	NETTAP_COUNT_GAP_BYTES = NETTAP_COUNT_GAPS + NETTAP_GAP_REASONS,
	NETTAP_COUNT_SOCKETS_FULL = NETTAP_COUNT_GAP_BYTES + NETTAP_GAP_REASONS, /* calls not seen: table full */
	NETTAP_COUNT_CALLS_FULL,
	NETTAP_COUNT_32_BIT, /* calls of 32-bit programs, whose arguments are not understood */
	NETTAP_COUNT_OVERLAPPED, /* calls on one direction of one socket at once: their order is not known */
	NETTAP_COUNT_MPTCP,	 /* calls on sockets of several paths, whose streams have other numbers */
	NETTAP_COUNT_SUPPRESSED, /* bytes of TLS records whose plaintext is captured */
	NETTAP_COUNT_IGNORED_PORTS, /* bytes */
	NETTAP_COUNT_TLS_UNSEEN, /* returns from TLS calls that began before they were watched, or that were crowded out */
	NETTAP_COUNTERS,
};

/* First word of a record in the events ring. Those on the wire as they are carry the frame's type. */
enum nettap_event {
	NETTAP_EVENT_CGROUP_MADE = 200,
	NETTAP_EVENT_CGROUP_GONE,
	NETTAP_EVENT_TLS = 32, /* this and the next 31: capture/tls.h */
	NETTAP_EVENT_TLS_SEEN = NETTAP_EVENT_TLS, /* a TLS record in a process without a known library */
	NETTAP_EVENT_TLS_MAPPED, /* a process mapped code of a file */
};

struct nettap_tls_event {
	__u32 kind;
	__u32 tgid;
	__u64 cgroup;
};

/* A record of the chunks ring that never leaves the loader: the chunks of this session that came without a socket (their
 * local_address begins with the session's address) belong to the socket of `chunk`. */
#define NETTAP_FRAME_TLS_MATCHED 240

struct nettap_tls_matched {
	struct nettap_frame frame;
	struct nettap_chunk chunk;
	__u64 session;
	__u64 base[2]; /* by direction: what their offsets count from */
};

#define NETTAP_CGROUP_NAME 256

struct nettap_cgroup_event {
	__u32 kind; /* enum nettap_event */
	__u32 inherited; /* 1: its parent is captured, and so is it since it was made */
	__u64 cgroup;
	__u64 parent;
	char path[NETTAP_CGROUP_NAME]; /* from the hierarchy's root */
};

/* What the loader says of a cgroup; its presence allows. */
struct nettap_allowed {
	__u32 target;
	__u32 since; /* set of targets with which it was captured anew: calls from before that are not trusted */
	__u32 ports;
	__u16 ignore_ports[NETTAP_TARGET_PORTS];
};

/* Where a task's cgroup is looked up. */
enum nettap_hierarchy { NETTAP_UNIFIED = 0, NETTAP_MEMORY = 1, NETTAP_PIDS = 2 };

#endif
