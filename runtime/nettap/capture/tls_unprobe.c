#include "tls_unprobe.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tls_link.h"

struct job {
	struct job *next;
	struct tls_link link;
};

/* One thread: the kernel takes out one probe at a time. It ends when there is nothing left to do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static bool working;

static struct job *take(void)
{
	struct job *job;

	pthread_mutex_lock(&lock);
	job = jobs;
	if (job) {
		jobs = job->next;
	} else {
		working = false;
		pthread_cond_broadcast(&idle);
	}
	pthread_mutex_unlock(&lock);
	return job;
}

static void *work(void *unused)
{
	struct job *job;

	while ((job = take())) {
		tls_link_destroy(&job->link);
		free(job);
	}
	return unused;
}

/* True: nobody works yet, so the caller sees to it. */
static bool put(struct job *job, const struct tls_link *link)
{
	bool first;

	job->link = *link;
	pthread_mutex_lock(&lock);
	job->next = jobs;
	jobs = job;
	first = !working;
	working = true;
	pthread_mutex_unlock(&lock);
	return first;
}

void tls_unprobe(struct tls_link *links, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct job *job = malloc(sizeof(*job));
		pthread_t thread;

		if (!job)
			tls_link_destroy(&links[i]);
		else if (!put(job, &links[i]))
			continue;
		else if (pthread_create(&thread, NULL, work, NULL))
			work(NULL);
		else
			pthread_detach(thread);
	}
}

void tls_unprobe_wait(void)
{
	pthread_mutex_lock(&lock);
	while (working)
		pthread_cond_wait(&idle, &lock);
	pthread_mutex_unlock(&lock);
}
