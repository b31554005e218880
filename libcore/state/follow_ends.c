/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/follow_ends.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <vm/json.h>
#include <vm/log.h>

void vm_follow_ends_close(struct vm_follow_ends *e)
{
	vm_events_close(&e->reader);
}

void vm_follow_ends_open(struct vm_follow_ends *e, int place_fd, bool news)
{
	struct vm_err err = VM_ERR_INIT;

	vm_follow_ends_close(e);
	/* The guests' own files still tell nearly everything. */
	if (vm_ends_open(place_fd, news, &e->reader, &err) < 0)
		vm_log_warning("%s", err.msg);
}

static uint32_t hash(const char *name)
{
	uint32_t h = 0x811c9dc5u; /* FNV-1a */

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 0x01000193u;
	return h;
}

static struct vm_follow_run *find(struct vm_follow_ends *e, const char *guest, pid_t pid)
{
	uint32_t h = hash(guest);

	for (size_t i = 0; i < VM_FOLLOW_TOLD && i < e->n_told; i++)
		if (e->told[i].name == h && e->told[i].pid == pid)
			return &e->told[i];
	return NULL;
}

void vm_follow_ends_told(struct vm_follow_ends *e, const char *guest, pid_t pid, bool ended)
{
	struct vm_follow_run *run = find(e, guest, pid);

	if (run == NULL) {
		run = &e->told[e->n_told++ % VM_FOLLOW_TOLD];
		*run = (struct vm_follow_run){hash(guest), pid, false};
	}
	/* A number that comes again is another run's. */
	run->ended = ended;
}

bool vm_follow_ends_read(struct vm_follow_ends *e)
{
	struct vm_err err = VM_ERR_INIT;
	const struct vm_event_line *line;
	uint64_t pid, began_ms;
	int rc;

	while (e->reader.buf != NULL && (rc = vm_events_next(&e->reader, &line, &err)) <= 0) {
		if (rc < 0) {
			vm_log_warning("%s", err.msg);
			vm_follow_ends_close(e);
			return false;
		}
		if (!line->own || strcmp(line->name, "ended") != 0 ||
		    !vm_json_string(vm_json_find(line->text, line->len, "guest"), e->guest,
				    sizeof(e->guest)) ||
		    !vm_name_valid(e->guest) ||
		    !vm_json_u64(vm_json_find(line->text, line->len, "pid"), &pid) ||
		    pid == 0 || pid > INT_MAX ||
		    !vm_json_u64(vm_json_find(line->text, line->len, "began_ms"), &began_ms) ||
		    began_ms > UINT64_MAX / 1000)
			continue;
		e->pid = (pid_t)pid;
		e->began_us = began_ms * 1000;
		e->end = line;
		e->looked = e->added = e->begun = false;
		return true;
	}
	e->guest[0] = '\0';
	return false;
}

/* The line its own file began with. */
static const struct vm_event_line *make_begin(struct vm_follow_ends *e)
{
	int n = snprintf(e->begin_text, sizeof(e->begin_text),
			 "{\"vm\":\"started\",\"timestamp\":{\"seconds\":%" PRIu64
			 ",\"microseconds\":%" PRIu64 "},\"data\":{\"pid\":%d}}",
			 e->began_us / 1000000, e->began_us % 1000000, (int)e->pid);

	return n > 0 && vm_event_parse(e->begin_text, (size_t)n, &e->begin) == 0 ? &e->begin : NULL;
}

const struct vm_event_line *vm_follow_ends_next(struct vm_follow_ends *e)
{
	const struct vm_follow_run *run = find(e, e->guest, e->pid);
	const struct vm_event_line *line = NULL;

	if (!e->begun && run == NULL && e->began_us >= e->since_us && (line = make_begin(e)) != NULL) {
		e->begun = true;
		return line;
	}
	if (run == NULL || !run->ended) {
		vm_follow_ends_told(e, e->guest, e->pid, true);
		return e->end;
	}
	e->guest[0] = '\0';
	return NULL;
}
