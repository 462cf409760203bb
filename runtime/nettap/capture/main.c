/* speedscale-nettap-capture: loads the BPF programs, hands what they see to the ingest, does what the ingest asks.
 *
 * One thread, one epoll. Nothing here can be waited for by the traffic that is captured: programs drop what does not fit
 * their rings, and the line to the ingest is never waited for.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "alive.h"
#include "doctor.h"
#include "log.h"
#include "session.h"
#include "stats.h"
#include "tls.h"

#define STATS_EVERY_NS 5000000000ULL
#define SIGN_EVERY_NS 1000000000ULL
#define RECONNECT_EVERY_NS 500000000ULL
#define TICK_NS 100000000L
#define PAUSE_NS 1000000L /* between two looks into the rings: many records for one wake-up */

enum { WAKE_SIGNAL, WAKE_TICK, WAKE_LINE, WAKE_RING };

struct loop {
	struct session session;
	int epoll, signals, ticks;
	__u64 next_stats, next_connect, next_sign;
	bool rings_watched;
	__u32 line_watched; /* for which events; 0: not */
};

static bool watch(int epoll, int fd, int what, __u32 events)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ||
	       (errno == EEXIST && !epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
}

static int ring_fd(struct ring_buffer *ring)
{
	return ring_buffer__epoll_fd(ring);
}

/* A ring that cannot be emptied must not wake us. */
static void watch_rings(struct loop *loop, bool wanted)
{
	if (wanted == loop->rings_watched)
		return;
	loop->rings_watched = wanted;
	watch(loop->epoll, ring_fd(loop->session.chunks), WAKE_RING, wanted ? EPOLLIN : 0);
	watch(loop->epoll, ring_fd(loop->session.events), WAKE_RING, wanted ? EPOLLIN : 0);
}

static void line_lost(struct loop *loop)
{
	watch_rings(loop, false);
	session_down(&loop->session); /* a closed descriptor leaves the epoll by itself */
	loop->line_watched = 0;
	loop->next_connect = boot_now_ns() + RECONNECT_EVERY_NS;
}

static void drain(struct loop *loop)
{
	struct session *session = &loop->session;
	__u32 events;

	if (!session_drain(session)) {
		line_lost(loop);
		return;
	}
	events = EPOLLIN | (line_waits(&session->line) ? EPOLLOUT : 0);
	if (events != loop->line_watched)
		watch(loop->epoll, session->line.fd, WAKE_LINE, events);
	loop->line_watched = events;
	watch_rings(loop, line_has_room(&session->line));
}

static void tick(struct loop *loop)
{
	struct session *session = &loop->session;
	__u64 now = boot_now_ns(), expired;

	if (read(loop->ticks, &expired, sizeof(expired)) < 0)
		return;
	if (now >= loop->next_sign) {
		alive_renew(session->settings);
		loop->next_sign = now + SIGN_EVERY_NS;
	}
	if (session->line.fd < 0) {
		if (now >= loop->next_connect && line_connect(&session->line, session->settings->socket_path)) {
			session_up(session);
			loop->next_stats = now;
		}
		if (session->line.fd < 0)
			return;
	}
	if (now >= loop->next_stats) {
		session_stats(session);
		loop->next_stats = now + STATS_EVERY_NS;
	}
	if (session->programs->attached)
		tls_tick(now);
	drain(loop);
}

static bool prepare(struct loop *loop)
{
	struct itimerspec period = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = 1};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	loop->ticks = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return loop->epoll >= 0 && loop->signals >= 0 && loop->ticks >= 0 &&
	       !timerfd_settime(loop->ticks, 0, &period, NULL) &&
	       watch(loop->epoll, loop->signals, WAKE_SIGNAL, EPOLLIN) &&
	       watch(loop->epoll, loop->ticks, WAKE_TICK, EPOLLIN);
}

static void run(struct loop *loop)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	for (;;) {
		struct epoll_event events[8];
		int count = epoll_wait(loop->epoll, events, 8, -1);
		bool rings = false;

		for (int i = 0; i < count; i++) {
			switch (events[i].data.u32) {
			case WAKE_SIGNAL:
				return;
			case WAKE_TICK:
				tick(loop);
				break;
			case WAKE_LINE:
				if (loop->session.line.fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
				    !session_read(&loop->session))
					line_lost(loop);
				/* fallthrough */
			case WAKE_RING:
				rings = true;
			}
		}
		if (rings && loop->session.line.fd >= 0) {
			drain(loop);
			nanosleep(&pause, NULL);
		}
	}
}

static int capture(const struct settings *settings)
{
	static struct loop loop;
	struct programs programs = {0};
	struct hierarchy hierarchy;

	if (!hierarchy_find(settings, &hierarchy)) {
		log_error("no_cgroup_hierarchy", "path", settings->cgroups, "asked", settings->hierarchy, NULL);
		return 2;
	}
	if (!programs_load(&programs, settings, &hierarchy))
		return 2;
	loop.session = (struct session){.settings = settings, .hierarchy = &hierarchy, .programs = &programs};
	if (!session_init(&loop.session) || !prepare(&loop)) {
		log_error("not_started", "reason", log_reason(errno), NULL);
		return 2;
	}
	log_info("started", "method", programs.method, "why", programs.why, "hierarchy", hierarchy.name,
		 "hierarchy_why", hierarchy.why, NULL);
	run(&loop);
	session_close(&loop.session);
	tls_close();
	programs_close(&programs);
	alive_end(settings);
	log_info("stopped", NULL);
	return 0;
}

int main(int count, char **arguments)
{
	struct settings settings;
	char problem[256];

	if (!settings_read(&settings, problem, sizeof(problem))) {
		log_error("settings_refused", "problem", problem, NULL);
		return 2;
	}
	if (count == 1)
		return capture(&settings);
	if (count == 2 && !strcmp(arguments[1], "--healthy"))
		return alive_check(&settings);
	if (count >= 2 && count <= 3 && !strcmp(arguments[1], "--doctor") && (count == 2 || !strcmp(arguments[2], "--json")))
		return doctor(&settings, count == 3);
	fprintf(stderr, "usage: speedscale-nettap-capture [--healthy | --doctor [--json]]\n");
	return 2;
}
