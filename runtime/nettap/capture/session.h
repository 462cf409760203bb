/* What goes on between the kernel's rings and the line to the ingest, while it stands: frames out, targets in. */
#ifndef NETTAP_SESSION_H
#define NETTAP_SESSION_H

#include <stdbool.h>

#include "line.h"
#include "programs.h"
#include "targets.h"

struct ring_buffer;

struct session {
	const struct settings *settings;
	const struct hierarchy *hierarchy;
	struct programs *programs;
	struct line line;
	struct targets targets;
	struct ring_buffer *chunks, *events;
};

bool session_init(struct session *session);
void session_close(struct session *session);

/* The line came up: HELLO. It went down: nothing is captured until there is another one and its targets. */
void session_up(struct session *session);
void session_down(struct session *session);

bool session_read(struct session *session);  /* what the ingest said; false: the line is gone */
bool session_drain(struct session *session); /* rings to line; false: the line is gone */
void session_stats(struct session *session);

#endif
