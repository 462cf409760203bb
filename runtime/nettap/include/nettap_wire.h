/* What the capture process and the ingest process say to each other, over one unix stream socket.
 *
 * Ingest listens (NETTAP_SOCKET_PATH); capture connects, and again when the line breaks. Everything is a frame: the
 * header below, then `length` bytes. Numbers are little endian, as on every machine that this runs on. The Python side
 * is speedscale_runtime/nettap/wire.py; a test compiles this file and compares every size, offset and code.
 *
 * Capture to ingest: HELLO once per connection, then CHUNK, CLOSE, DNS, PROCESS, CGROUP and STATS in any order.
 * Ingest to capture: TARGETS_BEGIN, one TARGET for each pod to capture, TARGETS_END; the set takes the place of the one
 * before as a whole. Until the first TARGETS_END, and after the line broke, nothing is captured.
 *
 * A chunk says all of itself: chunks of one direction of one socket come in the order of their offsets from one CPU,
 * and not more than that is promised, as they pass through several rings.
 */
#ifndef NETTAP_WIRE_H
#define NETTAP_WIRE_H

#include <linux/types.h>

#define NETTAP_WIRE_VERSION 1
#define NETTAP_PAYLOAD_MAX 16384 /* bytes of traffic in one chunk */
#define NETTAP_FRAME_MAX 65536	 /* bytes after the header of any frame; more is an error of the sender */

enum nettap_type {
	/* capture to ingest */
	NETTAP_HELLO = 1,   /* JSON: version, kernel, boot_offset_ns (add to ts for Unix time), methods, doctor */
	NETTAP_CHUNK = 2,   /* struct nettap_chunk, then payload (none in a gap) */
	NETTAP_CLOSE = 3,   /* struct nettap_chunk: flag EOF, offset is the final one of `direction`, no payload */
	NETTAP_DNS = 4,	    /* struct nettap_chunk, then one DNS message without the length prefix of TCP */
	NETTAP_PROCESS = 5, /* struct nettap_process */
	NETTAP_CGROUP = 6,  /* struct nettap_cgroup, then the cgroup's path from the root of its hierarchy */
	NETTAP_STATS = 7,   /* JSON: boot_offset_ns, counters by name and label, since start; every 5 s */
	/* ingest to capture */
	NETTAP_TARGETS_BEGIN = 64, /* no payload */
	NETTAP_TARGET = 65,	   /* struct nettap_target */
	NETTAP_TARGETS_END = 66,   /* no payload */
};

enum nettap_direction { NETTAP_RECEIVED = 0, NETTAP_SENT = 1 }; /* seen from the process */
enum nettap_role { NETTAP_ROLE_UNKNOWN = 0, NETTAP_ROLE_CLIENT = 1, NETTAP_ROLE_SERVER = 2 };

enum nettap_source {
	NETTAP_SOURCE_TRACEPOINT = 1,
	NETTAP_SOURCE_KPROBE = 2,
	NETTAP_SOURCE_FENTRY = 3,
	NETTAP_SOURCE_OPENSSL = 4,
	NETTAP_SOURCE_BORINGSSL = 5,
	NETTAP_SOURCE_GO_TLS = 6,
	NETTAP_SOURCE_CGROUP_SKB = 7,
};

/* How it is known that plaintext of a TLS library belongs to this socket; CERTAIN where the kernel itself says so. */
enum nettap_certainty {
	NETTAP_CERTAIN = 0,	/* the call was made on the socket */
	NETTAP_BY_NESTED = 1,	/* a socket call inside this very TLS call */
	NETTAP_BY_SESSION = 2,	/* the socket of an earlier call of the same TLS session */
	NETTAP_BY_SET_FD = 3,	/* the session was given the descriptor */
	NETTAP_BY_NEXT_IO = 4,	/* the next TLS record of that thread, of plausible length */
};

