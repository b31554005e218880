/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/events.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>
#include <vm/strbuf.h>

#include "state/events_own.h"

#define BUF_SIZE (VM_EVENTS_BUFFER - 1)

/* ---- lines ---- */

int vm_event_parse(char *line, size_t len, struct vm_event_line *ret)
{
	struct vm_event_line out = {.text = line, .len = len};
	struct vm_json_slice name, data;
	uint64_t seconds, micros;

	line[len] = '\0';
	name = vm_json_find(line, len, "event");
	if (name.at == NULL) {
		name = vm_json_find(line, len, "vm");
		out.own = true;
	}
	if (name.at == NULL || !vm_json_string(name, out.name, sizeof(out.name)))
		return 1;
	if (vm_json_u64(vm_json_find(line, len, "timestamp.seconds"), &seconds) &&
	    vm_json_u64(vm_json_find(line, len, "timestamp.microseconds"), &micros))
		out.time_us = seconds * 1000000 + micros;
	data = vm_json_find(line, len, "data");
	if (data.at != NULL && data.at[0] == '{') {
		out.data = data.at;
		out.data_len = data.len;
	}
	*ret = out;
	return 0;
}

/* The file's first line: its number of earlier events. */
static int parse_head(const char *file, const struct vm_event_line *ev, uint64_t *ret_first,
		      struct vm_err *err)
{
	uint64_t format;

	if (!ev->own || strcmp(ev->name, "open") != 0 ||
	    !vm_json_u64(vm_json_find(ev->text, ev->len, "data.format"), &format) ||
	    !vm_json_u64(vm_json_find(ev->text, ev->len, "data.first"), ret_first))
		return vm_err_set(err, VM_BAD_INPUT, "%s: the first line is not \"open\"", file);
	if (format > VM_EVENTS_FORMAT)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "%s: has format %" PRIu64 ", this program knows %d",
				  file, format, VM_EVENTS_FORMAT);
	return 0;
}

/* ---- writing ---- */

static int write_whole(struct vm_events_writer *w, const struct vm_strbuf *b, struct vm_err *err)
{
	ssize_t n;

	do
		n = write(w->fd, b->text, b->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)b->len) {
		w->size += b->len;
		return 0;
	}
	if (n >= 0) {
		/* No half lines: readers count them. */
		if (ftruncate(w->fd, (off_t)w->size) < 0)
			return vm_err_sys(err, "truncate %s", VM_EVENTS_FILE);
		errno = ENOSPC;
	}
	return vm_err_sys(err, "write %s", VM_EVENTS_FILE);
}

/* Begins a new file; a failure leaves none. */
static int begin_file(struct vm_events_writer *w, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	char data[80];

	w->fd = openat(w->dirfd, VM_EVENTS_FILE,
		       O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (w->fd < 0)
		return vm_err_sys(err, "create %s", VM_EVENTS_FILE);
	w->size = 0;
	snprintf(data, sizeof(data), "{\"format\":%d,\"first\":%" PRIu64 "}", VM_EVENTS_FORMAT,
		 w->number);
	vm_event_add_own(&b, "open", data);
	if (write_whole(w, &b, err) == 0)
		return 0;
	close(w->fd);
	w->fd = -1;
	unlinkat(w->dirfd, VM_EVENTS_FILE, 0);
	return -1;
}

/* Counts the events up to the end of an existing file. */
static int count_file(int dirfd, const char *name, uint64_t *ret_number, bool *ret_torn,
		      struct vm_err *err)
{
	VM_AUTO(vm_events_close) struct vm_events_reader r = VM_EVENTS_READER_INIT;
	const struct vm_event_line *line;
	int rc;

	r.fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r.fd < 0)
		return errno == ENOENT ? 1 : vm_err_sys(err, "open %s", name);
	r.dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	r.buf = vm_xmalloc(VM_EVENTS_BUFFER);
	r.drop = true;
	rc = vm_events_next(&r, &line, err);
	if (rc < 0)
		return -1;
	*ret_number = r.number;
	*ret_torn = r.used < r.len || r.skip;
	return 0;
}

int vm_events_create(int run_fd, uint64_t max_bytes, struct vm_events_writer *ret,
		     struct vm_err *err)
{
	VM_AUTO(vm_events_writer_close) struct vm_events_writer w = VM_EVENTS_WRITER_INIT;
	bool torn = false;
	struct stat st;
	int rc;

