/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/undo.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/strbuf.h>

/*
 * The journal is a line "vm-undo 1", then one line "VERB ARGUMENT" for each step, the argument escaped as in
 * records.  A line counts when it is whole: the step of a torn one has not begun.
 */
#define HEAD	    "vm-undo 1\n"
#define JOURNAL_MAX (4u << 20)

static const struct vm_undo_verb *find_verb(const struct vm_undo_verb *verbs, const char *name,
					    size_t len)
{
	for (; verbs->name; verbs++)
		if (strlen(verbs->name) == len && memcmp(verbs->name, name, len) == 0)
			return verbs;
	return NULL;
}

/* One write() for one line; what of it went in before a failure is taken back. */
static int append_line(int fd, const struct vm_strbuf *b)
{
	off_t start = lseek(fd, 0, SEEK_END);
	ssize_t n;
	int saved;

	if (start < 0)
		return -1;
	do
		n = write(fd, b->text, b->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)b->len)
		return 0;
	saved = n < 0 ? errno : ENOSPC;
	if (ftruncate(fd, start) < 0)
		saved = errno;
	errno = saved;
	return -1;
}

static void add_step(struct vm_undo *u, const struct vm_undo_verb *verb, char *arg)
{
	u->steps = vm_xreallocarray(u->steps, u->n + 1, sizeof(*u->steps));
	u->steps[u->n++] = (struct vm_undo_step){ verb, arg };
}

static void forget(struct vm_undo *u)
{
	size_t i;

	for (i = 0; i < u->n; i++)
		free(u->steps[i].arg);
	free(u->steps);
	vm_cleanup_fd(&u->fd);
	*u = VM_UNDO_INIT;
}

int vm_undo_open(struct vm_undo *u, int dirfd, const char *file, const struct vm_undo_verb *verbs,
		 void *ctx, struct vm_err *err)
{
	VM_AUTO_FD int fd = openat(dirfd, file,
				   O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct vm_strbuf head = { (char *)(uintptr_t)HEAD, sizeof(HEAD) - 1, 0 };

	if (fd < 0 && errno == EEXIST)
		return vm_err_sys(err, "an interrupted command left %s", file);
	if (fd < 0)
		return vm_err_sys(err, "create %s", file);
	if (append_line(fd, &head) < 0) {
		vm_err_sys(err, "write %s", file);
		unlinkat(dirfd, file, 0);
		return -1;
	}
	*u = (struct vm_undo){ .dirfd = dirfd, .file = file, .verbs = verbs, .ctx = ctx,
			       .fd = vm_take_fd(&fd) };
	return 0;
}

int vm_undo_push(struct vm_undo *u, const char *verb, const char *fmt, ...)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf arg = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf line = VM_STRBUF_INIT;
	const struct vm_undo_verb *v = find_verb(u->verbs, verb, strlen(verb));
	va_list ap;

	assert(v && u->fd >= 0);
	va_start(ap, fmt);
	vm_strbuf_vprintf(&arg, fmt, ap);
	va_end(ap);
	vm_strbuf_printf(&line, "%s ", verb);
	vm_strbuf_escape(&line, arg.text);
	vm_strbuf_putc(&line, '\n');
	if (append_line(u->fd, &line) < 0)
		return -1;
	add_step(u, v, vm_strbuf_take(&arg));
	return 0;
}