enum nettap_flag {
	NETTAP_GAP = 1,		/* `length` bytes of the stream are missing from `offset` on, for `gap_reason` */
	NETTAP_TRUNCATED = 2,	/* the call's bytes go on beyond this chunk, and are told as a gap */
	NETTAP_EOF = 4,		/* nothing follows in this direction */
	NETTAP_PLAINTEXT = 8,	/* inside TLS: offsets count the plaintext of the session, apart from the socket's bytes */
	NETTAP_MIDSTREAM = 16,	/* the socket was open before it was watched: offset 0 is not the stream's beginning */
};

enum nettap_gap {
	NETTAP_GAP_NONE = 0,
	NETTAP_GAP_RING_FULL = 1,     /* the consumer did not keep up */
	NETTAP_GAP_CALL_TOO_LONG = 2, /* more chunks in one call than a program may emit */
	NETTAP_GAP_SENDFILE = 3,
	NETTAP_GAP_SPLICE = 4,
	NETTAP_GAP_IO_URING = 5,
	NETTAP_GAP_UNREADABLE = 6,    /* the process's memory could not be read (paged out, or changed) */
	NETTAP_GAP_VECTOR_TOO_LONG = 7, /* more parts in a vector than a program may visit */
	NETTAP_GAP_UNMATCHED_TLS = 8, /* plaintext of a session whose socket is not known */
	NETTAP_GAP_SOCKET_FULL = 9,   /* the line from capture to ingest was full */
	NETTAP_GAP_NOT_SEEN = 10,     /* the kernel moved more than the calls seen account for */
};

struct nettap_frame {
	__u16 type;
	__u16 version;
	__u32 length; /* bytes after this header */
};

struct nettap_chunk {
	__u64 ts;     /* ns, CLOCK_BOOTTIME, at the return of the call */
	__u64 cgroup; /* as in struct nettap_cgroup */
	__u64 sock;   /* names the socket together with `generation`; 0: not known */
	__u64 offset; /* bytes of this direction before this chunk, counted from when it was first seen */
	__u32 generation;
	__u32 tgid;
	__u32 tid;
	__u32 length;	   /* bytes of payload; in a gap: bytes missing */
	__u32 call_total;  /* bytes of the whole call */
	__u16 chunk_index; /* of this call, from 0 */
	__u16 gap_reason;
	__u8 direction;
	__u8 source;
	__u8 certainty;
	__u8 flags;
	__u8 family; /* 4 or 6; 0: not known */
	__u8 role;
	__u16 local_port; /* host byte order */
	__u16 remote_port;
	__u16 reserved;
	__u32 netns; /* inode of the network namespace */
	__u8 local_address[16]; /* IPv4 in the first four bytes */
	__u8 remote_address[16];
};

struct nettap_process {
	__u64 ts;
	__u64 cgroup;
	__u32 tgid;
	__u8 event; /* 1: runs (exec, or found at attach), 2: ended */
	__u8 reserved[3];
	__u8 comm[16];
	__u32 plaintext; /* sources attached to it, as bits 1 << enum nettap_source */
	__u32 refused;	 /* 1: TLS seen, no library known (see STATS for which) */
};

struct nettap_cgroup {
	__u64 cgroup; /* inode of the directory, which the kernel calls the cgroup's id */
	__u32 target; /* number of the TARGET that asked for it */
	__u8 event;   /* 1: captured from now on, 2: no more */
	__u8 reserved[3];
};

#define NETTAP_TARGET_PORTS 16

struct nettap_target {
	__u32 number;	/* of the sender's choice; unique in a set */
	__u16 ports;	/* how many of ignore_ports count */
	__u16 reserved;
	__u16 ignore_ports[NETTAP_TARGET_PORTS]; /* neither end's port is one of these */
	__u8 pod_uid[40]; /* as in metadata.uid, ended by NUL; cgroups are found by it */
	__u8 cgroup_path[256]; /* instead of a pod: this cgroup and all below it, from the hierarchy's root; ended by NUL */
};

_Static_assert(sizeof(struct nettap_frame) == 8, "frame");
_Static_assert(sizeof(struct nettap_chunk) == 104, "chunk");
_Static_assert(sizeof(struct nettap_process) == 48, "process");
_Static_assert(sizeof(struct nettap_cgroup) == 16, "cgroup");
_Static_assert(sizeof(struct nettap_target) == 336, "target");

#endif