	w.dirfd = run_fd;
	w.max = max_bytes;
	rc = count_file(run_fd, VM_EVENTS_FILE, &w.number, &torn, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		/* Killed between the two steps of a rotation, or the first time. */
		if (count_file(run_fd, VM_EVENTS_OLD, &w.number, &torn, err) < 0 ||
		    begin_file(&w, err) < 0)
			return -1;
	} else {
		w.fd = openat(run_fd, VM_EVENTS_FILE, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
		if (w.fd < 0 || fstat(w.fd, &st) < 0)
			return vm_err_sys(err, "open %s", VM_EVENTS_FILE);
		w.size = (uint64_t)st.st_size;
		if (torn) {
			struct vm_strbuf newline = {.text = (char[]){"\n"}, .len = 1};

			if (write_whole(&w, &newline, err) < 0)
				return -1;
			w.number++;
		}
	}
	*ret = w;
	w.fd = -1;
	return 0;
}

void vm_events_writer_close(struct vm_events_writer *w)
{
	vm_cleanup_fd(&w->fd);
}

/* Makes room for len more bytes: half of the bound is the present file's. */
static int rotate(struct vm_events_writer *w, size_t len, struct vm_err *err)
{
	if (w->fd >= 0 && w->size + len <= w->max / 2)
		return 0;
	if (w->fd >= 0) {
		if (renameat(w->dirfd, VM_EVENTS_FILE, w->dirfd, VM_EVENTS_OLD) < 0 &&
		    errno != ENOENT)
			return vm_err_sys(err, "rename %s", VM_EVENTS_FILE);
		vm_cleanup_fd(&w->fd);
	}
	return begin_file(w, err);
}

/* Writes what is in b, one line that ends with a newline. */
static int append(struct vm_events_writer *w, const struct vm_strbuf *b, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf gap = VM_STRBUF_INIT;
	char data[40];

	if (rotate(w, b->len + (w->lost > 0 ? 128 : 0), err) < 0) {
		w->lost++;
		return -1;
	}
	if (w->lost > 0) {
		snprintf(data, sizeof(data), "{\"lost\":%" PRIu64 "}", w->lost);
		vm_event_add_own(&gap, "gap", data);
		if (write_whole(w, &gap, err) < 0) {
			w->lost++;
			return -1;
		}
		w->number++;
		w->lost = 0;
	}
	if (write_whole(w, b, err) < 0) {
		w->lost++;
		return -1;
	}
	w->number++;
	return 0;
}

int vm_events_append(struct vm_events_writer *w, const char *line, size_t len, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len >= VM_EVENTS_LINE_MAX) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf data = VM_STRBUF_INIT;
		char name[64];
		bool named = vm_json_string(vm_json_find(line, len, "event"), name, sizeof(name));

		vm_strbuf_puts(&data, "{\"event\":");
		vm_strbuf_json(&data, named ? name : NULL);
		vm_strbuf_printf(&data, ",\"bytes\":%zu}", len);
		vm_event_add_own(&b, "oversized", data.text);
	} else {
		vm_strbuf_add(&b, line, len);
		vm_strbuf_putc(&b, '\n');
	}
	return append(w, &b, err);
}

int vm_events_append_own(struct vm_events_writer *w, const char *name, const char *data,
			 struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_event_add_own(&b, name, data);
	return append(w, &b, err);
}

int vm_events_append_started(struct vm_events_writer *w, pid_t pid, struct vm_err *err)
{
	char data[32];

	snprintf(data, sizeof(data), "{\"pid\":%d}", (int)pid);
	return vm_events_append_own(w, "started", data, err);
}

/* ---- reading ---- */

static int reader_open(struct vm_events_reader *r, int dirfd, bool history, struct vm_err *err)
{
	const struct vm_event_line *line;

	r->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (r->dirfd < 0)
		return vm_err_sys(err, "duplicate a descriptor");
	r->buf = vm_xmalloc(VM_EVENTS_BUFFER);
	r->old = history;
	r->drop = !history;
	if (r->drop && vm_events_next(r, &line, err) < 0) {
		vm_events_close(r);
		return -1;
	}
	r->drop = false;
	r->lost = 0;
	return 0;
}

int vm_events_open(int run_fd, bool history, struct vm_events_reader *ret, struct vm_err *err)
{
	struct vm_events_reader r = VM_EVENTS_READER_INIT;

	if (reader_open(&r, run_fd, history, err) < 0)
		return -1;
	*ret = r;
	return 0;
}

