/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Points in time by CLOCK_MONOTONIC; everything that waits takes one. */
#include <stdbool.h>
#include <stdint.h>

struct vm_deadline {
	uint64_t at_ms; /* CLOCK_MONOTONIC milliseconds; 0 = never */
};
#define VM_DEADLINE_NEVER ((struct vm_deadline){ 0 })

uint64_t vm_now_ms(void);      /* CLOCK_MONOTONIC */
uint64_t vm_realtime_ms(void); /* CLOCK_REALTIME, since 1970 */
struct vm_deadline vm_deadline_in(uint64_t ms);
/* The earlier of the two. */
struct vm_deadline vm_deadline_min(struct vm_deadline a, struct vm_deadline b);
/* Milliseconds left for poll(): 0 = passed, -1 = never. */
int vm_deadline_poll(struct vm_deadline d);
bool vm_deadline_passed(struct vm_deadline d);

/* SIGINT or SIGTERM came (vm_cli_main() sets it; 0 or the signal).  Waits then fail with VM_SYSTEM, EINTR. */
extern volatile int vm_interrupted;
/* What every wait asks after EINTR: should it give up?  Not while undoing. */
bool vm_wait_interrupted(void);
/* Between these (they nest) this thread's waits go on in spite of a signal, and further ones are held back: what
 * undoes an interrupted command must not be interrupted by that same signal. */
void vm_wait_shield(void);
void vm_wait_unshield(void);
