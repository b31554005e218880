/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of ours, and the end of a guest: apart from the rest, since every program that changes a guest has it. */
#include "state/events_own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/events.h>

void vm_event_add_own(struct vm_strbuf *b, const char *name, const char *data)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	vm_strbuf_puts(b, "{\"vm\":");
	vm_strbuf_json(b, name);
	vm_strbuf_printf(b, ",\"timestamp\":{\"seconds\":%lld,\"microseconds\":%ld}",
			 (long long)now.tv_sec, now.tv_nsec / 1000);
	if (data != NULL)
		vm_strbuf_printf(b, ",\"data\":%s", data);
	vm_strbuf_puts(b, "}\n");
}

/* Is the last line "ended"?  *ret_torn: it is not complete. */
static bool has_end(int fd, bool *ret_torn)
{
	static const char begin[] = "{\"vm\":\"ended\",";
	char tail[512];
	const char *line;
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) == 0)
		n = pread(fd, tail, sizeof(tail) - 1,
			  st.st_size < (off_t)sizeof(tail) ? 0
							   : st.st_size - (off_t)sizeof(tail) + 1);
	*ret_torn = n > 0 && tail[n - 1] != '\n';
	if (n <= 0 || *ret_torn)
		return false;
	tail[n - 1] = '\0';
	line = strrchr(tail, '\n');
	line = line != NULL ? line + 1 : tail;
	return strncmp(line, begin, sizeof(begin) - 1) == 0;
}

bool vm_events_ended(int run_fd)
{
	VM_AUTO_FD int fd = openat(run_fd, VM_EVENTS_FILE,
				   O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool torn;

	return fd >= 0 && has_end(fd, &torn);
}

/* Appends "ended" to a file that is open; a line of others before it may be torn, or the file's first missing. */
static int append_end(int fd, const char *file, const char *before, const char *reason,
		      const struct vm_end *run, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf data = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf line = VM_STRBUF_INIT;

	vm_strbuf_puts(&line, before);
	vm_strbuf_puts(&data, "{\"reason\":");
	vm_strbuf_json(&data, reason[0] != '\0' ? reason : NULL);
	vm_strbuf_puts(&data, ",\"status\":null}");
	if (run != NULL) {
		vm_strbuf_printf(&data, ",\"pid\":%d,\"began_ms\":%" PRIu64 ",\"guest\":",
				 (int)run->pid, run->began_ms);
		vm_strbuf_json(&data, run->guest);
	}
	vm_event_add_own(&line, "ended", data.text);
	if (write(fd, line.text, line.len) != (ssize_t)line.len)
		return vm_err_sys(err, "write %s", file);
	return 0;
}

int vm_events_end(int run_fd, const char *reason, struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	bool torn;

	/* without a file nobody reads it: the start did not get that far, or there was no room */
	fd = openat(run_fd, VM_EVENTS_FILE,
		    O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open %s", VM_EVENTS_FILE);
	if (has_end(fd, &torn))
		return 0;
	/* of a watcher that was killed in the middle of a line */
	return append_end(fd, VM_EVENTS_FILE, torn ? "\n" : "", reason, NULL, err);
}

int vm_ends_append(int place_fd, const struct vm_end *end, struct vm_err *err)
{
	static const char first[] = "{\"vm\":\"open\",\"data\":{\"format\":1,\"first\":0}}\n";
	VM_AUTO_FD int fd = -1;
	struct stat st;

	fd = openat(place_fd, VM_ENDS_FILE,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return vm_err_sys(err, "open %s", VM_ENDS_FILE);
	if (append_end(fd, VM_ENDS_FILE, st.st_size == 0 ? first : "", end->reason, end, err) < 0)
		return -1;
	/* Whoever follows reads on in the file that it has open: nothing but history is lost. */
	if (st.st_size >= (off_t)VM_ENDS_BYTES)
		(void)renameat(place_fd, VM_ENDS_FILE, place_fd, VM_ENDS_OLD);
	return 0;
}