int vm_ends_open(int place_fd, bool history, struct vm_events_reader *ret, struct vm_err *err)
{
	struct vm_events_reader r = VM_EVENTS_READER_INIT;

	r.file = VM_ENDS_FILE;
	r.old_file = VM_ENDS_OLD;
	if (reader_open(&r, place_fd, history, err) < 0)
		return -1;
	*ret = r;
	return 0;
}

void vm_events_close(struct vm_events_reader *r)
{
	vm_cleanup_fd(&r->fd);
	vm_cleanup_fd(&r->dirfd);
	free(r->buf);
	*r = VM_EVENTS_READER_INIT;
}

bool vm_events_gone(const struct vm_events_reader *r)
{
	struct stat st;

	return fstat(r->dirfd, &st) == 0 && st.st_nlink == 0;
}

/* Opens the file to go on with: 0 = open, 1 = there is none. */
static int open_file(struct vm_events_reader *r, struct vm_err *err)
{
	if (r->old)
		r->fd = openat(r->dirfd, r->old_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0) {
		r->old = false;
		r->fd = openat(r->dirfd, r->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (r->fd < 0)
		return errno == ENOENT ? 1 : vm_err_sys(err, "open %s", r->file);
	r->headed = r->skip = false;
	r->len = r->used = 0;
	return 0;
}

/* At the end of the file: has it been replaced? */
static bool is_replaced(const struct vm_events_reader *r)
{
	struct stat mine, now;

	if (fstat(r->fd, &mine) < 0)
		return true;
	if (fstatat(r->dirfd, r->file, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return mine.st_dev != now.st_dev || mine.st_ino != now.st_ino;
}

static ssize_t fill(struct vm_events_reader *r)
{
	ssize_t n;

	memmove(r->buf, r->buf + r->used, r->len - r->used);
	r->len -= r->used;
	r->used = 0;
	if (r->len > VM_EVENTS_LINE_MAX) {
		r->skip = true;
		r->len = 0;
	}
	do
		n = read(r->fd, r->buf + r->len, BUF_SIZE - r->len);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		r->len += (size_t)n;
	return n;
}

/* One whole line: 0 = *ret_line, 1 = none is complete, 2 = and none will be in this file. */
static int next_line(struct vm_events_reader *r, char **ret_line, size_t *ret_len,
		     struct vm_err *err)
{
	bool last = false;

	for (;;) {
		char *start = r->buf + r->used;
		char *end = memchr(start, '\n', r->len - r->used);
		ssize_t n;

		if (end != NULL) {
			r->used += (size_t)(end - start) + 1;
			*ret_line = start;
			*ret_len = (size_t)(end - start);
			if (r->skip || *ret_len > VM_EVENTS_LINE_MAX)
				*ret_len = 0;
			r->skip = false;
			return 0;
		}
		n = fill(r);
		if (n < 0)
			return vm_err_sys(err, "read %s", r->file);
		if (n > 0)
			continue;
		/* What was written between our last read and the rename is still to be read. */
		if (last)
			return 2;
		if (!r->old && !is_replaced(r))
			return 1;
		last = true;
	}
}

static int on_head(struct vm_events_reader *r, char *line, size_t len, struct vm_err *err)
{
	struct vm_event_line head;
	uint64_t first;

	if (vm_event_parse(line, len, &head) > 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: the first line is no event", r->file);
	if (parse_head(r->file, &head, &first, err) < 0)
		return -1;
	/* Fewer than we have seen: the guest was started anew. */
	if (first > r->number)
		r->lost += first - r->number;
	r->number = first;
	r->headed = true;
	return 0;
}

int vm_events_next(struct vm_events_reader *r, const struct vm_event_line **ret, struct vm_err *err)
{
	char *line = r->buf;
	size_t len = 0;
	int rc;

	for (;;) {
		if (r->fd < 0) {
			rc = open_file(r, err);
			if (rc != 0)
				return rc;
		}
		rc = next_line(r, &line, &len, err);
		if (rc < 0)
			return -1;
		if (rc == 1)
			return 1;
		if (rc == 2) {
			r->old = false;
			vm_cleanup_fd(&r->fd);
			continue;
		}
		if (!r->headed) {
			if (on_head(r, line, len, err) < 0)
				return -1;
			continue;
		}
		r->number++;
		if (r->drop)
			continue;
		if (vm_event_parse(line, len, &r->line) > 0) {
			r->lost++;
			continue;
		}
		r->line.number = r->number;
		r->line.lost = r->lost;
		r->lost = 0;
		*ret = &r->line;
		return 0;
	}
}
