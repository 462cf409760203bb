/* The maps and settings that the programs share. Every map has a bound; what happens at the bound stands beside it. */
#ifndef NETTAP_MAPS_H
#define NETTAP_MAPS_H

#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"

/* Settings, constant once loaded: the verifier drops the branches that they rule out. */
const volatile __u32 hierarchy = NETTAP_UNIFIED;
const volatile __u32 hierarchy_id = 0; /* as in /proc/self/cgroup */
const volatile __u8 have_loop = 1;     /* bpf_loop(), since 5.17 */
const volatile __u8 recv_has_nonblock = 0; /* tcp_recvmsg() takes `nonblock` before `flags`: until 5.18 */
const volatile __u8 source_of_calls = NETTAP_SOURCE_TRACEPOINT;

/* Set by the loader while its line to the ingest is full: then a full ring is the line's doing. */
__u32 line_full = 0;

__u32 generations = 0;

/* cgroup → what to do with it. Full: the loader says so and does not capture the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct nettap_allowed);
} allowed_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NETTAP_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Full: the bytes are lost, counted and told as a gap with the next ones that find room. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* NETTAP_RING_BYTES */
} chunks SEC(".maps");

/* Full: counted; a CLOSE that is lost leaves the ingest to its idle time-out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* One direction of one stream. */
struct half {
	__u64 offset;	 /* bytes told so far, gaps too */
	__u64 lost_from; /* of the gap that is not told yet */
	__u64 lost;	 /* its bytes; 0: none */
	__u32 seq;	 /* the kernel's sequence number that belongs to `offset` */
	__u16 lost_reason;
	__u16 moved_by;	/* reason for bytes that no call accounts for: last seen mover, else NOT_SEEN */
	__u8 known;	/* `seq` counts */
	__u8 midstream;
	__u8 ended; /* CLOSE was told */
	__u8 reserved;
	__u32 busy; /* a call is being told of by another CPU */
};

/* A TCP socket of a captured cgroup, by the address of its struct sock; removed when the kernel destroys it.
 * Full: its calls are counted and not captured. */
struct socket_state {
	__u64 cgroup;
	__u64 inode; /* of the socket: another one at the same address is another socket */
	__u64 tls_session; /* see tls_match.h */
	struct half halves[2];	 /* by enum nettap_direction */
	struct half plain[2];	 /* the same inside TLS */
	__u32 generation;
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	__u8 family;
	__u8 role;
	__u8 ignored; /* one of its ports is not wanted */
	__u8 tls_told; /* NETTAP_EVENT_TLS_SEEN was sent for it */
	__u8 closed;   /* `final_seq` counts */
	__u8 reserved[7];
	__u32 final_seq[2]; /* the kernel's when the state became TCP_CLOSE: a disconnect changes them after that */
	__u8 local_address[16];
	__u8 remote_address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* NETTAP_SOCKETS_MAX */
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/* A `struct socket_state` to copy from: it is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct socket_state);
} blank_socket SEC(".maps");

/* How the bytes of a call are given. */
enum shape {
	SHAPE_BUFFER,
	SHAPE_PARTS,	/* struct iovec */
	SHAPE_MESSAGE,	/* struct msghdr */
	SHAPE_MESSAGES, /* struct mmsghdr */
	SHAPE_SENDFILE, /* the bytes never were in the process */
	SHAPE_SPLICE,
	SHAPE_IO_URING,
};

/* What a call was asked to do, as seen at its beginning. */
struct asked {
	__u64 buffer; /* or first struct iovec, or first struct (m)msghdr */
	__u64 count;  /* bytes in `buffer`, or parts, or messages */
	__u64 name;   /* UDP: where the sender's address is written */
	__u64 skip;   /* bytes of the first part that belong to an earlier call */
	__u32 flags;  /* MSG_* */
	__u32 generation;
	__u32 since; /* of the cgroup, at the beginning */
	__u8 shape;  /* enum shape */
	__u8 direction;
	__u8 udp;
	__u8 in_kernel; /* parts and name lie in kernel memory (what the parts point to does not) */
	__u8 late;	   /* its beginning was not seen */
	__u8 reserved[3];
};

/* A call in flight, by thread, from its beginning to its end; and the walk over its buffers at its end. */
struct call {
	struct asked asked;
	__u64 sock;
	__u64 began; /* ns, CLOCK_BOOTTIME */
	__u32 seq;   /* the kernel's, at the beginning */
	__u32 reserved;
	/* the walk */
	__u64 parts, part, part_count; /* address of the vector, position in it, its length */
	__u64 message, message_left;   /* position in a vector of messages */
	__u64 at, at_left;	       /* bytes of this part */
	__u64 left;		       /* bytes of the whole call that are not told yet */
	__u64 sum;
	struct nettap_chunk head; /* of every chunk of this call */
};

/* Full: the call is not captured, and its bytes are a gap at the next one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* NETTAP_CALLS_MAX */
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");

/* A `struct call` to copy from: it is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call);
} blank_call SEC(".maps");

static __always_inline void count(__u32 which, __u64 more)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	if (value)
		*value += more;
}

#endif
