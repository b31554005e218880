/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/deadline.h>

#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

volatile int vm_interrupted;
/* Of the one thread that undoes. */
static __thread int shielded;
static __thread sigset_t outer_mask;

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;
	int r = clock_gettime(id, &ts);

	assert(r == 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t vm_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint64_t vm_realtime_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

struct vm_deadline vm_deadline_in(uint64_t ms)
{
	uint64_t now = vm_now_ms();

	/* at_ms 0 means never; right after boot "now" is 0 too */
	return (struct vm_deadline){ ms > UINT64_MAX - now - 1 ? UINT64_MAX : now + ms + !(now + ms) };
}

struct vm_deadline vm_deadline_min(struct vm_deadline a, struct vm_deadline b)
{
	if (!a.at_ms)
		return b;
	if (!b.at_ms)
		return a;
	return a.at_ms < b.at_ms ? a : b;
}

int vm_deadline_poll(struct vm_deadline d)
{
	uint64_t now;

	if (!d.at_ms)
		return -1;
	now = vm_now_ms();
	if (now >= d.at_ms)
		return 0;
	return d.at_ms - now > INT_MAX ? INT_MAX : (int)(d.at_ms - now);
}

bool vm_deadline_passed(struct vm_deadline d)
{
	return d.at_ms && vm_now_ms() >= d.at_ms;
}

bool vm_wait_interrupted(void)
{
	return vm_interrupted && !shielded;
}

/* Also a second ^C, and the alarms that follow the first, wait: what undoes must not meet EINTR at every turn. */
void vm_wait_shield(void)
{
	static const int held[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
	sigset_t set;
	size_t i;

	if (shielded++)
		return;
	sigemptyset(&set);
	for (i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(&set, held[i]);
	pthread_sigmask(SIG_BLOCK, &set, &outer_mask);
}

void vm_wait_unshield(void)
{
	assert(shielded > 0);
	if (--shielded == 0)
		pthread_sigmask(SIG_SETMASK, &outer_mask, NULL);
}
