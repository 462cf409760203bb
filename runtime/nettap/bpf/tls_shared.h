/* What the TLS programs and the loader's TLS side both know. */
#ifndef NETTAP_TLS_SHARED_H
#define NETTAP_TLS_SHARED_H

#include <linux/types.h>

/* Who is inside a call of a TLS library: a thread, or a goroutine, which may change threads meanwhile. */
struct tls_caller {
	__u64 who; /* thread id, or address of the runtime.g */
	__u32 tgid;
	__u32 go;
};

#endif