static int remove_journal(struct vm_undo *u, struct vm_err *err)
{
	if (unlinkat(u->dirfd, u->file, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove %s", u->file);
	return 0;
}

int vm_undo_disarm(struct vm_undo *u, struct vm_err *err)
{
	if (u->fd < 0)
		return 0;
	if (remove_journal(u, err) < 0)
		return -1; /* still armed: a journal that stays would undo what succeeded */
	forget(u);
	return 0;
}

/* The journal with only the steps that could not be undone. */
static void keep_failed(const struct vm_undo *u, const bool *failed)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_err ignored;
	size_t i;

	vm_strbuf_puts(&b, HEAD);
	for (i = 0; i < u->n; i++) {
		if (!failed[i])
			continue;
		vm_strbuf_printf(&b, "%s ", u->steps[i].verb->name);
		vm_strbuf_escape(&b, u->steps[i].arg);
		vm_strbuf_putc(&b, '\n');
	}
	/* If this fails the whole journal stays, which undoes some steps again: they are idempotent. */
	(void)vm_file_write_volatile(u->dirfd, u->file, b.text, b.len, 0600, &ignored);
}

int vm_undo_run(struct vm_undo *u, struct vm_err *err)
{
	VM_AUTO_FREE bool *failed = NULL;
	struct vm_err one;
	int r = 0;
	size_t i;

	if (u->fd < 0)
		return 0;
	failed = vm_xcalloc(u->n, sizeof(*failed));
	vm_wait_shield();
	for (i = u->n; i-- > 0;) {
		one = VM_ERR_INIT;
		vm_log_step("undo: %s %s", u->steps[i].verb->name, u->steps[i].arg);
		if (u->steps[i].verb->undo(u->ctx, u->steps[i].arg, &one) == 0)
			continue;
		failed[i] = true;
		vm_err_wrap(&one, "undo %s %s", u->steps[i].verb->name, u->steps[i].arg);
		if (r < 0)
			vm_log_warning("%s", one.msg);
		else
			*err = one;
		r = -1;
	}
	if (r < 0)
		keep_failed(u, failed);
	else
		r = remove_journal(u, err);
	vm_wait_unshield();
	forget(u);
	return r;
}

void vm_undo_close(struct vm_undo *u)
{
	struct vm_err err = VM_ERR_INIT;
	int saved = errno;

	if (vm_undo_run(u, &err) < 0)
		vm_log_warning("%s", err.msg);
	errno = saved;
}

void vm_undo_leave(struct vm_undo *u)
{
	forget(u);
}

static int parse_line(struct vm_undo *u, const char *line, size_t len, struct vm_err *err)
{
	const char *space = memchr(line, ' ', len);
	const struct vm_undo_verb *verb;
	char *arg;

	if (!space || memchr(line, '\0', len))
		return vm_err_set(err, VM_BAD_INPUT, "%s: line \"%.*s\" is damaged", u->file,
				  (int)(len > 80 ? 80 : len), line);
	verb = find_verb(u->verbs, line, (size_t)(space - line));
	if (!verb)
		return vm_err_set(err, VM_UNSUPPORTED, "%s: unknown step \"%.*s\"", u->file,
				  (int)(space - line > 80 ? 80 : space - line), line);
	if (vm_record_unescape(space + 1, len - (size_t)(space + 1 - line), &arg) < 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: line \"%.*s\" is damaged", u->file,
				  (int)(len > 80 ? 80 : len), line);
	add_step(u, verb, arg);
	return 0;
}

int vm_undo_replay(int dirfd, const char *file, const struct vm_undo_verb *verbs, void *ctx,
		   struct vm_err *err)
{
	struct vm_undo u = { .dirfd = dirfd, .file = file, .verbs = verbs, .ctx = ctx, .fd = -1 };
	VM_AUTO_FREE char *text = NULL;
	const char *p, *end, *nl;
	size_t len;

	if (vm_file_read(dirfd, file, JOURNAL_MAX, &text, &len, NULL, err) < 0)
		return err->sys == ENOENT ? 0 : -1;
	end = text + len;
	if (len >= sizeof(HEAD) - 1 && memcmp(text, HEAD, sizeof(HEAD) - 1) != 0)
		return vm_err_set(err, VM_UNSUPPORTED, "%s: not a journal of this format", file);
	/* Nothing of it is undone unless all of it is understood. */
	for (p = len < sizeof(HEAD) - 1 ? end : text + sizeof(HEAD) - 1; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		if (parse_line(&u, p, (size_t)(nl - p), err) < 0) {
			forget(&u);
			return -1;
		}
	}
	u.fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (u.fd < 0) {
		vm_err_sys(err, "open %s", file);
		forget(&u);
		return -1;
	}
	return vm_undo_run(&u, err) < 0 ? -1 : 1;
}
